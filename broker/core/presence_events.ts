/**
 * Tells a mesh who came and who went. What happens within a moment is told together: a session that left and came back
 * meanwhile is no news, and many at once become one event, so that a large mesh is not flooded when everybody reconnects.
 */
import { presenceEvents } from "../api/presence.ts";
import type { CancelTimer, Clock } from "./clock.ts";
import { isListed } from "./listing.ts";
import type { Connection, Mesh, Session } from "./model.ts";
import type { SystemEvents } from "./system_events.ts";

const WINDOW_MS = 200;
/** In a mesh of so many connections each event is as many frames: there the moment is longer. */
const LARGE_MESH = 100;
const LARGE_WINDOW_MS = 1_000;
/** So many events of a window are told one by one. */
const SINGLE_EVENTS = 20;
/** So many names a common event carries. */
const NAMED = 5;
/** So many frames a window may cost when its events are told one by one. */
const SINGLE_FRAMES = 2_000;

type Change = "joined" | "returned" | "left";

interface Person {
  readonly name: string;
  readonly pubkey: string;
}

interface Window {
  readonly changes: Map<Session, { kind: Change; person: Person; lastSeenAtMs: number | null }>;
  readonly cancel: CancelTimer;
}

export class PresenceEvents {
  readonly #clock: Clock;
  readonly #events: SystemEvents;
  readonly #windows = new Map<Mesh, Window>();
  /** Sessions that the others know of: only their leaving is news. */
  readonly #told = new WeakSet<Session>();

  constructor(clock: Clock, events: SystemEvents) {
    this.#clock = clock;
    this.#events = events;
  }

  /** A session connected for the first time. */
  joined(session: Session): void {
    this.#note(session, "joined", null);
  }

  /** A session that the mesh has seen before connected again. */
  returned(session: Session, lastSeenAtMs: number): void {
    this.#note(session, "returned", lastSeenAtMs);
  }

  /** The others were told of this session by the broker that ran before. */
  known(session: Session): void {
    if (session.visible && isListed(session)) this.#told.add(session);
  }

  /** A session is gone for good. */
  left(session: Session): void {
    const waiting = this.#windows.get(session.member.mesh)?.changes.has(session) ?? false;
    if (waiting || this.#told.has(session)) this.#note(session, "left", null);
  }

  /** A session was hidden or is listed again. */
  visibility(session: Session): void {
    if (session.visible) this.#told.add(session);
    else this.#told.delete(session);
    const spec = session.visible ? presenceEvents.peerVisible : presenceEvents.peerHidden;
    this.#events.toMesh(
      session.member.mesh,
      spec,
      personOf(session),
      (connection) => connection.session !== session,
    );
  }

  /** Drops what was not told yet; the broker stops. */
  close(): void {
    for (const window of this.#windows.values()) window.cancel();
    this.#windows.clear();
  }

  #note(session: Session, kind: Change, lastSeenAtMs: number | null): void {
    const { mesh } = session.member;
    let window = this.#windows.get(mesh);
    if (window === undefined) {
      const windowMs = mesh.connections.size > LARGE_MESH ? LARGE_WINDOW_MS : WINDOW_MS;
      const cancel = this.#clock.after(windowMs, () => this.#tell(mesh));
      window = { changes: new Map(), cancel };
      this.#windows.set(mesh, window);
    }
    const earlier = window.changes.get(session);
    if (kind === "left" && earlier !== undefined && earlier.kind !== "left") {
      window.changes.delete(session);
      if (earlier.kind === "joined") return;
    }
    window.changes.set(session, { kind, person: personOf(session), lastSeenAtMs });
  }

  #tell(mesh: Mesh): void {
    const changes = this.#windows.get(mesh)?.changes ?? new Map();
    this.#windows.delete(mesh);
    const arrivals: [Session, number | null][] = [];
    const departures: [Session, Person][] = [];
    for (const [session, { kind, person, lastSeenAtMs }] of changes) {
      if (kind === "left") {
        if (this.#told.delete(session)) departures.push([session, person]);
      } else if (session.visible && isListed(session)) {
        this.#told.add(session);
        arrivals.push([session, lastSeenAtMs]);
      }
    }
    this.#tellDepartures(mesh, departures);
    this.#tellArrivals(mesh, arrivals);
  }

  #tellDepartures(mesh: Mesh, departures: readonly [Session, Person][]): void {
    if (fewEnough(mesh, departures.length)) {
      for (const [session, person] of departures) {
        this.#events.toMesh(mesh, presenceEvents.peerLeft, person, othersThan(session));
      }
      return;
    }
    const peers = departures.slice(0, NAMED).map(([, person]) => person);
    this.#events.toMesh(mesh, presenceEvents.peersLeft, { count: departures.length, peers });
  }

  #tellArrivals(mesh: Mesh, arrivals: readonly [Session, number | null][]): void {
    if (fewEnough(mesh, arrivals.length)) {
      for (const [session, lastSeenAtMs] of arrivals) {
        this.#tellArrival(mesh, session, lastSeenAtMs);
      }
      return;
    }
    const peers = arrivals.slice(0, NAMED).map(([session]) => arrivalOf(session));
    this.#events.toMesh(mesh, presenceEvents.peersJoined, { count: arrivals.length, peers });
  }

  #tellArrival(mesh: Mesh, session: Session, lastSeenAtMs: number | null): void {
    const arrival = arrivalOf(session);
    if (lastSeenAtMs === null) {
      this.#events.toMesh(mesh, presenceEvents.peerJoined, arrival, othersThan(session));
      return;
    }
    const data = {
      ...arrival,
      lastSeenAt: new Date(lastSeenAtMs).toISOString(),
      ...(session.summary === null ? {} : { summary: session.summary }),
    };
    this.#events.toMesh(mesh, presenceEvents.peerReturned, data, othersThan(session));
  }
}

function fewEnough(mesh: Mesh, count: number): boolean {
  return count <= 1 || (count <= SINGLE_EVENTS && count * mesh.connections.size <= SINGLE_FRAMES);
}

/** Everybody but the session itself; an agent's control connection is no news to the agent's own sessions. */
function othersThan(session: Session): (connection: Connection) => boolean {
  return (connection) =>
    connection.session !== session &&
    (session.peerRole === "session" || connection.member !== session.member);
}

function personOf(session: Session): Person {
  return { name: session.displayName, pubkey: session.pubkey ?? session.member.pubkey };
}

function arrivalOf(session: Session) {
  return {
    ...personOf(session),
    memberPubkey: session.member.pubkey,
    groups: session.groups,
    peerRole: session.peerRole,
  };
}
