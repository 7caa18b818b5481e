/**
 * Presences: one row for each time a session came, kept so that a broker that starts again knows who was connected.
 */
import type { Group, Status } from "../../../broker/api/fields.ts";
import type { SqlExecutor, SqlStatement } from "../port.ts";

/** A row of `mesh.presence`; times in milliseconds. */
export interface PresenceRow {
  readonly id: string;
  readonly memberId: string;
  readonly sessionId: string;
  readonly sessionPubkey: string | null;
  readonly displayName: string;
  readonly pid: number;
  readonly cwd: string;
  readonly hostname: string | null;
  readonly peerType: string | null;
  readonly channel: string | null;
  readonly model: string | null;
  readonly role: "control-plane" | "session";
  readonly status: Status;
  readonly statusSource: "hook" | "manual" | "jsonl";
  readonly statusAtMs: number;
  readonly summary: string | null;
  readonly groups: readonly Group[];
  readonly connectedAtMs: number;
  readonly lastSeenAtMs: number;
  /** null while the session is live or leased. */
  readonly disconnectedAtMs: number | null;
}

const COLUMNS = `id, member_id, session_id, session_pubkey, display_name, pid, cwd, hostname,
  peer_type, channel, model, role, status, status_source, status_updated_at, summary, groups,
  connected_at, last_ping_at, disconnected_at`;

/** Writes presences of a mesh, each as it is now. */
export function storePresences(meshId: string, rows: readonly PresenceRow[]): SqlStatement {
  return {
    text: `insert into mesh.presence (mesh_id, ${COLUMNS})
     select $1, "id", "memberId", "sessionId", "sessionPubkey", "displayName", "pid", "cwd",
       "hostname", "peerType", "channel", "model", "role", "status", "statusSource",
       to_timestamp("statusAtMs" / 1000.0), "summary", "groups",
       to_timestamp("connectedAtMs" / 1000.0), to_timestamp("lastSeenAtMs" / 1000.0),
       to_timestamp("disconnectedAtMs" / 1000.0)
     from jsonb_to_recordset($2::jsonb) as row ("id" text, "memberId" text, "sessionId" text,
       "sessionPubkey" text, "displayName" text, "pid" int4, "cwd" text, "hostname" text,
       "peerType" text, "channel" text, "model" text, "role" text, "status" text,
       "statusSource" text, "statusAtMs" float8, "summary" text, "groups" jsonb,
       "connectedAtMs" float8, "lastSeenAtMs" float8, "disconnectedAtMs" float8)
     on conflict (id) do update set session_pubkey = excluded.session_pubkey,
       display_name = excluded.display_name, pid = excluded.pid, cwd = excluded.cwd,
       hostname = excluded.hostname, peer_type = excluded.peer_type, channel = excluded.channel,
       model = excluded.model, role = excluded.role, status = excluded.status,
       status_source = excluded.status_source, status_updated_at = excluded.status_updated_at,
       summary = excluded.summary, groups = excluded.groups, last_ping_at = excluded.last_ping_at,
       disconnected_at = excluded.disconnected_at`,
    params: [meshId, JSON.stringify(rows)],
  };
}

/** Reads the presences of a mesh that were not ended, oldest first. */
export async function selectOpenPresences(
  executor: SqlExecutor,
  meshId: string,
): Promise<PresenceRow[]> {
  const rows = await executor.query<StoredPresence>(
    `select id, member_id as "memberId", session_id as "sessionId",
       session_pubkey as "sessionPubkey", display_name as "displayName", pid, cwd, hostname,
       peer_type as "peerType", channel, model, role, status, status_source as "statusSource",
       status_updated_at as "statusAt", summary, groups, connected_at as "connectedAt",
       last_ping_at as "lastSeenAt"
     from mesh.presence where mesh_id = $1 and disconnected_at is null order by connected_at`,
    [meshId],
  );
  return rows.map(({ statusAt, connectedAt, lastSeenAt, ...row }) => ({
    ...row,
    statusAtMs: statusAt.getTime(),
    connectedAtMs: connectedAt.getTime(),
    lastSeenAtMs: lastSeenAt.getTime(),
    disconnectedAtMs: null,
  }));
}

/** Forgets presences that ended before `beforeMs`, in every mesh. */
export function deleteEndedPresences(beforeMs: number): SqlStatement {
  return {
    text: "delete from mesh.presence where disconnected_at < $1",
    params: [new Date(beforeMs)],
  };
}

type StoredPresence =
  & Omit<PresenceRow, "statusAtMs" | "connectedAtMs" | "lastSeenAtMs" | "disconnectedAtMs">
  & { readonly statusAt: Date; readonly connectedAt: Date; readonly lastSeenAt: Date };
