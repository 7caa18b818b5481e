/**
 * The main thread's end of the worker of a mesh's embedded database: one command at a time, each with a deadline after
 * which the worker is ended.
 */
import { SqlError } from "../sql/port.ts";
import type { EmbeddedAnswers, EmbeddedCommand, EmbeddedMessage } from "./embedded_messages.ts";

interface Waiting {
  resolve(value: unknown): void;
  reject(error: SqlError): void;
}

/** One worker, from start to end. */
export class EmbeddedChannel {
  readonly #worker: Worker;
  #waiting: Waiting | null = null;
  #ended: SqlError | null = null;

  constructor() {
    this.#worker = new Worker(new URL("./embedded_worker.ts", import.meta.url), {
      type: "module",
      name: "mesh-database",
    });
    this.#worker.onmessage = (event: MessageEvent<EmbeddedMessage>) => this.#receive(event.data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#end(new SqlError("unavailable", `the mesh's database crashed: ${event.message}`));
    };
    this.#worker.onmessageerror = () =>
      this.#end(new SqlError("unavailable", "the mesh's database sent an unreadable answer"));
  }

  /** False once the worker has ended. */
  get isAlive(): boolean {
    return this.#ended === null;
  }

  /**
   * Sends a command; the one before must have been answered.
   * @param timeoutMs after so long the worker is ended.
   * @throws {SqlError} the command's failure; `timeout` past the deadline; `unavailable` when the worker ended otherwise.
   */
  async request<Kind extends EmbeddedCommand["kind"]>(
    command: EmbeddedCommand & { readonly kind: Kind },
    timeoutMs: number,
  ): Promise<EmbeddedAnswers[Kind]> {
    if (this.#ended !== null) throw this.#ended;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#waiting = { resolve, reject };
    this.#worker.postMessage(command);
    const timer = setTimeout(
      () => this.#end(new SqlError("timeout", `the statement took longer than ${timeoutMs} ms`)),
      timeoutMs,
    );
    try {
      return await promise as EmbeddedAnswers[Kind];
    } finally {
      clearTimeout(timer);
      this.#waiting = null;
    }
  }

  /** Ends the worker at once, whatever it is doing; a command under way is rejected as `unavailable`. */
  terminate(): void {
    this.#end(new SqlError("unavailable", "the mesh's database was closed"));
  }

  #end(reason: SqlError): void {
    if (this.#ended !== null) return;
    this.#ended = reason;
    this.#worker.terminate();
    this.#waiting?.reject(reason);
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
