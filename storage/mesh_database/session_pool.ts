/**
 * Sessions of meshes' roles: so many per mesh and in all, each used by one statement at a time and given back as new, or
 * thrown away when it is not.
 */
import { SqlError } from "../sql/port.ts";
import type { AnswerBounds } from "./member_transaction.ts";
import type { MeshRole } from "./mesh_role.ts";
import { ServerSession } from "./server_session.ts";

export interface SessionPoolOptions {
  readonly databaseUrl: string;
  readonly perMesh: number;
  readonly total: number;
  readonly idleMs: number;
}

/** Statements of one mesh that may wait for a session. */
const MAX_WAITING = 64;
const SMALL: AnswerBounds = { maxRows: 1, maxBytes: 1_024, skipRows: 0, mayBreakOff: false };

interface Place {
  readonly session: ServerSession;
  idleTimer: ReturnType<typeof setTimeout> | null;
}

interface RoleSessions {
  /** Open or being opened. */
  count: number;
  readonly idle: Place[];
  waiting: number;
}

export class SessionPool {
  readonly #options: SessionPoolOptions;
  readonly #roles = new Map<string, RoleSessions>();
  readonly #busy = new Set<ServerSession>();
  /** Who waits for a place, in order. */
  readonly #waiting: (() => void)[] = [];
  #count = 0;
  #isClosed = false;

  constructor(options: SessionPoolOptions) {
    this.#options = options;
  }

  /**
   * Lends a session of `role` to `work`.
   * @throws {SqlError} as `work`; `unavailable` when too many wait, or the server refuses the role.
   */
  async use<T>(role: MeshRole, work: (session: ServerSession) => Promise<T>): Promise<T> {
    const session = await this.#take(role);
    this.#busy.add(session);
    try {
      return await work(session);
    } finally {
      this.#busy.delete(session);
      await this.#giveBack(role.name, session);
    }
  }

  /** Ends every session, also those in use. */
  close(): void {
    this.#isClosed = true;
    const reason = new SqlError("unavailable", "the broker is stopping");
    for (const session of this.#busy) session.terminate(reason);
    this.#wakeAll();
    for (const { idle } of this.#roles.values()) {
      for (const place of idle.splice(0)) this.#end(place);
    }
  }

  async #take(role: MeshRole): Promise<ServerSession> {
    const sessions = this.#sessionsOf(role.name);
    while (!this.#isClosed) {
      const place = sessions.idle.pop();
      if (place !== undefined) {
        if (place.idleTimer !== null) clearTimeout(place.idleTimer);
        if (place.session.isAlive) return place.session;
        this.#forget(role.name);
        continue;
      }
      if (sessions.count < this.#options.perMesh && this.#hasRoom()) return await this.#open(role);
      await this.#wait(sessions);
    }
    throw new SqlError("unavailable", "the broker is stopping");
  }

  async #wait(sessions: RoleSessions): Promise<void> {
    if (sessions.waiting >= MAX_WAITING) {
      throw new SqlError("unavailable", `${MAX_WAITING} statements wait for this mesh's database`);
    }
    sessions.waiting++;
    await new Promise<void>((wake) => this.#waiting.push(wake));
    sessions.waiting--;
  }

  /** Whether one more may be open; another mesh's idle session makes room. */
  #hasRoom(): boolean {
    if (this.#count < this.#options.total) return true;
    for (const [role, { idle }] of this.#roles) {
      const place = idle.shift();
      if (place === undefined) continue;
      this.#end(place);
      this.#forget(role);
      return true;
    }
    return false;
  }

  async #open(role: MeshRole): Promise<ServerSession> {
    this.#sessionsOf(role.name).count++;
    this.#count++;
    try {
      const { databaseUrl } = this.#options;
      return await ServerSession.open({ databaseUrl, role: role.name, password: role.password });
    } catch (error) {
      this.#forget(role.name);
      throw withAdvice(error);
    }
  }

  async #giveBack(role: string, session: ServerSession): Promise<void> {
    if (session.isAlive && !this.#isClosed && await isFresh(session)) {
      const place: Place = { session, idleTimer: null };
      place.idleTimer = setTimeout(() => this.#retire(role, place), this.#options.idleMs);
      Deno.unrefTimer(place.idleTimer);
      this.#sessionsOf(role).idle.push(place);
      this.#wakeAll();
      return;
    }
    session.terminate(new SqlError("unavailable", "the session was closed"));
    this.#forget(role);
  }

  #retire(role: string, place: Place): void {
    const { idle } = this.#sessionsOf(role);
    const index = idle.indexOf(place);
    if (index < 0) return;
    idle.splice(index, 1);
    this.#end(place);
    this.#forget(role);
  }

  #end({ session, idleTimer }: Place): void {
    if (idleTimer !== null) clearTimeout(idleTimer);
    session.terminate(new SqlError("unavailable", "the session was closed"));
  }

  /** A session of the role is gone. */
  #forget(role: string): void {
    this.#count--;
    const sessions = this.#sessionsOf(role);
    if (--sessions.count === 0 && sessions.waiting === 0) this.#roles.delete(role);
    this.#wakeAll();
  }

  /** Lets everybody who waits look again, in their order. */
  #wakeAll(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }

  #sessionsOf(role: string): RoleSessions {
    const known = this.#roles.get(role);
    if (known !== undefined) return known;
    const sessions: RoleSessions = { count: 0, idle: [], waiting: 0 };
    this.#roles.set(role, sessions);
    return sessions;
  }
}

/** Throws away all that a statement may have left in its session; false when that did not work. */
async function isFresh(session: ServerSession): Promise<boolean> {
  try {
    const reply = await session.ask((writer) => writer.query("ROLLBACK"), SMALL);
    if (reply.status !== "I") return false;
    const discarded = await session.ask((writer) => writer.query("DISCARD ALL"), SMALL);
    return discarded.failure === null;
  } catch (error) {
    if (error instanceof SqlError) return false;
    throw error;
  }
}

function withAdvice(error: unknown): unknown {
  if (!(error instanceof SqlError) || error.sqlState?.startsWith("28") !== true) return error;
  return new SqlError(
    "unavailable",
    `PostgreSQL lets no mesh's role log in (${error.message}); its operator must let roles meshdb_* in with a ` +
      "password, by a line in pg_hba.conf such as: host <database> all <broker's address> scram-sha-256",
    error.sqlState,
  );
}
