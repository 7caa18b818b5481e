/**
 * One mesh's embedded database: opened when there is something to do, one statement at a time in the order they came,
 * ended when one takes too long (the next finds it opened again), closed when it is idle.
 */
import { SqlError } from "../sql/port.ts";
import { EmbeddedChannel } from "./embedded_channel.ts";
import type { EmbeddedAnswers, EmbeddedCommand } from "./embedded_messages.ts";
import { pathExists } from "../path_exists.ts";

/** Statements that may wait for the one under way. */
const MAX_WAITING = 64;
/** Copying it and crash recovery included. */
const OPEN_TIMEOUT_MS = 60_000;
const CLOSE_TIMEOUT_MS = 10_000;
const MAINTENANCE_TIMEOUT_MS = 60_000;
/** After so long a database makes room for others that wait, even when it has more to do. */
const TURN_MS = 3_000;

export interface EmbeddedDatabaseParts {
  readonly folder: string;
  readonly schema: string;
  readonly diskBytes: number;
  readonly idleMs: number;
  /** The folder to copy a new database from. */
  template(): Promise<string>;
  /** Resolves when this database may be opened. */
  admit(): Promise<void>;
  /** Whether others wait for a place. */
  isPlaceWanted(): boolean;
  /** Called whenever there is nothing left to do. */
  onQuiet(): void;
}

export class EmbeddedDatabase {
  readonly #parts: EmbeddedDatabaseParts;
  #channel: EmbeddedChannel | null = null;
  #openedAtMs = 0;
  #turn: Promise<void> = Promise.resolve();
  #waiting = 0;
  #idleTimer: ReturnType<typeof setTimeout> | null = null;
  #closed = false;

  constructor(parts: EmbeddedDatabaseParts) {
    this.#parts = parts;
  }

  /** Whether it takes up one of the places for open databases. */
  get isOpen(): boolean {
    return this.#channel !== null;
  }

  /** Whether there is nothing to do. */
  get isQuiet(): boolean {
    return this.#waiting === 0;
  }

  /**
   * Runs a command after those before it.
   * @param timeoutMs for the command itself, without the wait.
   * @throws {SqlError} as the command failed; `timeout`, `unavailable`.
   */
  async request<Kind extends "batch" | "run">(
    command: EmbeddedCommand & { readonly kind: Kind },
    timeoutMs: number,
  ): Promise<EmbeddedAnswers[Kind]> {
    if (this.#waiting > MAX_WAITING) {
      throw new SqlError("unavailable", `${MAX_WAITING} statements wait for this mesh's database`);
    }
    return await this.#inTurn(async () => {
      const channel = await this.#opened();
      try {
        return await channel.request<Kind>(command, timeoutMs);
      } finally {
        await this.#dropIfDead();
        await this.#maintain();
      }
    });
  }

  /** Closes the process when it has nothing to do; the next command opens it again. */
  async shut(): Promise<void> {
    if (this.isQuiet) await this.#inTurn(() => this.#shutDown());
  }

  /** Ends whatever runs and closes for good. */
  async close(): Promise<void> {
    this.#closed = true;
    if (!this.isQuiet) await this.#channel?.terminate();
    await this.#inTurn(() => this.#shutDown());
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    this.#waiting++;
    this.#stopIdleTimer();
    const result = this.#turn.then(work);
    this.#turn = result.then(() => {}, () => {});
    try {
      return await result;
    } finally {
      this.#waiting--;
      if (this.isQuiet) this.#quiet();
    }
  }

  #quiet(): void {
    if (this.#channel !== null && !this.#closed) {
      const timer = this.#idleTimer = setTimeout(() => void this.shut(), this.#parts.idleMs);
      Deno.unrefTimer(timer);
    }
    this.#parts.onQuiet();
  }

  #stopIdleTimer(): void {
    if (this.#idleTimer !== null) clearTimeout(this.#idleTimer);
    this.#idleTimer = null;
  }

  async #opened(): Promise<EmbeddedChannel> {
    if (this.#closed) throw new SqlError("unavailable", "the broker is stopping");
    await this.#dropIfDead();
    if (this.#channel !== null) {
      // A mesh that always has something to do must not keep the others out.
      const isOverTime = performance.now() - this.#openedAtMs > TURN_MS;
      if (!isOverTime || !this.#parts.isPlaceWanted()) return this.#channel;
      await this.#shutDown();
      this.#parts.onQuiet();
    }
    await this.#parts.admit();
    this.#openedAtMs = performance.now();
    const { folder, schema, diskBytes } = this.#parts;
    const channel = this.#channel = new EmbeddedChannel();
    try {
      const template = await pathExists(folder) ? null : await this.#parts.template();
      const options = { folder, template, schema, diskBytes };
      await channel.request({ kind: "open", options }, OPEN_TIMEOUT_MS);
      return channel;
    } catch (error) {
      await channel.terminate();
      this.#channel = null;
      throw error;
    }
  }

  /** The place is free again when the process is gone, with the memory it took. */
  async #dropIfDead(): Promise<void> {
    if (this.#channel === null || this.#channel.isAlive) return;
    await this.#channel.gone;
    this.#channel = null;
  }

  async #maintain(): Promise<void> {
    await this.#channel?.request({ kind: "maintain" }, MAINTENANCE_TIMEOUT_MS).catch(() => {});
    await this.#dropIfDead();
  }

  async #shutDown(): Promise<void> {
    const channel = this.#channel;
    if (channel === null) return;
    try {
      await channel.request({ kind: "close" }, CLOSE_TIMEOUT_MS);
    } catch (error) {
      // What was acknowledged is on disk; a database that does not shut down recovers when it is opened.
      if (!(error instanceof SqlError)) throw error;
    } finally {
      await channel.terminate();
      this.#channel = null;
    }
  }
}
