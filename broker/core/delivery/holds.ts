/**
 * Whether a `next` message waits for its recipient (CONTRACTS 3.5): it does while every session it
 * is meant for is busy.
 */
import { isInGroup } from "../targets.ts";
import type { Member, Session } from "../model.ts";
import type { HoldReason, OpenMessage } from "./open_message.ts";

const KEY = /^[0-9a-f]{64}$/i;

/**
 * A look at one member's sessions, taken when first asked and good as long as none of them changes.
 */
export class HoldView {
  readonly #member: Member;
  readonly #reasons = new Map<string, HoldReason | null>();
  #sessions: readonly Session[] | null = null;
  #anyBusy = false;

  constructor(member: Member) {
    this.#member = member;
  }

  /** Returns why `message` must wait, null when it need not. */
  reason(message: OpenMessage): HoldReason | null {
    if (message.priority !== "next") return null;
    if (this.#sessions === null) {
      this.#sessions = countingSessions(this.#member);
      this.#anyBusy = this.#sessions.some((session) => session.status !== "idle");
    }
    if (!this.#anyBusy) return null;
    const known = this.#reasons.get(message.targetSpec);
    if (known !== undefined) return known;
    const reason = this.#judge(this.#sessions, message.targetSpec.toLowerCase());
    this.#reasons.set(message.targetSpec, reason);
    return reason;
  }

  #judge(sessions: readonly Session[], wanted: string): HoldReason | null {
    const meant = sessions.filter((session) => isMeant(session, this.#member, wanted));
    // Nobody it was meant for is here: then it is for the member as a whole.
    const relevant = meant.length > 0 ? meant : sessions;
    if (relevant.some((session) => session.status === "idle")) return null;
    return relevant.some((session) => session.status === "working") ? "working" : "dnd";
  }
}

/** Live sessions; the agent's own connection counts only when there is none. */
function countingSessions(member: Member): Session[] {
  const live = [...member.sessions.values()].filter((session) => session.presence === "live");
  const sessions = live.filter((session) => session.peerRole === "session");
  return sessions.length > 0 ? sessions : live;
}

/** Returns whether a session is addressed by a target (lower case) that reached its member. */
function isMeant(session: Session, member: Member, wanted: string): boolean {
  if (wanted === "*" || wanted === "@all") return true;
  if (wanted.startsWith("@")) return isInGroup(session.groups, wanted.slice(1));
  return addressesMember(member, wanted) || namesSession(session, wanted);
}

/** Returns whether a direct target means the member as a whole. */
export function addressesMember(member: Member, wanted: string): boolean {
  return KEY.test(wanted) ? member.pubkey === wanted : member.displayName.toLowerCase() === wanted;
}

/** Returns whether a direct target means this session. */
export function namesSession(session: Session, wanted: string): boolean {
  return KEY.test(wanted)
    ? session.pubkey === wanted
    : session.displayName.toLowerCase() === wanted;
}
