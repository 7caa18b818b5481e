/**
 * Which sessions peers see, and which of them count as here.
 */
import type { Session } from "./model.ts";

/** Returns whether the session is connected or may still come back silently. */
export function isPresent(session: Session): boolean {
  return session.presence !== "remembered";
}

/**
 * Returns whether the session stands in lists of peers, hidden or not: an agent's control connection stands for its
 * member only while no session of the member does.
 */
export function isListed(session: Session): boolean {
  if (!isPresent(session)) return false;
  if (session.peerRole === "session") return true;
  for (const other of session.member.sessions.values()) {
    if (other.peerRole === "session" && isPresent(other)) return false;
  }
  return true;
}
