/**
 * Sessions as rows of the store, and rows as sessions: what outlives the broker's process.
 */
import type { PeerStateRow, StoredStats } from "../../storage/sql/queries/peer_state.ts";
import type { PresenceRow } from "../../storage/sql/queries/presence.ts";
import type { Stats } from "../api/presence.ts";
import type { Member, Session } from "./model.ts";

const COUNTERS = ["messagesIn", "messagesOut", "toolCalls", "uptime", "errors"] as const;

/** A session's presence as it is now; `disconnectedAtMs` ends it. */
export function presenceRow(session: Session, disconnectedAtMs: number | null): PresenceRow {
  return {
    id: session.presenceId,
    memberId: session.member.id,
    sessionId: session.id,
    sessionPubkey: session.pubkey,
    displayName: session.displayName,
    pid: session.pid,
    cwd: session.cwd,
    hostname: session.hostname,
    peerType: session.peerType,
    channel: session.channel,
    model: session.model,
    role: session.peerRole,
    status: session.status,
    statusSource: session.statusSource,
    statusAtMs: session.statusAtMs,
    summary: session.summary,
    groups: session.groups,
    connectedAtMs: session.connectedAtMs,
    lastSeenAtMs: session.lastSeenAtMs,
    disconnectedAtMs,
  };
}

/** What is kept of a session for its return. */
export function peerStateRow(session: Session): PeerStateRow {
  const current = session.presence === "remembered" ? {} : { current: session.stats };
  return {
    memberId: session.member.id,
    sessionId: session.id,
    groups: session.groups,
    profile: session.profile,
    visible: session.visible,
    summary: session.summary,
    displayName: session.displayName,
    stats: { ...session.earlierStats, ...current },
    lastSeenAtMs: session.lastSeenAtMs,
  };
}

/** A session that is gone but whose state was kept. */
export function rememberedSession(member: Member, row: PeerStateRow): Session {
  const { earlier, current } = splitStats(row.stats);
  return {
    id: row.sessionId,
    member,
    presenceId: "",
    pubkey: null,
    peerRole: "session",
    displayName: row.displayName ?? member.displayName,
    status: "idle",
    statusSource: "jsonl",
    statusAtMs: row.lastSeenAtMs,
    summary: row.summary,
    groups: [...row.groups],
    visible: row.visible,
    profile: row.profile,
    stats: {},
    earlierStats: addedStats(earlier, current),
    pid: 0,
    cwd: "",
    hostname: null,
    peerType: null,
    channel: null,
    model: null,
    connectedAtMs: row.lastSeenAtMs,
    lastSeenAtMs: row.lastSeenAtMs,
    presence: "remembered",
    connection: null,
  };
}

/** A session that was connected when the broker stopped; it has until the end of its lease to come back. */
export function leasedSession(
  member: Member,
  row: PresenceRow,
  state: PeerStateRow | undefined,
): Session {
  const { earlier, current } = splitStats(state?.stats ?? {});
  return {
    id: row.sessionId,
    member,
    presenceId: row.id,
    pubkey: row.sessionPubkey,
    peerRole: row.role,
    displayName: row.displayName,
    status: row.status,
    statusSource: row.statusSource,
    statusAtMs: row.statusAtMs,
    summary: row.summary,
    // An acknowledged change of groups is in the state at once, in the presence a moment later.
    groups: [...(state?.groups ?? row.groups)],
    visible: state?.visible ?? true,
    profile: state?.profile ?? {},
    stats: current,
    earlierStats: earlier,
    pid: row.pid,
    cwd: row.cwd,
    hostname: row.hostname,
    peerType: row.peerType,
    channel: row.channel,
    model: row.model,
    connectedAtMs: row.connectedAtMs,
    lastSeenAtMs: row.lastSeenAtMs,
    presence: "leased",
    connection: null,
  };
}

/** Two sets of counters summed up; a counter that neither has stays absent. */
export function addedStats(left: Stats, right: Stats): Stats {
  const sum: Stats = {};
  for (const counter of COUNTERS) {
    if (left[counter] === undefined && right[counter] === undefined) continue;
    sum[counter] = (left[counter] ?? 0) + (right[counter] ?? 0);
  }
  return sum;
}

function splitStats(stored: StoredStats): { earlier: Stats; current: Stats } {
  const { current, ...earlier } = stored;
  return { earlier, current: current ?? {} };
}
