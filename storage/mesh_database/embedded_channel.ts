/**
 * The broker's end of the process of a mesh's embedded database: one command at a time, each with a deadline after which
 * the process is killed. A worker could not be ended: Deno's `terminate` waits until the worker has nothing to do.
 */
import { deserialize, serialize } from "node:v8";
import { SqlError } from "../sql/port.ts";
import { embeddedCommand } from "./embedded_command.ts";
import type { EmbeddedAnswers, EmbeddedCommand, EmbeddedMessage } from "./embedded_messages.ts";
import { frameOf, framesIn } from "./frame_stream.ts";
import { lowerPriority, OPENING_NICENESS } from "./low_priority.ts";

interface Waiting {
  resolve(value: unknown): void;
  reject(error: SqlError): void;
}

/** One process, from start to end. */
export class EmbeddedChannel {
  /** Resolves when the process is gone: nothing of it writes any more. */
  readonly gone: Promise<void>;
  readonly #child: Deno.ChildProcess;
  readonly #toChild: WritableStreamDefaultWriter<Uint8Array>;
  #waiting: Waiting | null = null;
  #ended: SqlError | null = null;

  /** Starts the process. @throws {SqlError} `unavailable` when the system starts none. */
  constructor() {
    this.#child = spawn();
    lowerPriority(OPENING_NICENESS, this.#child.pid);
    this.#toChild = this.#child.stdin.getWriter();
    this.gone = this.#watch();
  }

  /** The process's id. */
  get pid(): number {
    return this.#child.pid;
  }

  /** False once the process is ended, or is being ended. */
  get isAlive(): boolean {
    return this.#ended === null;
  }

  /**
   * Sends a command; the one before must have been answered.
   * @param timeoutMs after so long the process is killed.
   * @throws {SqlError} the command's failure; `timeout` past the deadline; `unavailable` when the process ended otherwise.
   */
  async request<Kind extends EmbeddedCommand["kind"]>(
    command: EmbeddedCommand & { readonly kind: Kind },
    timeoutMs: number,
  ): Promise<EmbeddedAnswers[Kind]> {
    if (this.#ended !== null) throw this.#ended;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#waiting = { resolve, reject };
    const timer = setTimeout(
      () => this.#end(new SqlError("timeout", `the statement took longer than ${timeoutMs} ms`)),
      timeoutMs,
    );
    // What cannot be written has no reader: the end of the process answers the command.
    this.#toChild.write(frameOf(serialize(command))).catch(() => {});
    try {
      return await promise as EmbeddedAnswers[Kind];
    } finally {
      clearTimeout(timer);
      this.#waiting = null;
    }
  }

  /** Ends the process at once, whatever it is doing; a command under way is rejected as `unavailable`. */
  async terminate(): Promise<void> {
    this.#end(new SqlError("unavailable", "the mesh's database was closed"));
    await this.gone;
  }

  #end(reason: SqlError): void {
    if (this.#ended !== null) return;
    this.#ended = reason;
    kill(this.#child);
    this.#waiting?.reject(reason);
  }

  async #watch(): Promise<void> {
    try {
      for await (const payload of framesIn(this.#child.stdout)) this.#receive(deserialize(payload));
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.#end(
        new SqlError("unavailable", `the mesh's database sent an unreadable answer: ${why}`),
      );
    }
    const { code, signal } = await this.#child.status;
    await this.#toChild.abort().catch(() => {});
    const how = signal ?? `with code ${code}`;
    this.#end(new SqlError("unavailable", `the mesh's database ended by itself (${how})`));
  }

  #receive(message: EmbeddedMessage): void {
    switch (message.kind) {
      case "answer":
        this.#waiting?.resolve(message.value);
        break;
      case "failure": {
        const { kind, message: text, sqlState, constraint } = message.failure;
        this.#waiting?.reject(new SqlError(kind, text, sqlState, constraint));
        break;
      }
      case "fatal":
        this.#end(new SqlError("unavailable", `the mesh's database stopped: ${message.message}`));
        break;
    }
  }
}

function spawn(): Deno.ChildProcess {
  const { program, args } = embeddedCommand();
  try {
    return new Deno.Command(program, {
      args,
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new SqlError("unavailable", `the mesh's database cannot be started: ${why}`);
  }
}

/** Sends SIGKILL, unless the process has ended meanwhile. */
function kill(child: Deno.ChildProcess): void {
  try {
    child.kill("SIGKILL");
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
}
