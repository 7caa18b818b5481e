/**
 * Streams and their kept events. Numbers are given here, inside the transaction that writes the events, so that they
 * have no holes; the broker is the only writer and writes one batch at a time.
 */
import type { SqlExecutor } from "../port.ts";

/** A row of `mesh.stream`. */
export interface StreamRow {
  readonly id: string;
  readonly name: string;
  readonly createdByMemberId: string;
  readonly createdByName: string;
  readonly createdAt: Date;
  /** The oldest kept event; one past `lastSeq` when there is none. */
  readonly firstSeq: number;
  /** 0 before the first event. */
  readonly lastSeq: number;
  readonly lastPublishedAt: Date | null;
}

/** A kept event; `data` is JSON text. */
export interface StreamEventRow {
  readonly seq: number;
  readonly data: string;
  readonly memberId: string;
  readonly sessionId: string;
  readonly publishedBy: string;
  readonly publishedByKey: string;
  readonly publishedAtMs: number;
}

const COLUMNS = `id, name, created_by_member_id as "createdByMemberId",
  created_by_name as "createdByName", created_at as "createdAt",
  coalesce((select min(seq) from mesh.stream_event where stream_id = stream.id), last_seq + 1)
    as "firstSeq",
  last_seq as "lastSeq", last_published_at as "lastPublishedAt"`;
const EVENT_COLUMNS = `seq, data, member_id as "memberId", session_id as "sessionId",
  published_by_name as "publishedBy", published_by_pubkey as "publishedByKey",
  published_at as "publishedAt"`;

/** The stream of this name, null when the mesh has none. */
export async function findStream(
  executor: SqlExecutor,
  meshId: string,
  name: string,
): Promise<StreamRow | null> {
  const rows = await executor.query<StreamRow>(
    `select ${COLUMNS} from mesh.stream where mesh_id = $1 and name = $2`,
    [meshId, name],
  );
  return rows[0] ?? null;
}

/** The streams of a mesh by name, at most `limit`. */
export async function listStreams(
  executor: SqlExecutor,
  meshId: string,
  limit: number,
): Promise<StreamRow[]> {
  return await executor.query<StreamRow>(
    `select ${COLUMNS} from mesh.stream where mesh_id = $1 order by name limit $2`,
    [meshId, limit],
  );
}

/** How many streams a mesh has. */
export async function countStreams(executor: SqlExecutor, meshId: string): Promise<number> {
  const rows = await executor.query<{ count: number }>(
    "select count(*) as count from mesh.stream where mesh_id = $1",
    [meshId],
  );
  return rows[0]?.count ?? 0;
}

/** Writes a new stream; its name must be free. */
export async function insertStream(
  executor: SqlExecutor,
  stream: {
    readonly id: string;
    readonly meshId: string;
    readonly name: string;
    readonly memberId: string;
    readonly memberName: string;
    readonly createdAtMs: number;
  },
): Promise<void> {
  await executor.query(
    `insert into mesh.stream (id, mesh_id, name, created_by_member_id, created_by_name, created_at)
     values ($1, $2, $3, $4, $5, $6)`,
    [
      stream.id,
      stream.meshId,
      stream.name,
      stream.memberId,
      stream.memberName,
      new Date(stream.createdAtMs),
    ],
  );
}

/** Deletes a stream and its events. */
export async function deleteStream(
  executor: SqlExecutor,
  meshId: string,
  streamId: string,
): Promise<void> {
  await executor.query("delete from mesh.stream where mesh_id = $1 and id = $2", [
    meshId,
    streamId,
  ]);
}

/** An event as it is handed in; the store gives the number. */
export type NewStreamEvent = Omit<StreamEventRow, "seq">;

/**
 * Appends events to a stream in their order and forgets all but the newest `keep`.
 * @returns the number of the first one; null when the stream is gone.
 */
export async function appendStreamEvents(
  executor: SqlExecutor,
  stream: { readonly meshId: string; readonly streamId: string },
  events: readonly NewStreamEvent[],
  keep: number,
): Promise<number | null> {
  const { meshId, streamId } = stream;
  const lastAtMs = events.at(-1)?.publishedAtMs ?? 0;
  const rows = await executor.query<{ lastSeq: number }>(
    `with moved as (
       update mesh.stream set last_seq = last_seq + $3, last_published_at = $4
        where mesh_id = $1 and id = $2 returning id, last_seq
     ), written as (
       insert into mesh.stream_event (stream_id, seq, mesh_id, data, member_id, session_id,
         published_by_name, published_by_pubkey, published_at)
       select moved.id, moved.last_seq - $3 + w.place, $1, w.data, w.member_id, w.session_id,
         w.name, w.pubkey, 'epoch'::timestamptz + w.at_ms * interval '1 millisecond'
       from moved, unnest($5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::int8[])
         with ordinality as w (data, member_id, session_id, name, pubkey, at_ms, place)
     )
     select last_seq as "lastSeq" from moved`,
    [
      meshId,
      streamId,
      events.length,
      new Date(lastAtMs),
      events.map((event) => event.data),
      events.map((event) => event.memberId),
      events.map((event) => event.sessionId),
      events.map((event) => event.publishedBy),
      events.map((event) => event.publishedByKey),
      events.map((event) => event.publishedAtMs),
    ],
  );
  const [row] = rows;
  if (row === undefined) return null;
  await executor.query(
    "delete from mesh.stream_event where mesh_id = $1 and stream_id = $2 and seq <= $3",
    [meshId, streamId, row.lastSeq - keep],
  );
  return row.lastSeq - events.length + 1;
}

/**
 * Reads kept events from a number on, oldest first: at most `limit`, and at least one, but no more than `maxBytes` of
 * data.
 */
export async function readStreamEvents(
  executor: SqlExecutor,
  stream: { readonly meshId: string; readonly streamId: string },
  from: number,
  limit: number,
  maxBytes: number,
): Promise<StreamEventRow[]> {
  const rows = await executor.query<Omit<StreamEventRow, "publishedAtMs"> & { publishedAt: Date }>(
    `select ${EVENT_COLUMNS} from (
       select *, sum(octet_length(data)) over (order by seq) as bytes,
         row_number() over (order by seq) as place
       from (select * from mesh.stream_event
         where mesh_id = $1 and stream_id = $2 and seq >= $3 order by seq limit $4) as page
     ) as counted where bytes <= $5 or place = 1 order by seq`,
    [stream.meshId, stream.streamId, from, limit, maxBytes],
  );
  return rows.map(({ publishedAt, ...row }) => ({ ...row, publishedAtMs: publishedAt.getTime() }));
}
