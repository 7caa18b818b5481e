/**
 * Sessions of all meshes: live while connected, leased for 90 s after that, then remembered. A session is named by its
 * member and the host's own session id, so it survives reconnects and restarts of everything.
 */
import type { Group } from "../api/fields.ts";
import type { CancelTimer, Clock, Random } from "./clock.ts";
import { selectPeerStates } from "../../storage/sql/queries/peer_state.ts";
import { selectOpenPresences } from "../../storage/sql/queries/presence.ts";
import type { Sql } from "../../storage/sql/port.ts";
import { isPresent } from "./listing.ts";
import type { Connection, Member, Mesh, PeerRole, Session } from "./model.ts";
import type { PresenceEvents } from "./presence_events.ts";
import { addedStats, leasedSession, rememberedSession } from "./session_rows.ts";
import type { SessionStore } from "./session_store.ts";

/** So many sessions that are gone are remembered of a member, the last seen ones. */
export const REMEMBERED_PER_MEMBER = 100;

/** What a good hello says about its session. */
export interface Arrival {
  readonly member: Member;
  readonly sessionId: string;
  readonly pubkey: string | null;
  readonly peerRole: PeerRole;
  readonly displayName: string | null;
  readonly groups: readonly Group[];
  readonly pid: number;
  readonly cwd: string;
  readonly hostname: string | null;
  readonly peerType: string | null;
  readonly channel: string | null;
  readonly model: string | null;
}

/** What came of an arrival. */
export interface Attachment {
  readonly session: Session;
  readonly connection: Connection;
  /** It took its place back within the lease: nobody is told. */
  readonly silent: boolean;
  /** What was kept from before, when it was seen before. */
  readonly restored:
    | { summary: string | null; lastSeenAtMs: number; groups: Group[] | null }
    | null;
}

export interface SessionParts {
  readonly sql: Sql;
  readonly clock: Clock;
  readonly random: Random;
  readonly leaseMs: number;
  readonly store: SessionStore;
  readonly news: PresenceEvents;
  /** Called after what decides about deliveries to a member has changed. */
  readonly drain: (member: Member) => void;
}

export class Sessions {
  readonly #parts: SessionParts;
  /** Live and leased sessions of all meshes by session id. */
  readonly #byId = new Map<string, Set<Session>>();
  readonly #byPubkey = new Map<string, Set<Session>>();
  readonly #leases = new Map<Session, CancelTimer>();
  readonly #startedAtMs: number;
  #closed = false;

  constructor(parts: SessionParts) {
    this.#parts = parts;
    this.#startedAtMs = parts.clock.now();
  }

  /** Reads the sessions of a mesh: those that were connected count as leased since the broker's start. */
  async restore(mesh: Mesh): Promise<void> {
    const { sql, clock, leaseMs } = this.#parts;
    const states = await selectPeerStates(sql, mesh.id, REMEMBERED_PER_MEMBER);
    const open = await selectOpenPresences(sql, mesh.id);
    const stateOf = new Map(states.map((row) => [`${row.memberId} ${row.sessionId}`, row]));
    for (const row of states) {
      const member = mesh.membersById.get(row.memberId);
      member?.sessions.set(row.sessionId, rememberedSession(member, row));
    }
    const leftMs = Math.max(0, this.#startedAtMs + leaseMs - clock.now());
    for (const row of open) {
      const member = mesh.membersById.get(row.memberId);
      if (member === undefined) continue;
      const state = stateOf.get(`${row.memberId} ${row.sessionId}`);
      const session = leasedSession(member, row, state);
      const older = member.sessions.get(session.id);
      if (older !== undefined && isPresent(older)) this.#forget(older);
      member.sessions.set(session.id, session);
      this.#index(session);
      this.#lease(session, leftMs);
    }
    for (const session of this.present()) {
      if (session.member.mesh === mesh) this.#parts.news.known(session);
    }
  }

  /** Live and leased sessions with this id, in any mesh. */
  withId(sessionId: string): readonly Session[] {
    return [...this.#byId.get(sessionId) ?? []];
  }

  /** Every live or leased session. */
  *present(): Iterable<Session> {
    for (const sessions of this.#byId.values()) yield* sessions;
  }

  /** Returns whether another member of the mesh holds this session id, or this session key, at the moment. */
  isTaken(member: Member, sessionId: string, pubkey: string | null): boolean {
    const foreign = (session: Session) =>
      session.member.mesh === member.mesh && session.member !== member;
    if (this.withId(sessionId).some(foreign)) return true;
    if (pubkey === null) return false;
    if ([...this.#byPubkey.get(pubkey) ?? []].some(foreign)) return true;
    const owner = member.mesh.membersByPubkey.get(pubkey);
    return owner !== undefined && owner !== member;
  }

  /**
   * Lets a session in: takes its place back, replaces its older connection, or starts anew with what was kept.
   * The caller has checked that it may (`isTaken`).
   */
  attach(arrival: Arrival, connect: (session: Session) => Connection): Attachment {
    const { member } = arrival;
    const nowMs = this.#parts.clock.now();
    const known = member.sessions.get(arrival.sessionId);
    const silent = known !== undefined && isPresent(known) && known.pubkey === arrival.pubkey;
    const lastSeenAtMs = known?.lastSeenAtMs ?? 0;
    this.#endTwins(arrival);
    if (known?.connection) this.#release(known.connection, 1000, "session_replaced");
    if (known !== undefined && isPresent(known)) this.#unindex(known);
    const session = known ?? this.#blank(arrival, nowMs);
    const summary = session.summary;
    const restoredGroups = silent ? null : this.#beginLife(session, arrival, known, nowMs);
    if (silent && session.pid !== arrival.pid) foldStats(session);
    describe(session, arrival);
    session.presence = "live";
    session.lastSeenAtMs = nowMs;
    member.lastSeenAtMs = nowMs;
    member.sessions.set(session.id, session);
    this.#index(session);
    const connection = connect(session);
    session.connection = connection;
    this.#parts.store.changed(session);
    const restored = known === undefined ? null : { summary, lastSeenAtMs, groups: restoredGroups };
    if (!silent) this.#announce(session, known === undefined ? null : lastSeenAtMs);
    return { session, connection, silent, restored };
  }

  /** The connection is gone: its session is leased, unless another connection has taken its place. */
  detach(connection: Connection): void {
    const { session } = connection;
    if (session.connection !== connection) return;
    const nowMs = this.#parts.clock.now();
    session.connection = null;
    session.presence = "leased";
    session.lastSeenAtMs = nowMs;
    session.member.lastSeenAtMs = nowMs;
    this.#parts.store.changed(session);
    if (!this.#closed) this.#lease(session, this.#parts.leaseMs);
  }

  /** Ends the session at once, closing its connection; its state is remembered. */
  end(session: Session, code: number, reason: string): void {
    if (!isPresent(session)) return;
    const { connection } = session;
    session.connection = null;
    connection?.close(code, reason);
    this.#remember(session);
  }

  /** What the session shows of itself has changed. */
  changed(session: Session): void {
    this.#parts.store.changed(session);
  }

  /** The session was hidden or shows itself again: the others are told. */
  visibilityChanged(session: Session): void {
    this.#parts.store.changed(session);
    this.#parts.news.visibility(session);
  }

  /** From now on a lost connection leaves its session as it is, to be leased by the next start. */
  close(): void {
    this.#closed = true;
    for (const cancel of this.#leases.values()) cancel();
    this.#leases.clear();
  }

  #release(connection: Connection, code: number, reason: string): void {
    connection.session.connection = null;
    connection.close(code, reason);
  }

  /** A session key stands for one session: whoever had it under another session id makes room. */
  #endTwins({ member, sessionId, pubkey }: Arrival): void {
    if (pubkey === null) return;
    for (const twin of [...this.#byPubkey.get(pubkey) ?? []]) {
      if (twin.member === member && twin.id !== sessionId) this.end(twin, 1000, "session_replaced");
    }
  }

  #blank(arrival: Arrival, nowMs: number): Session {
    const { member } = arrival;
    return {
      ...rememberedSession(member, {
        memberId: member.id,
        sessionId: arrival.sessionId,
        groups: member.defaultGroups,
        profile: {},
        visible: true,
        summary: null,
        displayName: null,
        stats: {},
        lastSeenAtMs: nowMs,
      }),
    };
  }

  /** A new presence of the session begins. Returns the groups it got back, null when it brought its own. */
  #beginLife(
    session: Session,
    arrival: Arrival,
    known: Session | undefined,
    nowMs: number,
  ): Group[] | null {
    if (isPresent(session)) this.#parts.store.presenceEnded(session, nowMs);
    foldStats(session);
    session.presenceId = this.#parts.random.id();
    session.status = "idle";
    session.statusSource = "jsonl";
    session.statusAtMs = nowMs;
    session.connectedAtMs = nowMs;
    if (arrival.groups.length > 0) {
      session.groups = [...arrival.groups];
      return null;
    }
    const kept = session.groups.length > 0;
    if (!kept) session.groups = [...arrival.member.defaultGroups];
    return known !== undefined && kept ? session.groups : null;
  }

  #announce(session: Session, lastSeenAtMs: number | null): void {
    const { store, news } = this.#parts;
    if (lastSeenAtMs === null) news.joined(session);
    else news.returned(session, lastSeenAtMs);
    store.audit(session.member.mesh, {
      event: "peer_joined",
      actor: session.member,
      payload: { presenceId: session.presenceId },
    });
  }

  #lease(session: Session, forMs: number): void {
    this.#leases.get(session)?.();
    const expire = () => {
      this.#leases.delete(session);
      this.#remember(session);
    };
    this.#leases.set(session, this.#parts.clock.after(forMs, expire));
  }

  #remember(session: Session): void {
    const { store, news, clock, drain } = this.#parts;
    this.#unindex(session);
    store.presenceEnded(session, clock.now());
    session.presence = "remembered";
    foldStats(session);
    store.changed(session);
    news.left(session);
    store.audit(session.member.mesh, {
      event: "peer_left",
      actor: session.member,
      payload: { presenceId: session.presenceId },
    });
    dropOldest(session.member);
    drain(session.member);
  }

  #forget(session: Session): void {
    this.#unindex(session);
    this.#parts.store.presenceEnded(session, this.#parts.clock.now());
  }

  #index(session: Session): void {
    add(this.#byId, session.id, session);
    if (session.pubkey !== null) add(this.#byPubkey, session.pubkey, session);
  }

  #unindex(session: Session): void {
    this.#leases.get(session)?.();
    this.#leases.delete(session);
    remove(this.#byId, session.id, session);
    if (session.pubkey !== null) remove(this.#byPubkey, session.pubkey, session);
  }
}

/** Where the session runs and how it calls itself now. */
function describe(session: Session, arrival: Arrival): void {
  session.pubkey = arrival.pubkey;
  session.peerRole = arrival.peerRole;
  session.displayName = arrival.displayName ?? arrival.member.displayName;
  session.pid = arrival.pid;
  session.cwd = arrival.cwd;
  session.hostname = arrival.hostname;
  session.peerType = arrival.peerType;
  session.channel = arrival.channel;
  session.model = arrival.model;
}

/** The counters of the life that ends join those of the earlier ones. */
function foldStats(session: Session): void {
  session.earlierStats = addedStats(session.earlierStats, session.stats);
  session.stats = {};
}

function dropOldest(member: Member): void {
  const gone = [...member.sessions.values()].filter((each) => !isPresent(each));
  if (gone.length <= REMEMBERED_PER_MEMBER) return;
  gone.sort((left, right) => left.lastSeenAtMs - right.lastSeenAtMs);
  for (const session of gone.slice(0, gone.length - REMEMBERED_PER_MEMBER)) {
    member.sessions.delete(session.id);
  }
}

function add(index: Map<string, Set<Session>>, key: string, session: Session): void {
  const sessions = index.get(key);
  if (sessions === undefined) index.set(key, new Set([session]));
  else sessions.add(session);
}

function remove(index: Map<string, Set<Session>>, key: string, session: Session): void {
  const sessions = index.get(key);
  sessions?.delete(session);
  if (sessions?.size === 0) index.delete(key);
}
