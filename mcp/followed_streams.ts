/**
 * The streams that this session has subscribed to, with the next number of each: what a new agent, or a new connection to
 * the same one, has to be told so that no event is missed or shown twice.
 */
import type { LocalEvent } from "../agent/core/local_types.ts";

type StreamEvent = Extract<LocalEvent, { kind: "stream" }>;

/** A subscription as it has to be made again. */
export interface WantedStream {
  readonly mesh: string;
  readonly meshId: string;
  readonly stream: string;
  readonly from: number;
}

interface Followed extends WantedStream {
  /** Its subscription has been lost: what comes now is of one that does not know this session's position. */
  readonly isLost: boolean;
}

export class FollowedStreams {
  readonly #followed = new Map<string, Followed>();

  /** Returns whether news are to be shown; the position moves with them. */
  heard({ mesh, meshId, news }: StreamEvent): boolean {
    const { stream } = news;
    if (news.kind === "begun") {
      this.#place({ mesh, meshId, stream, from: news.from });
      return false;
    }
    const followed = this.#followed.get(keyOf(mesh, stream));
    if (followed === undefined || followed.isLost) return false;
    if (news.kind === "ended") return this.forget(mesh, stream);
    const last = news.kind === "gap" ? news.to : news.seq;
    this.#place({ mesh, meshId, stream, from: last + 1 });
    return true;
  }

  /** The connection to the agent is gone: nothing counts until it is subscribed to again. */
  lost(): void {
    for (const [key, followed] of this.#followed) {
      this.#followed.set(key, { ...followed, isLost: true });
    }
  }

  /** The stream is followed no more; returns whether it was. */
  forget(mesh: string, stream: string): boolean {
    return this.#followed.delete(keyOf(mesh, stream));
  }

  /** What is to be subscribed to again. */
  wanted(): readonly WantedStream[] {
    return [...this.#followed.values()].filter(({ isLost }) => isLost)
      .map(({ isLost: _, ...wanted }) => wanted);
  }

  #place(wanted: WantedStream): void {
    this.#followed.set(keyOf(wanted.mesh, wanted.stream), { ...wanted, isLost: false });
  }
}

function keyOf(mesh: string, stream: string): string {
  return `${mesh} ${stream}`;
}
