/**
 * Named live data streams: who may do what, and how answers look. Writing and following are `broker/core/streams`.
 */
import { Buffer } from "node:buffer";
import {
  countStreams,
  deleteStream,
  findStream,
  insertStream,
  listStreams,
  readStreamEvents,
  type StreamEventRow,
  type StreamRow,
} from "../../storage/sql/queries/streams.ts";
import type { SqlExecutor } from "../../storage/sql/port.ts";
import { MeshError } from "../api/errors.ts";
import type { Handlers } from "../api/op.ts";
import type { StreamEvent, streams as contract } from "../api/streams.ts";
import type { Call } from "../core/context.ts";
import { unknownStream } from "../core/streams/stream_hub.ts";
import { tooManyStreams } from "../core/streams/stream_writer.ts";

/** An answer stays well below what a connection may have unsent. */
const HISTORY_BYTES = 524_288;

type Created = Awaited<ReturnType<Handlers<typeof contract, Call>["createStream"]>>;

export const streams: Handlers<typeof contract, Call> = {
  async createStream({ broker, connection: { mesh, member, session } }, { name }) {
    const id = broker.random.id();
    return await broker.ledger.transact<Created>(mesh, async (tx) => {
      const known = await findStream(tx, mesh.id, name);
      if (known !== null) return { result: { id: known.id, name, created: false }, audits: [] };
      const limit = broker.settings.limits.streamsPerMesh;
      if (await countStreams(tx, mesh.id) >= limit) throw tooManyStreams(limit);
      await insertStream(tx, {
        id,
        meshId: mesh.id,
        name,
        memberId: member.id,
        memberName: session.displayName,
        createdAtMs: broker.clock.now(),
      });
      const audits = [{ event: "stream_created", actor: member, payload: { streamId: id, name } }];
      return { result: { id, name, created: true }, audits };
    });
  },

  async publish({ broker, connection: { session, member } }, { stream, data }) {
    const { limits } = broker.settings;
    const rate = {
      perMinute: limits.streamPublishesPerMinute,
      burst: limits.streamPublishBurst,
    };
    broker.rates.require(`publish ${member.id}`, rate, "stream events");
    const text = JSON.stringify(data);
    const bytes = Buffer.byteLength(text);
    if (bytes > limits.streamEventBytes) {
      const limit = limits.streamEventBytes;
      throw new MeshError(
        "too_large",
        `the event has ${bytes} bytes as JSON, at most ${limit} are taken; share a file instead`,
        { data: { limit } },
      );
    }
    const { seq, created } = await broker.streamWriter.publish(session, stream, text);
    broker.metrics.messagesRouted.inc({ priority: "stream" });
    return { stream, seq, created };
  },

  async subscribe({ broker, connection }, { stream, from, includeOwn }) {
    return { stream, ...await broker.streams.subscribe(connection, stream, { from, includeOwn }) };
  },

  unsubscribe({ broker, connection }, { stream }) {
    const subscribed = broker.streams.unsubscribe(connection, stream);
    return Promise.resolve({ stream, subscribed });
  },

  async listStreams({ broker, connection }) {
    const { mesh } = connection;
    const rows = await listStreams(broker.sql, mesh.id, broker.settings.limits.streamsPerMesh);
    return {
      streams: rows.map(({ id, name, firstSeq, lastSeq, ...row }) => ({
        id,
        name,
        createdBy: row.createdByName,
        createdAt: row.createdAt.toISOString(),
        subscriberCount: broker.streams.countOf(mesh, name),
        firstSeq,
        lastSeq,
        lastPublishedAt: row.lastPublishedAt?.toISOString() ?? null,
        subscribed: broker.streams.isSubscribed(connection, name),
      })),
    };
  },

  async streamHistory({ broker, connection: { mesh } }, { stream: name, from, limit }) {
    const { id, firstSeq, lastSeq } = await required(broker.sql, mesh.id, name);
    const begin = from ?? Math.max(firstSeq, lastSeq - limit + 1);
    const where = { meshId: mesh.id, streamId: id };
    const rows = await readStreamEvents(broker.sql, where, begin, limit, HISTORY_BYTES);
    const next = (rows.at(-1)?.seq ?? lastSeq) + 1;
    return {
      stream: name,
      firstSeq,
      lastSeq,
      next: next <= lastSeq ? next : null,
      events: rows.map(shown),
    };
  },

  async deleteStream({ broker, connection: { mesh, member } }, { stream: name }) {
    const id = await broker.ledger.transact(mesh, async (tx) => {
      const found = await required(tx, mesh.id, name);
      if (found.createdByMemberId !== member.id && member.role === "member") {
        throw new MeshError(
          "forbidden",
          `"${name}" was made by ${found.createdByName}, who may delete it; so may owners and admins`,
        );
      }
      await deleteStream(tx, mesh.id, found.id);
      const payload = { streamId: found.id, name, lastSeq: found.lastSeq };
      return { result: found.id, audits: [{ event: "stream_deleted", actor: member, payload }] };
    });
    broker.streams.ended(mesh, name, id);
    return { stream: name, id };
  },
};

async function required(executor: SqlExecutor, meshId: string, name: string): Promise<StreamRow> {
  const found = await findStream(executor, meshId, name);
  if (found === null) throw unknownStream(name);
  return found;
}

function shown(row: StreamEventRow): StreamEvent {
  return {
    seq: row.seq,
    data: JSON.parse(row.data),
    publishedBy: row.publishedBy,
    publishedByKey: row.publishedByKey,
    publishedAt: new Date(row.publishedAtMs).toISOString(),
  };
}
