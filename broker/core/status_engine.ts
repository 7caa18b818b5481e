/**
 * The status of sessions: writes by people, hooks and transcripts under one rule, and the end of a `working` that nobody
 * renews. Every change lets deliveries that waited for it go.
 */
import type { Status } from "../api/fields.ts";
import type { Clock } from "./clock.ts";
import type { Member, Session, StatusSource } from "./model.ts";
import type { Sessions } from "./sessions.ts";
import { writtenStatus } from "./status_rule.ts";

/** A hook's word for a session that is not here yet is kept for so long. */
const PENDING_MS = 10_000;
const MAX_PENDING = 10_000;

/** What a host's hook reports. */
export interface HookReport {
  readonly status: Status;
  /** The host's own session id; reports of old hooks have none. */
  readonly sessionId: string | null;
  readonly cwd: string;
  readonly pid: number | null;
}

export interface StatusParts {
  readonly clock: Clock;
  readonly sessions: Sessions;
  readonly freshMs: number;
  readonly ttlMs: number;
  readonly drain: (member: Member) => void;
  readonly onExpired: () => void;
}

export class StatusEngine {
  readonly #parts: StatusParts;
  readonly #pending = new Map<string, { status: Status; atMs: number }>();

  constructor(parts: StatusParts) {
    this.#parts = parts;
  }

  /** Writes a status by the rule; returns the session's status after it. */
  set(session: Session, status: Status, source: StatusSource): Status {
    const { clock, freshMs, sessions, drain } = this.#parts;
    const stored = {
      status: session.status,
      source: session.statusSource,
      atMs: session.statusAtMs,
    };
    const written = writtenStatus(stored, { status, source, atMs: clock.now() }, freshMs);
    if (written === stored) return stored.status;
    session.status = written.status;
    session.statusSource = written.source;
    session.statusAtMs = written.atMs;
    if (written.status !== stored.status) {
      sessions.changed(session);
      drain(session.member);
    }
    return written.status;
  }

  /**
   * Takes a hook's word for the sessions it names: those with its session id, in every mesh, else (old hooks) the one
   * session that has its process id and folder. One that is not here yet gets it if it comes within ten seconds.
   * @returns the presences it reached, and whether it is kept for later.
   */
  hook(report: HookReport): { presenceIds: string[]; pending: boolean } {
    const sessions = this.#reported(report);
    for (const session of sessions) this.set(session, report.status, "hook");
    if (sessions.length > 0) {
      return { presenceIds: sessions.map((session) => session.presenceId), pending: false };
    }
    if (report.sessionId === null) return { presenceIds: [], pending: false };
    this.#dropStalePending();
    this.#pending.delete(report.sessionId);
    this.#pending.set(report.sessionId, { status: report.status, atMs: this.#parts.clock.now() });
    return { presenceIds: [], pending: true };
  }

  /** A session has come: gives it what a hook said of it just before. */
  arrived(session: Session): void {
    const pending = this.#pending.get(session.id);
    if (pending === undefined) return;
    if (this.#parts.clock.now() - pending.atMs > PENDING_MS) this.#pending.delete(session.id);
    else this.set(session, pending.status, "hook");
  }

  /** Ends every `working` that is older than its time. */
  sweep(): void {
    const oldestMs = this.#parts.clock.now() - this.#parts.ttlMs;
    this.#dropStalePending();
    for (const session of [...this.#parts.sessions.present()]) {
      if (session.status !== "working" || session.statusAtMs >= oldestMs) continue;
      session.status = "idle";
      session.statusSource = "jsonl";
      session.statusAtMs = this.#parts.clock.now();
      this.#parts.onExpired();
      this.#parts.sessions.changed(session);
      this.#parts.drain(session.member);
    }
  }

  #reported({ sessionId, cwd, pid }: HookReport): readonly Session[] {
    if (sessionId !== null) return this.#parts.sessions.withId(sessionId);
    if (pid === null) return [];
    const found: Session[] = [];
    for (const session of this.#parts.sessions.present()) {
      if (session.pid === pid && session.cwd === cwd && session.peerRole === "session") {
        found.push(session);
      }
    }
    return found.length === 1 ? found : [];
  }

  #dropStalePending(): void {
    const oldestMs = this.#parts.clock.now() - PENDING_MS;
    for (const [sessionId, { atMs }] of this.#pending) {
      // The oldest come first.
      if (atMs >= oldestMs && this.#pending.size < MAX_PENDING) break;
      this.#pending.delete(sessionId);
    }
  }
}
