/**
 * What a session gets back when it returns: groups, profile, visibility, summary and counters, by member and session id.
 */
import type { Group } from "../../../broker/api/fields.ts";
import type { Profile, Stats } from "../../../broker/api/presence.ts";
import type { SqlExecutor, SqlStatement } from "../port.ts";

/** Counters of a session: those of its ended lives summed up, and those of the life that goes on. */
export interface StoredStats extends Stats {
  readonly current?: Stats;
}

/** A row of `mesh.peer_state`. */
export interface PeerStateRow {
  readonly memberId: string;
  readonly sessionId: string;
  readonly groups: readonly Group[];
  readonly profile: Profile;
  readonly visible: boolean;
  readonly summary: string | null;
  readonly displayName: string | null;
  readonly stats: StoredStats;
  readonly lastSeenAtMs: number;
}

/** Writes the states of sessions of a mesh, each as it is now. */
export function storePeerStates(meshId: string, rows: readonly PeerStateRow[]): SqlStatement {
  return {
    text: `insert into mesh.peer_state (mesh_id, member_id, session_id, groups, profile, visible,
       last_summary, last_display_name, cumulative_stats, last_seen_at)
     select $1, "memberId", "sessionId", "groups", "profile", "visible", "summary", "displayName",
       "stats", to_timestamp("lastSeenAtMs" / 1000.0)
     from jsonb_to_recordset($2::jsonb) as row ("memberId" text, "sessionId" text, "groups" jsonb,
       "profile" jsonb, "visible" bool, "summary" text, "displayName" text, "stats" jsonb,
       "lastSeenAtMs" float8)
     on conflict (member_id, session_id) do update set groups = excluded.groups,
       profile = excluded.profile, visible = excluded.visible,
       last_summary = excluded.last_summary, last_display_name = excluded.last_display_name,
       cumulative_stats = excluded.cumulative_stats, last_seen_at = excluded.last_seen_at`,
    params: [meshId, JSON.stringify(rows)],
  };
}

/** Reads the states of a mesh's sessions, `perMember` of each member at most, the last seen ones. */
export async function selectPeerStates(
  executor: SqlExecutor,
  meshId: string,
  perMember: number,
): Promise<PeerStateRow[]> {
  const rows = await executor.query<StoredPeerState>(
    `select * from (
       select member_id as "memberId", session_id as "sessionId", groups, profile, visible,
         last_summary as summary, last_display_name as "displayName", cumulative_stats as stats,
         last_seen_at as "lastSeenAt",
         row_number() over (partition by member_id order by last_seen_at desc) as place
       from mesh.peer_state where mesh_id = $1
     ) as state where place <= $2 order by "lastSeenAt"`,
    [meshId, perMember],
  );
  return rows.map(({ lastSeenAt, place: _place, ...row }) => ({
    ...row,
    lastSeenAtMs: lastSeenAt.getTime(),
  }));
}

/** Forgets sessions that are gone and were not seen since `beforeMs`, in every mesh. */
export function deleteOldPeerStates(beforeMs: number): SqlStatement {
  return {
    text: `delete from mesh.peer_state where last_seen_at < $1 and not exists (
       select from mesh.presence where presence.member_id = peer_state.member_id
         and presence.session_id = peer_state.session_id and disconnected_at is null)`,
    params: [new Date(beforeMs)],
  };
}

type StoredPeerState = Omit<PeerStateRow, "lastSeenAtMs"> & {
  readonly lastSeenAt: Date;
  readonly place: number;
};
