/**
 * Writes what is published. While one transaction of a mesh runs, more events pile up; the next takes all of them, so that
 * numbers are given in the order of commits and a busy stream costs few commits.
 */
import {
  appendStreamEvents,
  countStreams,
  findStream,
  insertStream,
  type NewStreamEvent,
  type StreamEventRow,
} from "../../../storage/sql/queries/streams.ts";
import type { SqlExecutor } from "../../../storage/sql/port.ts";
import { MeshError } from "../../api/errors.ts";
import type { Limits } from "../../api/limits.ts";
import type { Clock, Random } from "../clock.ts";
import type { AuditEntry, Ledger } from "../ledger.ts";
import type { Member, Mesh, Session } from "../model.ts";
import type { StreamHub } from "./stream_hub.ts";

/** What one transaction takes at most. */
const MAX_EVENTS = 256;
const MAX_CHARS = 2 * 1_048_576;

export interface StreamWriterParts {
  readonly ledger: Pick<Ledger, "transact">;
  readonly hub: Pick<StreamHub, "published">;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: Limits;
}

/** What became of an event. */
export interface Published {
  readonly seq: number;
  /** The stream was made by it. */
  readonly created: boolean;
}

interface Waiting {
  readonly name: string;
  readonly publisher: Member;
  readonly event: NewStreamEvent;
  readonly resolve: (published: Published) => void;
  readonly reject: (error: unknown) => void;
}

/** What one stream got in one transaction. */
interface Written {
  readonly name: string;
  readonly jobs: readonly Waiting[];
  /** The events with their numbers, or why there are none. */
  readonly outcome: { rows: readonly StreamEventRow[]; created: boolean } | { error: MeshError };
}

interface MeshQueue {
  readonly waiting: Waiting[];
  running: boolean;
}

export class StreamWriter {
  readonly #parts: StreamWriterParts;
  readonly #queues = new Map<Mesh, MeshQueue>();

  constructor(parts: StreamWriterParts) {
    this.#parts = parts;
  }

  /**
   * Appends an event to a stream, which is made if there is none; resolves after the commit.
   * @param data JSON text.
   * @throws {MeshError} `limit` when the mesh has as many streams as it may; `unavailable`, `storage_full`, `internal`.
   */
  publish(session: Session, name: string, data: string): Promise<Published> {
    const { member } = session;
    const event = {
      data,
      memberId: member.id,
      sessionId: session.id,
      publishedBy: session.displayName,
      publishedByKey: member.pubkey,
      publishedAtMs: this.#parts.clock.now(),
    };
    return new Promise((resolve, reject) => {
      const queue = this.#queues.get(member.mesh) ?? { waiting: [], running: false };
      this.#queues.set(member.mesh, queue);
      queue.waiting.push({ name, publisher: member, event, resolve, reject });
      if (!queue.running) void this.#run(member.mesh, queue);
    });
  }

  async #run(mesh: Mesh, queue: MeshQueue): Promise<void> {
    queue.running = true;
    while (queue.waiting.length > 0) {
      const jobs = takeSome(queue.waiting);
      try {
        const written = await this.#parts.ledger.transact(
          mesh,
          (tx) => this.#write(tx, mesh, jobs),
        );
        for (const each of written) this.#tell(mesh, each);
      } catch (error) {
        for (const job of jobs) job.reject(error);
      }
    }
    this.#queues.delete(mesh);
  }

  async #write(
    tx: SqlExecutor,
    mesh: Mesh,
    jobs: readonly Waiting[],
  ): Promise<{ result: Written[]; audits: AuditEntry[] }> {
    const result: Written[] = [];
    const audits: AuditEntry[] = [];
    const byName = Map.groupBy(jobs, (job) => job.name);
    for (const [name, own] of byName) {
      const stream = await this.#stream(tx, mesh, own[0]!, audits);
      if ("error" in stream) {
        result.push({ name, jobs: own, outcome: stream });
        continue;
      }
      const events = own.map((job) => job.event);
      const target = { meshId: mesh.id, streamId: stream.id };
      const { streamKeptEvents } = this.#parts.limits;
      const firstSeq = await appendStreamEvents(tx, target, events, streamKeptEvents);
      if (firstSeq === null) throw new Error("a stream went away inside a transaction");
      const rows = events.map((event, index) => ({ ...event, seq: firstSeq + index }));
      result.push({ name, jobs: own, outcome: { rows, created: stream.created } });
      audits.push(...publishedAudits(stream.id, own, rows));
    }
    return { result, audits };
  }

  /** The id of the stream that a job names; it is made when the mesh has room for it. */
  async #stream(
    tx: SqlExecutor,
    mesh: Mesh,
    { name, publisher, event }: Waiting,
    audits: AuditEntry[],
  ): Promise<{ id: string; created: boolean } | { error: MeshError }> {
    const known = await findStream(tx, mesh.id, name);
    if (known !== null) return { id: known.id, created: false };
    const { random, clock, limits } = this.#parts;
    if (await countStreams(tx, mesh.id) >= limits.streamsPerMesh) {
      return { error: tooManyStreams(limits.streamsPerMesh) };
    }
    const id = random.id();
    await insertStream(tx, {
      id,
      meshId: mesh.id,
      name,
      memberId: publisher.id,
      memberName: event.publishedBy,
      createdAtMs: clock.now(),
    });
    audits.push({ event: "stream_created", actor: publisher, payload: { streamId: id, name } });
    return { id, created: true };
  }

  #tell(mesh: Mesh, { name, jobs, outcome }: Written): void {
    if ("error" in outcome) {
      for (const job of jobs) job.reject(outcome.error);
      return;
    }
    this.#parts.hub.published(mesh, name, outcome.rows);
    for (const [index, job] of jobs.entries()) {
      job.resolve({ seq: outcome.rows[index]!.seq, created: outcome.created && index === 0 });
    }
  }
}

/** The error for one stream more than a mesh may have. */
export function tooManyStreams(limit: number): MeshError {
  return new MeshError("limit", `this mesh has its ${limit} streams; delete one first`, {
    data: { limit },
  });
}

/** Takes the first events in line, as many as one transaction may have. */
function takeSome(waiting: Waiting[]): Waiting[] {
  let count = 0;
  let chars = 0;
  while (count < waiting.length && count < MAX_EVENTS && chars < MAX_CHARS) {
    chars += waiting[count]!.event.data.length;
    count += 1;
  }
  return waiting.splice(0, count);
}

/** One audit row for what one member published to one stream in one transaction. */
function publishedAudits(
  streamId: string,
  jobs: readonly Waiting[],
  rows: readonly StreamEventRow[],
): AuditEntry[] {
  const byMember = new Map<Member, StreamEventRow[]>();
  for (const [index, { publisher }] of jobs.entries()) {
    const own = byMember.get(publisher) ?? [];
    byMember.set(publisher, own);
    own.push(rows[index]!);
  }
  return [...byMember].map(([actor, own]) => {
    const chars = own.reduce((sum, row) => sum + row.data.length, 0);
    const [first, last] = [own[0]!.seq, own.at(-1)!.seq];
    const payload = { streamId, events: own.length, firstSeq: first, lastSeq: last, chars };
    return { event: "stream_published", actor, payload };
  });
}
