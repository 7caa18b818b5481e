/**
 * The main thread's end of PGlite's worker: numbers commands, matches answers, and rejects whatever
 * waits when the worker dies. Commands may be sent without waiting; the worker keeps their order.
 */
import type { EngineAnswers, EngineCommand, EngineMessage } from "./pglite_messages.ts";
import { SqlError } from "./port.ts";

interface Waiting {
  resolve(value: unknown): void;
  reject(error: SqlError): void;
}

/** Told of what the worker says unasked. */
export interface ChannelEvents {
  onNotification(channel: string, payload: string): void;
  onWarning(message: string): void;
}

/** One worker, from start to end. */
export class PgliteChannel {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  readonly #events: ChannelEvents;
  #count = 0;
  #ended: SqlError | null = null;

  constructor(events: ChannelEvents) {
    this.#events = events;
    this.#worker = new Worker(new URL("./pglite_worker.ts", import.meta.url), {
      type: "module",
      name: "pglite",
    });
    this.#worker.onmessage = (event: MessageEvent<EngineMessage>) => this.#receive(event.data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.end(`the embedded database crashed: ${event.message}`);
    };
    this.#worker.onmessageerror = () => this.end("the embedded database sent an unreadable answer");
  }

  /**
   * Sends a command.
   * @throws {SqlError} the command's failure; `unavailable` when the worker ended first, and then
   *   nobody knows whether a commit under way took place.
   */
  request<Kind extends EngineCommand["kind"]>(
    command: EngineCommand & { readonly kind: Kind },
  ): Promise<EngineAnswers[Kind]> {
    if (this.#ended !== null) return Promise.reject(this.#ended);
    const id = ++this.#count;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, {
        resolve: (value) => resolve(value as EngineAnswers[Kind]),
        reject,
      });
      this.#worker.postMessage({ id, command }, handedOver(command));
    });
  }

  /** Ends the worker at once, whatever it is doing; everything waiting is rejected. */
  end(reason: string): void {
    if (this.#ended !== null) return;
    this.#ended = new SqlError("unavailable", reason);
    this.#worker.terminate();
    for (const { reject } of this.#waiting.values()) reject(this.#ended);
    this.#waiting.clear();
  }

  #receive(message: EngineMessage): void {
    switch (message.kind) {
      case "answer":
        this.#settle(message.id)?.resolve(message.value);
        break;
      case "failure": {
        const { kind, message: text, sqlState, constraint } = message.failure;
        this.#settle(message.id)?.reject(new SqlError(kind, text, sqlState, constraint));
        break;
      }
      case "notification":
        this.#events.onNotification(message.channel, message.payload);
        break;
      case "warning":
        this.#events.onWarning(message.message);
        break;
      case "fatal":
        this.end(`the embedded database stopped: ${message.message}`);
        break;
    }
  }

  #settle(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiting;
  }
}

/** What needs no copy on its way to the worker. */
function handedOver(command: EngineCommand): Transferable[] {
  return "statements" in command ? [command.statements.bytes.buffer] : [];
}
