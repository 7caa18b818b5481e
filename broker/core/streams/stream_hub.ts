/**
 * Who follows which stream at the moment. Subscriptions belong to connections and live in memory: an agent that comes
 * back subscribes again from the number that it saw last.
 */
import type { SqlExecutor } from "../../../storage/sql/port.ts";
import {
  findStream,
  readStreamEvents,
  type StreamEventRow,
  type StreamRow,
} from "../../../storage/sql/queries/streams.ts";
import { MeshError } from "../../api/errors.ts";
import type { Limits } from "../../api/limits.ts";
import { streamsEvents } from "../../api/streams.ts";
import type { CancelTimer, Clock } from "../clock.ts";
import type { Connection, Mesh } from "../model.ts";
import { type FollowedStream, streamDataFrame, StreamSubscription } from "./stream_subscription.ts";

/** How often connections that read too slowly are looked at. */
const RESUME_MS = 100;
/** As much is read from the store at once. */
const PAGE_EVENTS = 128;
const PAGE_BYTES = 524_288;

/** Streams as they are stored. */
export interface StreamStore {
  find(
    meshId: string,
    name: string,
  ): Promise<Pick<StreamRow, "id" | "firstSeq" | "lastSeq"> | null>;
  /** A page of kept events from a number on, oldest first; none when there are none. */
  read(
    stream: { readonly meshId: string; readonly streamId: string },
    from: number,
  ): Promise<readonly StreamEventRow[]>;
}

/** The streams of a database. */
export function sqlStreamStore(sql: SqlExecutor): StreamStore {
  return {
    find: (meshId, name) => findStream(sql, meshId, name),
    read: (stream, from) => readStreamEvents(sql, stream, from, PAGE_EVENTS, PAGE_BYTES),
  };
}

export interface StreamHubParts {
  readonly store: StreamStore;
  readonly clock: Clock;
  readonly limits: Limits;
}

/** Where a subscription begins. */
export interface SubscribedFrom {
  readonly id: string;
  readonly from: number;
  readonly lastSeq: number;
  readonly gap: { readonly from: number; readonly to: number } | null;
}

interface Followed extends FollowedStream {
  readonly subscriptions: Map<Connection, StreamSubscription>;
}

export class StreamHub {
  readonly #parts: StreamHubParts;
  /** Followed streams only, by name. */
  readonly #meshes = new Map<Mesh, Map<string, Followed>>();
  readonly #byConnection = new Map<Connection, Set<Followed>>();
  readonly #waiting = new Set<StreamSubscription>();
  #cancelResume: CancelTimer = () => {};

  constructor(parts: StreamHubParts) {
    this.#parts = parts;
  }

  /**
   * Lets a connection follow a stream. Without `from` only what comes is sent; a connection that follows it already goes
   * on where it is then.
   * @throws {MeshError} `not_found`, or `limit` when the stream has as many subscribers as it may.
   */
  async subscribe(
    connection: Connection,
    name: string,
    { from, includeOwn }: { from?: number | undefined; includeOwn: boolean },
  ): Promise<SubscribedFrom> {
    const { clock } = this.#parts;
    // First, so that no commit during the look-up is missed.
    const followed = this.#followed(connection.mesh, name);
    const known = followed.subscriptions.get(connection);
    const subscription = this.#enter(connection, followed);
    const row = await this.#look(connection, followed);
    if (subscription.isClosed || row === null) {
      if (followed.subscriptions.get(connection) === subscription) {
        this.#leave(connection, followed);
      }
      throw unknownStream(name);
    }
    followed.streamId = row.id;
    followed.lastSeq = Math.max(followed.lastSeq, row.lastSeq);
    const wanted = from ?? known?.next ?? row.lastSeq + 1;
    const next = Math.min(Math.max(wanted, row.firstSeq), row.lastSeq + 1);
    subscription.place(next, includeOwn);
    clock.after(0, () => subscription.begin());
    const gap = next > wanted ? { from: wanted, to: next - 1 } : null;
    return { id: row.id, from: next, lastSeq: row.lastSeq, gap };
  }

  /** Ends a subscription; says whether there was one. */
  unsubscribe(connection: Connection, name: string): boolean {
    const followed = this.#meshes.get(connection.mesh)?.get(name);
    if (followed === undefined || !followed.subscriptions.has(connection)) return false;
    this.#leave(connection, followed);
    return true;
  }

  /** How many connections follow a stream. */
  countOf(mesh: Mesh, name: string): number {
    return this.#meshes.get(mesh)?.get(name)?.subscriptions.size ?? 0;
  }

  isSubscribed(connection: Connection, name: string): boolean {
    return this.#meshes.get(connection.mesh)?.get(name)?.subscriptions.has(connection) ?? false;
  }

  /** Events of a stream were committed; call it in the order of their numbers. */
  published(mesh: Mesh, name: string, rows: readonly StreamEventRow[]): void {
    const followed = this.#meshes.get(mesh)?.get(name);
    const [first, last] = [rows[0], rows.at(-1)];
    if (followed === undefined || first === undefined || last === undefined) return;
    followed.lastSeq = Math.max(followed.lastSeq, last.seq);
    const frames = rows.map((row) => streamDataFrame(name, row));
    for (const subscription of followed.subscriptions.values()) {
      subscription.offer(first.seq, rows, frames);
    }
  }

  /** A stream was deleted: its subscribers are told, and follow it no more. */
  ended(mesh: Mesh, name: string, id: string): void {
    const followed = this.#meshes.get(mesh)?.get(name);
    if (followed === undefined) return;
    const frame = JSON.stringify({ type: streamsEvents.streamEnded.wire, stream: name, id });
    for (const connection of [...followed.subscriptions.keys()]) {
      this.#leave(connection, followed);
      connection.send(frame);
    }
  }

  /** A connection is gone, and its subscriptions with it. */
  connectionClosed(connection: Connection): void {
    for (const followed of [...this.#byConnection.get(connection) ?? []]) {
      this.#leave(connection, followed);
    }
  }

  /** Sends nothing any more. */
  close(): void {
    this.#cancelResume();
    this.#waiting.clear();
    for (const connection of [...this.#byConnection.keys()]) this.connectionClosed(connection);
  }

  async #look(connection: Connection, followed: Followed) {
    try {
      return await this.#parts.store.find(followed.meshId, followed.name);
    } catch (error) {
      this.#leave(connection, followed);
      throw error;
    }
  }

  #followed(mesh: Mesh, name: string): Followed {
    const streams = this.#meshes.get(mesh) ?? new Map<string, Followed>();
    this.#meshes.set(mesh, streams);
    const known = streams.get(name);
    if (known !== undefined) return known;
    const made = { meshId: mesh.id, name, streamId: "", lastSeq: 0, subscriptions: new Map() };
    streams.set(name, made);
    return made;
  }

  #enter(connection: Connection, followed: Followed): StreamSubscription {
    const { store, limits } = this.#parts;
    const known = followed.subscriptions.get(connection);
    if (known === undefined && followed.subscriptions.size >= limits.streamSubscribers) {
      const limit = limits.streamSubscribers;
      throw new MeshError("limit", `"${followed.name}" has its ${limit} subscribers; try later`, {
        data: { limit },
      });
    }
    known?.close();
    const subscription = new StreamSubscription({
      connection,
      stream: followed,
      read: (from) => store.read(followed, from),
      bufferBytes: limits.streamBufferBytes,
      onWaiting: (waiting) => this.#wait(waiting),
    });
    followed.subscriptions.set(connection, subscription);
    const own = this.#byConnection.get(connection) ?? new Set();
    this.#byConnection.set(connection, own.add(followed));
    return subscription;
  }

  #leave(connection: Connection, followed: Followed): void {
    const subscription = followed.subscriptions.get(connection);
    subscription?.close();
    followed.subscriptions.delete(connection);
    const own = this.#byConnection.get(connection);
    own?.delete(followed);
    if (own?.size === 0) this.#byConnection.delete(connection);
    if (followed.subscriptions.size > 0) return;
    const streams = this.#meshes.get(connection.mesh);
    if (streams?.get(followed.name) === followed) streams.delete(followed.name);
    if (streams?.size === 0) this.#meshes.delete(connection.mesh);
  }

  #wait(subscription: StreamSubscription): void {
    if (this.#waiting.size === 0) {
      this.#cancelResume = this.#parts.clock.after(RESUME_MS, () => this.#resumeWaiting());
    }
    this.#waiting.add(subscription);
  }

  #resumeWaiting(): void {
    const waiting = [...this.#waiting];
    // Who has to wait on enters the set again.
    this.#waiting.clear();
    for (const subscription of waiting) {
      if (!subscription.resume()) this.#wait(subscription);
    }
  }
}

/** The error for a name that no stream of the mesh has. */
export function unknownStream(name: string): MeshError {
  return new MeshError(
    "not_found",
    `this mesh has no stream "${name}"; list_streams shows them, create_stream makes one`,
  );
}
