/**
 * Requests for peers' files that have no answer yet: who asked, who was asked, and until when. Nothing of it is
 * stored; a request whose answer does not come ends with an error.
 */
import { MeshError } from "../api/errors.ts";
import type { Limits } from "../api/limits.ts";
import { type PEER_FILE_ERRORS, peerFileEvents } from "../api/peer_files.ts";
import type { CancelTimer, Clock } from "./clock.ts";
import type { Connection, Member } from "./model.ts";

/** How often it is looked whether the asked peer is still there. */
const LOOK_MS = 1_000;

/** What goes back to who asked. */
export type PeerFileAnswer = { readonly sealed: string } | {
  readonly error: (typeof PEER_FILE_ERRORS)[number];
};

/** A request on its way. */
interface OpenRequest {
  readonly key: string;
  readonly requestId: string;
  readonly asking: Connection;
  readonly asked: Connection;
  readonly endsAtMs: number;
}

type RelayLimits = Pick<Limits, "peerFileRequests" | "peerFileServed" | "peerFileMs">;

export class PeerFileRelay {
  readonly #clock: Clock;
  readonly #limits: RelayLimits;
  readonly #open = new Map<string, OpenRequest>();
  /** Open requests by member: as who asks, and as who is asked. */
  readonly #asking = new Map<Member, number>();
  readonly #asked = new Map<Member, number>();
  #cancelLook: CancelTimer | null = null;

  constructor({ clock, limits }: { clock: Clock; limits: RelayLimits }) {
    this.#clock = clock;
    this.#limits = limits;
  }

  /** How many requests have no answer yet. */
  get openRequests(): number {
    return this.#open.size;
  }

  /**
   * Hands a request to the asked peer.
   * @throws {MeshError} `already_exists` when the id is in use, `limit` when either side has too many.
   */
  ask(asking: Connection, asked: Connection, requestId: string, sealed: string): void {
    const key = keyOf(asking.member, requestId);
    if (this.#open.has(key)) {
      throw new MeshError("already_exists", `the request "${requestId}" has no answer yet`);
    }
    const { peerFileRequests, peerFileServed, peerFileMs } = this.#limits;
    if ((this.#asking.get(asking.member) ?? 0) >= peerFileRequests) {
      throw overLimit(peerFileRequests, "you have asked for as much as you may at once");
    }
    if ((this.#asked.get(asked.member) ?? 0) >= peerFileServed) {
      throw overLimit(peerFileServed, `${asked.member.displayName} is asked for too much at once`);
    }
    const endsAtMs = this.#clock.now() + peerFileMs;
    this.#open.set(key, { key, requestId, asking, asked, endsAtMs });
    count(this.#asking, asking.member, 1);
    count(this.#asked, asked.member, 1);
    this.#look();
    const { pubkey, id, displayName } = asking.member;
    const data = {
      requestId,
      requesterPubkey: pubkey,
      requesterMemberId: id,
      requesterName: displayName,
      sealed,
    };
    asked.send(JSON.stringify({ type: peerFileEvents.peerFileRequestForward.wire, ...data }));
  }

  /**
   * Hands an answer back.
   * @returns false when this member was not asked this by that member, or it is too late.
   */
  answer(
    { member }: Connection,
    requester: Member | undefined,
    requestId: string,
    answer: PeerFileAnswer,
  ): boolean {
    const request = requester && this.#open.get(keyOf(requester, requestId));
    if (request === undefined || request.asked.member !== member) return false;
    this.#end(request, answer);
    return true;
  }

  #end(request: OpenRequest, answer: PeerFileAnswer): void {
    const { key, requestId, asking, asked } = request;
    this.#open.delete(key);
    count(this.#asking, asking.member, -1);
    count(this.#asked, asked.member, -1);
    if (this.#open.size === 0) {
      this.#cancelLook?.();
      this.#cancelLook = null;
    }
    if (!asking.open) return;
    const type = peerFileEvents.peerFileResponseForward.wire;
    asking.send(JSON.stringify({ type, requestId, targetPubkey: asked.member.pubkey, ...answer }));
  }

  /** Ends what has no hope, for as long as anything is open. */
  #look(): void {
    this.#cancelLook ??= this.#clock.after(LOOK_MS, () => {
      this.#cancelLook = null;
      const nowMs = this.#clock.now();
      for (const request of [...this.#open.values()]) {
        if (!request.asked.open || !request.asking.open) this.#end(request, { error: "gone" });
        else if (nowMs >= request.endsAtMs) this.#end(request, { error: "timeout" });
      }
      if (this.#open.size > 0) this.#look();
    });
  }

  /** Forgets everything. */
  close(): void {
    this.#cancelLook?.();
    this.#cancelLook = null;
    this.#open.clear();
  }
}

function keyOf(asking: Member, requestId: string): string {
  return `${asking.id} ${requestId}`;
}

function count(counts: Map<Member, number>, member: Member, change: number): void {
  const next = (counts.get(member) ?? 0) + change;
  if (next === 0) counts.delete(member);
  else counts.set(member, next);
}

function overLimit(limit: number, message: string): MeshError {
  return new MeshError(
    "limit",
    `${message} (${limit} requests); try again when some are answered`,
    {
      data: { limit },
    },
  );
}
