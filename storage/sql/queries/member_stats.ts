/**
 * Counters of what members have done, in all their time.
 */
import type { SqlExecutor, SqlStatement } from "../port.ts";

export interface MemberStats {
  messagesIn: number;
  messagesOut: number;
  toolCalls: number;
  errors: number;
  uptimeMs: number;
}

export interface MemberStatsRow extends MemberStats {
  readonly memberId: string;
}

/** Reads the counters of a mesh's members; those who never did anything have none. */
export async function selectMemberStats(
  sql: SqlExecutor,
  meshId: string,
): Promise<MemberStatsRow[]> {
  return await sql.query<MemberStatsRow>(
    `select member_id as "memberId", messages_in as "messagesIn", messages_out as "messagesOut",
       tool_calls as "toolCalls", errors, uptime_ms as "uptimeMs"
     from mesh.member_stats where mesh_id = $1`,
    [meshId],
  );
}

/** Writes counters as they are now. */
export function storeMemberStats(meshId: string, rows: readonly MemberStatsRow[]): SqlStatement {
  return {
    text: `insert into mesh.member_stats (member_id, mesh_id, messages_in, messages_out, tool_calls,
       errors, uptime_ms)
     select member_id, $1, messages_in, messages_out, tool_calls, errors, uptime_ms
     from unnest($2::text[], $3::int8[], $4::int8[], $5::int8[], $6::int8[], $7::int8[])
       as row (member_id, messages_in, messages_out, tool_calls, errors, uptime_ms)
     on conflict (member_id) do update set messages_in = excluded.messages_in,
       messages_out = excluded.messages_out, tool_calls = excluded.tool_calls,
       errors = excluded.errors, uptime_ms = excluded.uptime_ms`,
    params: [
      meshId,
      rows.map((row) => row.memberId),
      rows.map((row) => row.messagesIn),
      rows.map((row) => row.messagesOut),
      rows.map((row) => row.toolCalls),
      rows.map((row) => row.errors),
      rows.map((row) => row.uptimeMs),
    ],
  };
}
