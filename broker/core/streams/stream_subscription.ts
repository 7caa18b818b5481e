/**
 * One connection that follows one stream: a position in the stream that only moves forward. New events go out at once
 * while the position is the newest; a connection that reads too slowly, or begins with older events, is served from the
 * store in its own pace. What the store does not keep any more is told as a gap, never left out in silence.
 */
import type { StreamEventRow } from "../../../storage/sql/queries/streams.ts";
import { streamsEvents } from "../../api/streams.ts";
import type { Connection } from "../model.ts";

/** What a subscription reads of its stream; `lastSeq` moves with every commit. */
export interface FollowedStream {
  readonly meshId: string;
  readonly name: string;
  streamId: string;
  lastSeq: number;
}

export interface SubscriptionParts {
  readonly connection: Connection;
  readonly stream: FollowedStream;
  /** Reads a page of kept events of the stream, from a number on. */
  readonly read: (from: number) => Promise<readonly StreamEventRow[]>;
  /** Above so many unsent bytes the connection has to read first. */
  readonly bufferBytes: number;
  /** Calls `resume` after a while. */
  readonly onWaiting: (subscription: StreamSubscription) => void;
}

export class StreamSubscription {
  readonly #parts: SubscriptionParts;
  #includeOwn = false;
  #next = 1;
  /**
   * "starting": its answer has not gone out; "live": at the newest event; "reading": fetches older ones; "waiting": the
   * connection, or the store, has to recover first.
   */
  #state: "starting" | "live" | "reading" | "waiting" | "closed" = "starting";

  constructor(parts: SubscriptionParts) {
    this.#parts = parts;
  }

  /** The next number that goes out. */
  get next(): number {
    return this.#next;
  }

  get isClosed(): boolean {
    return this.#state === "closed";
  }

  /** Sets where it stands, before it begins. */
  place(next: number, includeOwn: boolean): void {
    this.#next = next;
    this.#includeOwn = includeOwn;
  }

  /** Its answer has gone out: events may follow. */
  begin(): void {
    if (this.#state === "starting") void this.#read();
  }

  /** Nothing goes out any more. */
  close(): void {
    this.#state = "closed";
  }

  /** New events, numbered from `firstSeq` on, have been committed. */
  offer(firstSeq: number, rows: readonly StreamEventRow[], frames: readonly string[]): void {
    if (this.#state !== "live") return;
    // The store has events that nobody announced: the answer to their commit was lost.
    if (this.#next < firstSeq) return void this.#read();
    for (const [index, row] of rows.entries()) {
      if (!this.#send(row, frames[index]!)) return;
    }
  }

  /** Goes on if the connection has read enough meanwhile; says whether it need not wait any more. */
  resume(): boolean {
    if (this.#state !== "waiting") return true;
    if (!this.#parts.connection.open) this.close();
    else if (this.#hasRoom()) void this.#read();
    return this.#state !== "waiting";
  }

  /** Sends what is kept from the position on, until it is at the newest event. */
  async #read(): Promise<void> {
    const { stream, read, connection } = this.#parts;
    this.#state = "reading";
    try {
      while (this.#next <= stream.lastSeq) {
        if (!this.#hasRoom()) return this.#wait();
        const { lastSeq } = stream;
        const rows = await read(this.#next);
        if (this.isClosed || !connection.open) return;
        this.#tellGap((rows[0]?.seq ?? lastSeq + 1) - 1);
        for (const row of rows) {
          if (!this.#send(row, streamDataFrame(stream.name, row))) return;
        }
      }
      this.#state = "live";
    } catch {
      // The store does not answer; its own watch says so. Nothing is lost: the position stays.
      if (!this.isClosed) this.#wait();
    }
  }

  /** Sends one event unless it went out before; false when the connection has to read first. */
  #send(row: StreamEventRow, frame: string): boolean {
    if (row.seq < this.#next) return true;
    const { connection } = this.#parts;
    const isOwn = row.sessionId === connection.session.id && row.memberId === connection.member.id;
    if (!isOwn || this.#includeOwn) {
      if (!this.#hasRoom()) {
        this.#wait();
        return false;
      }
      connection.send(frame);
    }
    this.#next = row.seq + 1;
    return true;
  }

  #tellGap(to: number): void {
    if (to < this.#next) return;
    const { connection, stream } = this.#parts;
    const gap = { stream: stream.name, from: this.#next, to };
    connection.send(JSON.stringify({ type: streamsEvents.streamGap.wire, ...gap }));
    this.#next = to + 1;
  }

  #hasRoom(): boolean {
    return this.#parts.connection.unsentBytes <= this.#parts.bufferBytes;
  }

  #wait(): void {
    this.#state = "waiting";
    this.#parts.onWaiting(this);
  }
}

/** The `stream_data` frame of an event; its data is JSON already. */
export function streamDataFrame(stream: string, row: StreamEventRow): string {
  const head = JSON.stringify({
    type: streamsEvents.streamData.wire,
    stream,
    seq: row.seq,
    publishedBy: row.publishedBy,
    publishedByKey: row.publishedByKey,
    publishedAt: new Date(row.publishedAtMs).toISOString(),
  });
  return `${head.slice(0, -1)},"data":${row.data}}`;
}
