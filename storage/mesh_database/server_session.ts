/**
 * A session of a mesh's own role on a PostgreSQL server. postgres.js logs in; from then on the wire protocol is spoken
 * here, so that no more of an answer is kept than its bounds allow, however large a row is.
 */
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import postgres from "postgres";
import { SqlError } from "../sql/port.ts";
import { asSqlError } from "../sql/sql_failure.ts";
import { WireWriter } from "../sql/wire_writer.ts";
import { MemberReply } from "./member_reply.ts";
import type { AnswerBounds, MemberWire } from "./member_transaction.ts";

const CONNECT_TIMEOUT_SECONDS = 10;
/** SSLRequest (PostgreSQL manual, 54.2.10): length 8, code 80877103. */
const SSL_REQUEST = new Uint8Array([0, 0, 0, 8, 4, 210, 22, 47]);
const ACCEPTS_TLS = 0x53;

/** Of every session; they go before what a role has set for itself. Texts, for a 0 would be left out. */
const SETTINGS: Readonly<Record<string, string>> = {
  application_name: "claudemesh-member",
  search_path: "pg_catalog",
  TimeZone: "UTC",
  DateStyle: "ISO",
  IntervalStyle: "postgres",
  bytea_output: "hex",
  extra_float_digits: "1",
  standard_conforming_strings: "on",
  default_transaction_read_only: "off",
  client_min_messages: "error",
  statement_timeout: "0",
  lock_timeout: "0",
  idle_session_timeout: "0",
  idle_in_transaction_session_timeout: "60000",
  max_parallel_workers_per_gather: "0",
  // A server whose broker is gone ends the statement, and with it every lock.
  client_connection_check_interval: "1000",
};

const UNASKED = new SqlError("unavailable", "the server said something unasked");

export interface SessionLogin {
  /** The operator's URL; host, database and encryption are taken from it. */
  readonly databaseUrl: string;
  readonly role: string;
  readonly password: string;
}

/** A session that is logged in. Calls must not overlap. */
export class ServerSession implements MemberWire {
  /** The process of the server that runs it. */
  readonly pid: number;
  readonly #socket: Socket;
  readonly #pool: postgres.Sql;
  readonly #writer = new WireWriter();
  #waiting: { reply: MemberReply; settle: () => void; fail: (error: SqlError) => void } | null =
    null;
  #ended: SqlError | null = null;

  private constructor(socket: Socket, pool: postgres.Sql, pid: number) {
    this.#socket = socket;
    this.#pool = pool;
    this.pid = pid;
    socket.removeAllListeners("data");
    socket.on("data", (bytes: Uint8Array) => this.#receive(bytes));
    socket.on("close", () => this.#end(new SqlError("unavailable", "the database hung up")));
    socket.on("error", (error: Error) => this.#end(asSqlError(error)));
  }

  /** Logs in. @throws {SqlError} why the server refused, `unavailable` when it does not answer. */
  static async open(login: SessionLogin): Promise<ServerSession> {
    const { ssl } = postgres(login.databaseUrl, { max: 1 }).options;
    const opened: { socket?: Socket } = {};
    const pool = postgres(login.databaseUrl, {
      max: 1,
      user: login.role,
      password: login.password,
      ssl: false,
      fetch_types: false,
      max_lifetime: null,
      connect_timeout: CONNECT_TIMEOUT_SECONDS,
      connection: SETTINGS,
      onnotice: () => {},
      socket: async ({ host, port, path }: ServerAddress) =>
        opened.socket = await openSocket({ host, port, path }, ssl),
    } as postgres.Options<Record<string, never>>);
    try {
      const [row] = await pool<{ pid: number }[]>`SELECT pg_catalog.pg_backend_pid() AS pid`;
      // From here on the pool leaves its one connection alone.
      await pool.reserve();
      if (opened.socket === undefined) throw new SqlError("other", "the driver opened no socket");
      return new ServerSession(opened.socket, pool, row?.pid ?? 0);
    } catch (error) {
      opened.socket?.destroy();
      await pool.end({ timeout: 0 });
      throw asSqlError(error);
    }
  }

  /** False once the connection is gone. */
  get isAlive(): boolean {
    return this.#ended === null;
  }

  async ask(write: (writer: WireWriter) => void, bounds: AnswerBounds): Promise<MemberReply> {
    if (this.#ended !== null) throw this.#ended;
    const reply = new MemberReply(bounds);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting = { reply, settle: resolve, fail: reject };
    write(this.#writer);
    this.#socket.write(this.#writer.take().slice());
    await promise;
    return reply;
  }

  /** Ends the connection at once; a question under way is rejected with `reason`. */
  terminate(reason: SqlError): void {
    this.#end(reason);
    this.#socket.destroy();
    // Nothing is left to wait for: the pool's one connection is this socket.
    void this.#pool.end({ timeout: 0 });
  }

  #receive(bytes: Uint8Array): void {
    const waiting = this.#waiting;
    // Nobody asked: a notification, or the end. The session is not needed so much as to sort it out.
    if (waiting === null) return this.terminate(UNASKED);
    const { reply } = waiting;
    reply.push(bytes);
    if (reply.status !== null) {
      this.#waiting = null;
      waiting.settle();
      if (reply.hasRest) this.terminate(UNASKED);
    } else if (reply.isWorthBreakingOff) {
      reply.isBrokenOff = true;
      this.#waiting = null;
      waiting.settle();
      this.terminate(new SqlError("unavailable", "a larger answer was broken off"));
    }
  }

  #end(reason: SqlError): void {
    this.#ended ??= reason;
    this.#waiting?.fail(this.#ended);
    this.#waiting = null;
  }
}

interface ServerAddress {
  readonly host: readonly string[];
  readonly port: readonly number[];
  readonly path: string | false;
}

type TlsMode = boolean | string | object | null | undefined;

/** Opens the socket that postgres.js logs in over, encrypted as the URL says. Several hosts are tried in their order. */
async function openSocket({ host, port, path }: ServerAddress, ssl: TlsMode): Promise<Socket> {
  if (path) return await connected(connectTcp({ path }));
  let failure: unknown = null;
  for (const [index, name] of host.entries()) {
    try {
      const socket = await connected(connectTcp({ host: name, port: port[index] ?? 5432 }));
      return ssl ? await encrypted(socket, name, ssl) : socket;
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

async function connected(socket: Socket, event = "connect"): Promise<Socket> {
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(
      () => socket.destroy(new Error("the server does not answer")),
      CONNECT_TIMEOUT_SECONDS * 1_000,
    );
    socket.once("error", (error) => {
      clearTimeout(timer);
      reject(error);
    });
    socket.once(event, () => {
      clearTimeout(timer);
      resolve();
    });
  });
  socket.removeAllListeners("error");
  return socket;
}

async function encrypted(socket: Socket, host: string, ssl: TlsMode): Promise<Socket> {
  const answer = Promise.withResolvers<number>();
  socket.once("data", (bytes: Uint8Array) => answer.resolve(bytes[0] ?? 0));
  socket.once("close", () => answer.resolve(0));
  socket.write(SSL_REQUEST);
  if (await answer.promise !== ACCEPTS_TLS) {
    if (ssl === "prefer" || ssl === "allow") return socket;
    socket.destroy();
    throw new SqlError("unavailable", "the server does not offer TLS, which the URL asks for");
  }
  const isVerified = ssl !== "require" && ssl !== "allow" && ssl !== "prefer";
  const tls = connectTls({
    socket,
    ...(isIP(host) ? {} : { servername: host }),
    rejectUnauthorized: isVerified,
    ...(typeof ssl === "object" ? ssl : {}),
  });
  return await connected(tls, "secureConnect");
}
