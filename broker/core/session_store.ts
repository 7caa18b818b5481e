/**
 * Writes sessions to the store without anybody waiting for it: changes are gathered and written together, many sessions
 * in one statement. What a failing store refuses is written again later.
 */
import type { Logger } from "@logtape/logtape";
import type { SqlStatement } from "../../storage/sql/port.ts";
import { type MemberSighting, touchMembers } from "../../storage/sql/queries/members.ts";
import { type PeerStateRow, storePeerStates } from "../../storage/sql/queries/peer_state.ts";
import { type PresenceRow, storePresences } from "../../storage/sql/queries/presence.ts";
import type { CancelTimer, Clock } from "./clock.ts";
import type { AuditEntry, Ledger } from "./ledger.ts";
import type { Member, Mesh, Session } from "./model.ts";
import { peerStateRow, presenceRow } from "./session_rows.ts";
import { storeError } from "./store_error.ts";

const FLUSH_DELAY_MS = 500;
const RETRY_DELAY_MS = 5_000;
/** So many sessions, and as many presences that ended, in one commit. */
const CHUNK = 250;

/** What is to be written of one mesh. */
interface Pending {
  readonly changed: Set<Session>;
  /** Rows of presences that ended; by presence, the newest. */
  readonly ended: Map<string, PresenceRow>;
  readonly members: Set<Member>;
  readonly audits: AuditEntry[];
}

/** One statement's worth. */
interface Chunk {
  readonly presences: PresenceRow[];
  readonly states: PeerStateRow[];
}

export class SessionStore {
  readonly #ledger: Ledger;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #pending = new Map<Mesh, Pending>();
  #timer: CancelTimer | null = null;
  #flushing: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(ledger: Ledger, clock: Clock, log: Logger) {
    this.#ledger = ledger;
    this.#clock = clock;
    this.#log = log;
  }

  /** The session or its member is not as it was written last. */
  changed(session: Session): void {
    const pending = this.#of(session.member.mesh);
    pending.changed.add(session);
    pending.members.add(session.member);
    this.#schedule(FLUSH_DELAY_MS);
  }

  /** The presence that the session has now ends at `atMs`; call it before the session gets another. */
  presenceEnded(session: Session, atMs: number): void {
    if (session.presenceId === "") return;
    this.#of(session.member.mesh).ended.set(session.presenceId, presenceRow(session, atMs));
    this.#schedule(FLUSH_DELAY_MS);
  }

  /** Audits a coming or going with the next write. */
  audit(mesh: Mesh, entry: AuditEntry): void {
    this.#of(mesh).audits.push(entry);
    this.#schedule(FLUSH_DELAY_MS);
  }

  /** Writes what there is now. Resolves when it is written or has failed. */
  flush(): Promise<void> {
    this.#timer?.();
    this.#timer = null;
    this.#flushing = this.#flushing.then(() => this.#writeAll());
    return this.#flushing;
  }

  /** Cancels the next write; what is not written yet stays so. */
  close(): void {
    this.#timer?.();
    this.#timer = null;
    this.#closed = true;
  }

  #of(mesh: Mesh): Pending {
    let pending = this.#pending.get(mesh);
    if (pending === undefined) {
      pending = {
        changed: new Set(),
        ended: new Map(),
        members: new Set(),
        audits: [],
      };
      this.#pending.set(mesh, pending);
    }
    return pending;
  }

  #schedule(delayMs: number): void {
    if (this.#closed) return;
    this.#timer ??= this.#clock.after(delayMs, () => {
      this.#timer = null;
      this.flush();
    });
  }

  async #writeAll(): Promise<void> {
    const work = [...this.#pending];
    this.#pending.clear();
    await Promise.all(work.map(([mesh, pending]) => this.#write(mesh, pending)));
  }

  async #write(mesh: Mesh, pending: Pending): Promise<void> {
    const members = [touchMembers(mesh.id, [...pending.members].map(sighting))];
    try {
      for (const chunk of chunks(pending)) {
        await this.#ledger.append({
          mesh,
          statements: [...statementsOf(mesh, chunk), ...members.splice(0)],
          audits: pending.audits.splice(0, CHUNK),
        });
      }
      while (pending.audits.length > 0) {
        const audits = pending.audits.splice(0, CHUNK);
        await this.#ledger.append({ mesh, statements: [], audits });
      }
    } catch (error) {
      this.#failed(mesh, pending, error);
    }
  }

  #failed(mesh: Mesh, pending: Pending, error: unknown): void {
    const { code } = storeError(error);
    this.#log.warn("sessions were not written", { code, meshId: mesh.id, error: String(error) });
    // A value that the store refuses would be refused again; the sessions themselves are not touched by this.
    if (code !== "unavailable" && code !== "storage_full") return;
    const later = this.#of(mesh);
    for (const session of pending.changed) later.changed.add(session);
    for (const member of pending.members) later.members.add(member);
    for (const [id, row] of pending.ended) if (!later.ended.has(id)) later.ended.set(id, row);
    later.audits.unshift(...pending.audits);
    this.#schedule(RETRY_DELAY_MS);
  }
}

/**
 * At least one. A session's present presence and its state travel together; ended presences need no state. Each chunk's
 * rows are made when it is asked for: the one before it may have taken its time, and sessions changed meanwhile.
 */
function* chunks(pending: Pending): Generator<Chunk> {
  const ended = [...pending.ended.values()];
  const changed = [...pending.changed];
  for (let at = 0; at < Math.max(ended.length, changed.length, 1); at += CHUNK) {
    const sessions = changed.slice(at, at + CHUNK);
    const present = sessions.filter(({ presence }) => presence !== "remembered");
    yield {
      presences: [
        ...ended.slice(at, at + CHUNK),
        ...present.map((session) => presenceRow(session, null)),
      ],
      states: sessions.map(peerStateRow),
    };
  }
}

function statementsOf(mesh: Mesh, { presences, states }: Chunk): SqlStatement[] {
  return [
    ...(presences.length > 0 ? [storePresences(mesh.id, presences)] : []),
    ...(states.length > 0 ? [storePeerStates(mesh.id, states)] : []),
  ];
}

function sighting(member: Member): MemberSighting {
  return {
    id: member.id,
    lastSeenAtMs: member.lastSeenAtMs ?? 0,
    bodyVersion: member.bodyVersion,
  };
}
