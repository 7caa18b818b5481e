/**
 * A client of the agent over its local socket: calls its methods and hears what it tells unasked.
 */
import { createConnection, type Socket } from "node:net";
import type { LocalMethodName, LocalParams, LocalResult } from "./local_api.ts";
import { LocalError } from "./local_error.ts";
import type { AgentGreeting, LocalEvent } from "./local_types.ts";
import { asFailure, fromFailure, LineReader, type RpcMessage } from "./local_wire.ts";

const CALL_TIMEOUT_MS = 70_000;
/** No socket, nobody behind it, or an agent that died before it greeted. */
const NOBODY_LISTENS: ReadonlySet<string> = new Set(["ENOENT", "ECONNREFUSED", "ECONNRESET"]);
const GREETING_TIMEOUT_MS = 5_000;

export interface CallOptions {
  /** Milliseconds until the call fails with `timeout`; 70 s, longer than any method waits itself. */
  readonly timeoutMs?: number;
}

/** A connection to the agent, over its socket or within the same process. */
export interface LocalClient {
  readonly greeting: AgentGreeting;
  /** What the user should know about the agent's version, null when there is nothing. */
  readonly warning: string | null;
  /** Settles when the connection is gone, for whatever reason. */
  readonly closed: Promise<void>;
  /** Calls a method. @throws {MeshError | LocalError} as the agent answered, or `agent_gone`, `timeout`. */
  call<M extends LocalMethodName>(
    method: M,
    params: LocalParams<M>,
    options?: CallOptions,
  ): Promise<LocalResult<M>>;
  /** Hears what the agent tells unasked; returns how to stop. */
  onEvent(listener: (event: LocalEvent) => void): () => void;
  close(): Promise<void>;
}

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly timer: ReturnType<typeof setTimeout>;
}

/** One connection over the socket; made by `openLocal`. */
class SocketClient implements LocalClient {
  readonly greeting: AgentGreeting;
  readonly warning = null;
  readonly closed: Promise<void>;
  readonly #socket: Socket;
  readonly #pending = new Map<number, Pending>();
  readonly #listeners = new Set<(event: LocalEvent) => void>();
  #lastId = 0;

  constructor(socket: Socket, greeting: AgentGreeting, closed: Promise<void>) {
    this.#socket = socket;
    this.greeting = greeting;
    this.closed = closed.then(() => this.#fail());
  }

  call<M extends LocalMethodName>(
    method: M,
    params: LocalParams<M>,
    options: CallOptions = {},
  ): Promise<LocalResult<M>> {
    if (this.#socket.destroyed) return Promise.reject(agentGone());
    const id = ++this.#lastId;
    const timeoutMs = options.timeoutMs ?? CALL_TIMEOUT_MS;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        reject(
          new LocalError("timeout", `The agent did not answer "${method}" in ${timeoutMs} ms`, {
            hint: "Run `claudemesh agent status`",
          }),
        );
      }, timeoutMs);
      this.#pending.set(id, {
        resolve: (value) => resolve(value as LocalResult<M>),
        reject,
        timer,
      });
      this.#socket.write(`${JSON.stringify({ jsonrpc: "2.0", id, method, params })}\n`);
    });
  }

  onEvent(listener: (event: LocalEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.#socket.end();
    this.#socket.destroy();
    await this.closed;
  }

  /** Takes one line of the agent: an answer or a notification; unknown ones are of a newer agent. */
  take(message: RpcMessage): void {
    if (message.method === "event") {
      for (const listener of this.#listeners) listener(message.params as LocalEvent);
      return;
    }
    const pending = typeof message.id === "number" ? this.#pending.get(message.id) : undefined;
    if (pending === undefined) return;
    this.#pending.delete(message.id as number);
    clearTimeout(pending.timer);
    if (message.error === undefined) pending.resolve(message.result);
    else pending.reject(answeredError(message.error));
  }

  #fail(): void {
    for (const { reject, timer } of this.#pending.values()) {
      clearTimeout(timer);
      reject(agentGone());
    }
    this.#pending.clear();
  }
}

function agentGone(): LocalError {
  return new LocalError("agent_gone", "The connection to the agent was lost", {
    hint: "Run the command again; `claudemesh agent status` shows whether the agent runs",
  });
}

function answeredError(error: unknown): Error {
  const { message, data } = error as { message?: unknown; data?: unknown };
  const failure = asFailure(data);
  if (failure !== null) return fromFailure(failure);
  return new LocalError("agent_refused", `The agent refused the call: ${String(message)}`, {
    hint: "The agent may be of another version: run `claudemesh agent stop`, then try again",
  });
}

/**
 * Connects to an agent that listens at `socketPath`.
 * @returns the client, once the agent has greeted; null when nobody listens there.
 * @throws {LocalError} `agent_silent` when something listens but does not greet like an agent.
 */
export function openLocal(socketPath: string): Promise<LocalClient | null> {
  const socket = createConnection(socketPath);
  return new Promise((resolve, reject) => {
    const gone = Promise.withResolvers<void>();
    let client: SocketClient | null = null;
    const reader = new LineReader();
    const silent = (why: string) => {
      socket.destroy();
      reject(
        new LocalError("agent_silent", `What listens at "${socketPath}" ${why}`, {
          hint: "End the process that holds this socket, then run the command again",
        }),
      );
    };
    const timer = setTimeout(() => silent("does not answer"), GREETING_TIMEOUT_MS);
    socket.on("data", (chunk: Uint8Array) => {
      try {
        for (const line of reader.push(chunk)) {
          const message = JSON.parse(line) as RpcMessage;
          if (client !== null) client.take(message);
          else if (message.method === "greeting") {
            clearTimeout(timer);
            client = new SocketClient(socket, message.params as AgentGreeting, gone.promise);
            resolve(client);
          } else silent("is no claudemesh agent");
        }
      } catch {
        // Not our protocol, or a line beyond the limit: whoever waits for an answer is told that the agent is gone.
        if (client === null) silent("is no claudemesh agent");
        else socket.destroy();
      }
    });
    socket.on("error", (error: NodeJS.ErrnoException) => {
      if (client !== null) return;
      if (NOBODY_LISTENS.has(error.code ?? "")) resolve(null);
      else silent(`cannot be reached: ${error.code ?? "unknown error"}`);
    });
    socket.on("close", () => {
      clearTimeout(timer);
      gone.resolve();
      if (client === null) resolve(null);
    });
  });
}
