/**
 * Which connection of a member a delivery goes to: the agent's control connection, which serves all
 * sessions from one inbox; without one a session's own; connections that never acknowledge only
 * when there is no other.
 */
import type { Connection, Member } from "../model.ts";
import { addressesMember, namesSession } from "./holds.ts";
import type { Mailbox } from "./mailbox.ts";
import type { OpenMessage } from "./open_message.ts";

const CONTROL = 3;
const ACKING = 2;
const COMPAT = 1;

/**
 * Returns the member's best open connection, null for none. The one used before stays unless a
 * better kind has come; then everything that is on its way elsewhere must be recalled, or messages
 * could overtake each other.
 */
export function chooseOutlet(mailbox: Mailbox): Connection | null {
  const current = mailbox.outlet;
  let best = current !== null && isConnected(current) ? current : null;
  if (best !== null && rank(best) === CONTROL) return best;
  for (const session of mailbox.member.sessions.values()) {
    const { connection } = session;
    if (connection === null || !connection.open) continue;
    if (best === null || rank(connection) > rank(best)) best = connection;
  }
  return best;
}

/**
 * Returns where one message goes, given its member's best connection: a message for one session
 * goes to that session's own only if the member has no agent whose inbox all of them share.
 */
export function outletOf(message: OpenMessage, member: Member, best: Connection): Connection {
  if (message.capability === "broadcast" || rank(best) === CONTROL || hasAgent(member)) return best;
  const wanted = message.targetSpec.toLowerCase();
  if (addressesMember(member, wanted)) return best;
  for (const session of member.sessions.values()) {
    const { connection } = session;
    if (connection === null || !connection.open || !namesSession(session, wanted)) continue;
    if (connection.acks || !best.acks) return connection;
  }
  return best;
}

/** An agent that has lost its connection for a moment is back within its lease. */
function hasAgent(member: Member): boolean {
  for (const session of member.sessions.values()) {
    if (session.peerRole === "control-plane" && session.presence !== "remembered") return true;
  }
  return false;
}

function rank(connection: Connection): number {
  if (!connection.acks) return COMPAT;
  return connection.session.peerRole === "control-plane" ? CONTROL : ACKING;
}

/** A connection that its session has exchanged for another is as good as closed. */
function isConnected(connection: Connection): boolean {
  return connection.open && connection.session.connection === connection;
}
