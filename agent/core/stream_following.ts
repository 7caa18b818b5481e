/**
 * Streams that the sessions of this machine follow. The broker forgets a subscription with its connection; here it is
 * kept with the next number wanted, and made again on every new connection, so that no event is lost or doubled.
 */
import { MeshError } from "../../broker/api/errors.ts";
import { streams, streamsEvents } from "../../broker/api/streams.ts";
import type { AgentClock } from "./agent_clock.ts";
import type { Frame } from "./frame.ts";
import type { Link } from "./link.ts";
import { LocalError } from "./local_error.ts";
import type { StreamNews, StreamPosition } from "./stream_news.ts";

const REQUEST_TIMEOUT_MS = 5_000;
const RETRY_MS = 5_000;

/** Who follows: an attached session's id, or null for the agent itself on behalf of its clients. */
export type Follower = string | null;

type FollowingLink = Pick<Link, "isUp" | "ready" | "request" | "post">;

export interface StreamFollowingOptions {
  readonly clock: AgentClock;
  /** The connection of a follower; undefined when the session is not attached. */
  link(follower: Follower): FollowingLink | undefined;
  emit(follower: Follower, news: StreamNews): void;
}

/** One stream that one follower follows. */
interface Followed {
  readonly follower: Follower;
  readonly stream: string;
  id: string | null;
  /** The next number that counts; null before the first answer. */
  next: number | null;
  /** Frames that came while an answer was waited for; what they mean depends on it. */
  held: Frame[] | null;
  /** Old events that are still on their way mean nothing. */
  isRewinding: boolean;
  /** The last thing that was begun; what follows waits for it. */
  turn: Promise<unknown>;
  cancelRetry: () => void;
}

const WIRES: ReadonlySet<string> = new Set(Object.values(streamsEvents).map((each) => each.wire));

export class StreamFollowing {
  readonly #options: StreamFollowingOptions;
  readonly #followed = new Map<Follower, Map<string, Followed>>();

  constructor(options: StreamFollowingOptions) {
    this.#options = options;
  }

  /**
   * Begins to follow a stream, or goes back to `from`. Rejects with the broker's MeshError, or LocalError `offline` or
   * `timeout`; what was followed before is followed on then.
   */
  async follow(follower: Follower, stream: string, from?: number): Promise<StreamPosition> {
    const own = this.#followed.get(follower) ?? new Map<string, Followed>();
    this.#followed.set(follower, own);
    const known = own.get(stream);
    const followed = known ?? newFollowed(follower, stream);
    own.set(stream, followed);
    return await this.#inTurn(followed, async () => {
      try {
        const link = this.#link(followed);
        await link.ready(REQUEST_TIMEOUT_MS);
        if (!this.#isKnown(followed)) throw ended();
        if (followed.next !== null && from !== undefined) await this.#rewind(followed, link);
        return await this.#subscribe(followed, link, from, this.#begin(followed));
      } catch (error) {
        if (followed.next === null) this.#forget(followed);
        throw error;
      }
    });
  }

  /** Ends following; resolves with whether the stream was followed, once nothing of it can come any more. */
  async unfollow(follower: Follower, stream: string): Promise<boolean> {
    const followed = this.#followed.get(follower)?.get(stream);
    if (followed === undefined) return false;
    this.#forget(followed);
    try {
      const link = this.#link(followed);
      await link.request(streams.unsubscribe.wire, { stream }, REQUEST_TIMEOUT_MS);
    } catch {
      // Without a connection there is no subscription either; what comes for a stream that nobody follows is dropped.
    }
    return true;
  }

  /** A session is gone, and what it followed with it. */
  drop(follower: Follower): void {
    for (const followed of this.#followed.get(follower)?.values() ?? []) followed.cancelRetry();
    this.#followed.delete(follower);
  }

  /** Ends all of it. */
  stop(): void {
    for (const follower of [...this.#followed.keys()]) this.drop(follower);
  }

  /** A follower's connection has come up: everything goes on where it stood. */
  connected(follower: Follower): void {
    for (const followed of this.#followed.get(follower)?.values() ?? []) this.#resume(followed);
  }

  /** Takes a frame that came over a follower's connection; false when it is not about streams. */
  take(follower: Follower, frame: Frame): boolean {
    if (!WIRES.has(frame.type)) return false;
    const followed = this.#followed.get(follower)?.get(String(frame.stream));
    if (followed === undefined || followed.isRewinding) return true;
    if (followed.held === null) this.#accept(followed, frame);
    else followed.held.push(frame);
    return true;
  }

  /** One thing after the other, per stream. */
  #inTurn<T>(followed: Followed, run: () => Promise<T>): Promise<T> {
    const running = followed.turn.then(run);
    followed.turn = running.catch(() => {});
    return running;
  }

  /** Nothing of the old position comes after the answer to this. */
  async #rewind(followed: Followed, link: FollowingLink): Promise<void> {
    followed.isRewinding = true;
    try {
      await link.request(streams.unsubscribe.wire, { stream: followed.stream }, REQUEST_TIMEOUT_MS);
    } finally {
      followed.isRewinding = false;
    }
  }

  #begin({ follower, stream }: Followed): (position: StreamPosition) => void {
    return ({ from }) => this.#options.emit(follower, { kind: "begun", stream, from });
  }

  /** @param placed is told the broker's answer before any event that follows it counts. */
  async #subscribe(
    followed: Followed,
    link: FollowingLink,
    from: number | undefined,
    placed: (position: StreamPosition) => void,
  ): Promise<StreamPosition> {
    const { follower, stream } = followed;
    followed.held = [];
    try {
      const input = {
        stream,
        includeOwn: follower === null,
        ...(from === undefined ? {} : { from }),
      };
      const frame = await link.request(streams.subscribe.wire, input, REQUEST_TIMEOUT_MS);
      if (!this.#isKnown(followed)) {
        link.post(streams.unsubscribe.wire, { stream });
        throw ended();
      }
      const answer = streams.subscribe.output.safeParse(frame);
      if (!answer.success) {
        throw new LocalError("bad_answer", "the broker answered subscribe in an unknown way", {
          hint: "this program may be older than the broker",
        });
      }
      const position = answer.data;
      // Without a wish the broker goes on where it was; what is on its way has lower numbers than it says.
      if (followed.next === null || from !== undefined) {
        followed.next = position.from;
        placed(position);
      }
      followed.id = position.id;
      return position;
    } finally {
      const { held } = followed;
      followed.held = null;
      if (this.#isKnown(followed)) { for (const frame of held) this.#accept(followed, frame); }
    }
  }

  #resume(followed: Followed): void {
    followed.cancelRetry();
    this.#inTurn(followed, async () => {
      const { follower, stream, next, id } = followed;
      const link = this.#options.link(follower);
      if (next === null || link === undefined || !link.isUp || !this.#isKnown(followed)) return;
      const position = await this.#subscribe(followed, link, next, ({ id: nowId, gap }) => {
        if (nowId === id) {
          if (gap !== null) this.#options.emit(follower, { kind: "gap", stream, ...gap });
          return;
        }
        // Deleted and made again meanwhile: none of its events has been seen.
        followed.next = 1;
        followed.held = [];
      });
      if (position.id === id) return;
      await this.#rewind(followed, link);
      await this.#subscribe(followed, link, 1, this.#begin(followed));
    }).catch((error) => this.#resumeFailed(followed, error));
  }

  #resumeFailed(followed: Followed, error: unknown): void {
    if (!this.#isKnown(followed)) return;
    if (error instanceof MeshError && error.code === "not_found") {
      this.#forget(followed);
      this.#options.emit(followed.follower, { kind: "ended", stream: followed.stream });
      return;
    }
    // A lost connection resumes when it is back; everything else is tried again.
    if (this.#options.link(followed.follower)?.isUp !== true) return;
    const waitMs = error instanceof MeshError ? error.data.retry_after_ms ?? 0 : 0;
    followed.cancelRetry = this.#options.clock.after(
      Math.max(waitMs, RETRY_MS),
      () => this.#resume(followed),
    );
  }

  #accept(followed: Followed, frame: Frame): void {
    const { follower, stream } = followed;
    if (frame.type === streamsEvents.streamEnded.wire) {
      this.#forget(followed);
      this.#options.emit(follower, { kind: "ended", stream });
      return;
    }
    if (frame.type === streamsEvents.streamGap.wire) {
      const gap = streamsEvents.streamGap.data.safeParse(frame);
      if (!gap.success || gap.data.to < (followed.next ?? 1)) return;
      followed.next = gap.data.to + 1;
      this.#options.emit(follower, { kind: "gap", ...gap.data });
      return;
    }
    const event = streamsEvents.streamData.data.safeParse(frame);
    if (!event.success || event.data.seq < (followed.next ?? 1)) return;
    followed.next = event.data.seq + 1;
    this.#options.emit(follower, { kind: "event", ...event.data });
  }

  #link({ follower }: Followed): FollowingLink {
    const link = this.#options.link(follower);
    if (link !== undefined) return link;
    throw new LocalError("offline", "the session is not attached to this mesh");
  }

  #isKnown(followed: Followed): boolean {
    return this.#followed.get(followed.follower)?.get(followed.stream) === followed;
  }

  #forget(followed: Followed): void {
    followed.cancelRetry();
    if (!this.#isKnown(followed)) return;
    const own = this.#followed.get(followed.follower);
    own?.delete(followed.stream);
    if (own?.size === 0) this.#followed.delete(followed.follower);
  }
}

function ended(): LocalError {
  return new LocalError("conflict", "the subscription was ended meanwhile");
}

function newFollowed(follower: Follower, stream: string): Followed {
  return {
    follower,
    stream,
    id: null,
    next: null,
    held: null,
    isRewinding: false,
    turn: Promise.resolve(),
    cancelRetry: () => {},
  };
}
