/**
 * The agent's local socket: one line a message, many clients, all of the same user (the socket is 0600 in a folder that
 * is 0700).
 */
import { createServer, type Server, type Socket } from "node:net";
import { LocalError, summarizeError } from "../core/local_error.ts";
import type { AgentGreeting, LocalEvent } from "../core/local_types.ts";
import { LineReader, RPC_CODES, type RpcId, type RpcMessage } from "../core/local_wire.ts";
import type { AgentLog } from "./agent_log.ts";
import { answerCall, UnknownMethod } from "./local_calls.ts";
import type { Agent, Connection } from "./local_method_context.ts";
import { endSessionsOf } from "./session_methods.ts";

/** A client that does not read is cut rather than remembered without end. */
const MAX_UNSENT_BYTES = 16_777_216;
const CLOSE_TIMEOUT_MS = 1_000;
const SOCKET_MODE = 0o600;

/** A connection whose client is at the other end of the socket. */
interface SocketConnection extends Connection {
  readonly socket: Socket;
}

export class LocalServer {
  readonly #agent: Agent;
  readonly #log: AgentLog;
  readonly #server: Server;
  readonly #connections = new Set<SocketConnection>();
  /** Settles when the last connection is gone; null while it listens. */
  #stopped: Promise<void> | null = null;

  constructor(agent: Agent) {
    this.#agent = agent;
    this.#log = agent.log;
    this.#server = createServer((socket) => this.#accept(socket));
  }

  get connections(): ReadonlySet<Connection> {
    return this.#connections;
  }

  /** Listens at `socketPath`; what a dead agent has left there is taken away. The caller holds the home's lock. */
  async listen(socketPath: string): Promise<void> {
    const isPipe = Deno.build.os === "windows";
    if (!isPipe) await removeSocket(socketPath);
    const ready = Promise.withResolvers<void>();
    this.#server.once("error", ready.reject);
    this.#server.listen(socketPath, ready.resolve);
    await ready.promise;
    this.#server.removeListener("error", ready.reject);
    this.#server.on("error", (error) => this.#log.error("socket_failed", { code: codeOf(error) }));
    if (!isPipe) await Deno.chmod(socketPath, SOCKET_MODE);
  }

  /** Takes no new connection and no new call; answers on their way still go out. */
  stopListening(): void {
    if (this.#stopped !== null) return;
    const stopped = Promise.withResolvers<void>();
    this.#server.close(() => stopped.resolve());
    this.#stopped = stopped.promise;
  }

  /** Ends every connection, as the last thing that an agent does: clients take it as its end. */
  async close(): Promise<void> {
    this.stopListening();
    for (const { socket } of this.#connections) socket.destroySoon();
    // A client that does not read what is left must not hold up the end.
    const late = setTimeout(() => {
      for (const { socket } of this.#connections) socket.destroy();
    }, CLOSE_TIMEOUT_MS);
    await this.#stopped;
    clearTimeout(late);
  }

  #accept(socket: Socket): void {
    const gone = Promise.withResolvers<void>();
    const connection: SocketConnection = {
      socket,
      watched: new Set(),
      streams: new Set(),
      sessions: new Set(),
      gone: gone.promise,
      emit: (event: LocalEvent) =>
        this.#write(connection, { jsonrpc: "2.0", method: "event", params: event }),
    };
    this.#connections.add(connection);
    const reader = new LineReader();
    socket.on("data", (chunk: Uint8Array) => {
      try {
        for (const line of reader.push(chunk)) void this.#answer(connection, line);
      } catch (error) {
        this.#refuse(connection, null, RPC_CODES.request, error);
        socket.destroySoon();
      }
    });
    socket.on("error", (error) => this.#log.info("client_lost", { code: codeOf(error) }));
    socket.on("close", () => {
      this.#connections.delete(connection);
      gone.resolve();
      endSessionsOf(this.#agent, connection);
    });
    const { version, revision, pid, sessions } = this.#agent.info();
    const greeting: AgentGreeting = { version, revision, pid, sessions };
    this.#write(connection, { jsonrpc: "2.0", method: "greeting", params: greeting });
  }

  async #answer(connection: SocketConnection, line: string): Promise<void> {
    const message = parseMessage(line);
    if (message === null) {
      const error = new LocalError("malformed", "A line is not valid JSON", { exit: 3 });
      return this.#refuse(connection, null, RPC_CODES.parse, error);
    }
    const id = typeof message.id === "number" || typeof message.id === "string" ? message.id : null;
    const afterwards: (() => void)[] = [];
    try {
      if (this.#stopped !== null) throw stopping();
      const context = {
        agent: this.#agent,
        connection,
        afterAnswer: (act: () => void) => void afterwards.push(act),
      };
      const result = await answerCall(context, message.method, message.params);
      if (id !== null) this.#write(connection, { jsonrpc: "2.0", id, result }, afterwards);
    } catch (error) {
      if (error instanceof UnknownMethod) {
        return this.#refuse(connection, id, RPC_CODES.method, error);
      }
      const summary = summarizeError(error);
      if (summary.code === "internal") {
        this.#log.error("method_failed", { method: String(message.method), at: whereOf(error) });
      }
      const code = summary.code === "invalid_argument" ? RPC_CODES.params : RPC_CODES.failed;
      this.#refuse(connection, id, code, error);
    }
  }

  #refuse(connection: SocketConnection, id: RpcId | null, code: number, error: unknown): void {
    const data = summarizeError(error);
    const failure = { code, message: data.message, data };
    this.#write(connection, { jsonrpc: "2.0", id, error: failure });
  }

  /** Writes one line; `afterwards` runs when it has left for the client, and not when the client is gone. */
  #write(
    connection: SocketConnection,
    message: unknown,
    afterwards: readonly (() => void)[] = [],
  ): void {
    const { socket } = connection;
    if (socket.destroyed) return;
    socket.write(`${JSON.stringify(message)}\n`, (error) => {
      if (!error) { for (const act of afterwards) act(); }
    });
    if (socket.writableLength > MAX_UNSENT_BYTES) {
      this.#log.warn("client_too_slow", { bytes: socket.writableLength });
      socket.destroy();
    }
  }
}

function stopping(): LocalError {
  return new LocalError("agent_gone", "The agent is stopping", { hint: "Run the command again" });
}

function parseMessage(line: string): RpcMessage | null {
  try {
    const value = JSON.parse(line);
    return typeof value === "object" && value !== null ? value : null;
  } catch {
    // The caller answers with JSON-RPC's parse error.
    return null;
  }
}

function codeOf(error: Error): string {
  return (error as NodeJS.ErrnoException).code ?? error.name;
}

/** The lines of code that an error came through, without its message: that could hold anything. */
function whereOf(error: unknown): string {
  const lines = error instanceof Error ? error.stack?.split("\n") ?? [] : [];
  return lines.filter((line) => line.startsWith("    at ")).slice(0, 8).join("");
}

async function removeSocket(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
