/**
 * The sessions attached to this agent: host programs that show themselves in the meshes, each with its waiting messages
 * and with what its hooks have told. A session is known by the host's own id, and by the host's process for hooks that
 * report another id (after the host cleared or resumed a conversation).
 */
import type { LocalParams } from "../core/local_api.ts";
import type { LocalEvent, SessionState } from "../core/local_types.ts";
import type { SessionInfo } from "../core/mesh_peer_api.ts";
import { SessionMail } from "./session_mail.ts";

/** What a client connection looks like from here. */
export interface EventSink {
  emit(event: LocalEvent): void;
}

export type Status = "idle" | "working" | "dnd";
export type AttachParams = LocalParams<"session.attach">;

export interface Session {
  readonly sessionId: string;
  info: SessionInfo;
  /** Slugs it is limited to, null for all joined meshes. */
  meshes: readonly string[] | null;
  messageMode: SessionState["messageMode"];
  readonly mail: SessionMail;
  readonly connections: Set<EventSink>;
  readonly activity: Activity;
}

/** What is known of a session's doings; kept for sessions that only hooks have named, too. */
export interface Activity {
  status: Status | null;
  source: "hook" | "jsonl" | null;
  lastHookAtMs: number;
  transcriptPath: string | null;
  /** How far the transcript has been searched for channel events. */
  searchedByte: number;
  /** How often in a row a finishing turn was continued. */
  continuations: number;
}

/** Hooks of sessions that never attach are forgotten beyond so many. */
const MAX_UNATTACHED = 64;
/** Waiting messages outlive a session that comes back; of so many sessions. */
const MAX_KEPT_MAIL = 256;

function newActivity(): Activity {
  return {
    status: null,
    source: null,
    lastHookAtMs: 0,
    transcriptPath: null,
    searchedByte: 0,
    continuations: 0,
  };
}

export class Sessions {
  readonly #sessions = new Map<string, Session>();
  /** The host's later ids -> the attached one. */
  readonly #aliases = new Map<string, string>();
  readonly #activities = new Map<string, Activity>();
  readonly #mail = new Map<string, SessionMail>();

  all(): Session[] {
    return [...this.#sessions.values()];
  }

  get(sessionId: string): Session | undefined {
    return this.#sessions.get(sessionId) ?? this.#sessions.get(this.#aliases.get(sessionId) ?? "");
  }

  /** What waits for a session, whether it is attached or not. */
  mailOf(sessionId: string): SessionMail | undefined {
    return this.get(sessionId)?.mail ?? this.#mail.get(sessionId);
  }

  /** Attaches a session, or one more connection of it; its newest description counts. */
  attach(
    params: AttachParams,
    connection: EventSink,
    messageMode: SessionState["messageMode"],
  ): { session: Session; isNew: boolean } {
    const { sessionId, meshes, transcriptPath } = params;
    const known = this.#sessions.get(sessionId);
    const session: Session = known ?? {
      sessionId,
      info: sessionInfo(params),
      meshes: null,
      messageMode,
      mail: this.#keepMail(sessionId),
      connections: new Set(),
      activity: this.#activities.get(sessionId) ?? newActivity(),
    };
    this.#activities.delete(sessionId);
    session.info = sessionInfo(params);
    session.meshes = meshes ?? null;
    session.messageMode = messageMode;
    session.connections.add(connection);
    session.activity.transcriptPath ??= transcriptPath ?? null;
    this.#sessions.set(sessionId, session);
    return { session, isNew: known === undefined };
  }

  /** Takes a connection away from a session; returns the session when that was its last. */
  release(sessionId: string, connection: EventSink): Session | null {
    const session = this.#sessions.get(sessionId);
    if (session === undefined || !session.connections.delete(connection)) return null;
    return session.connections.size > 0 ? null : this.#forget(session);
  }

  /** Ends a session whatever its connections; returns it, or null when it is not attached. */
  detach(sessionId: string): Session | null {
    const session = this.get(sessionId);
    return session === undefined ? null : this.#forget(session);
  }

  /** The inbox hands a message to a session once: what was not confirmed must survive the session's return. */
  #keepMail(sessionId: string): SessionMail {
    const mail = this.#mail.get(sessionId) ?? new SessionMail(sessionId);
    this.#mail.delete(sessionId);
    this.#mail.set(sessionId, mail);
    const oldest = [...this.#mail.keys()].find((each) => !this.#sessions.has(each));
    if (this.#mail.size > MAX_KEPT_MAIL && oldest !== undefined && oldest !== sessionId) {
      this.#mail.delete(oldest);
    }
    return mail;
  }

  #forget(session: Session): Session {
    this.#sessions.delete(session.sessionId);
    for (const [alias, target] of this.#aliases) {
      if (target === session.sessionId) this.#aliases.delete(alias);
    }
    return session;
  }

  /**
   * The attached session that a hook speaks for: by its id, else by the host's process. A host that has taken a new id
   * stays the session it was.
   */
  ofHook(sessionId: string, hostPids: readonly number[]): Session | undefined {
    const known = this.get(sessionId);
    if (known !== undefined) return known;
    for (const pid of hostPids) {
      const sameHost = this.all().filter((session) => session.info.pid === pid);
      const [only] = sameHost;
      if (only === undefined || sameHost.length > 1) continue;
      if (sessionId !== "") this.#aliases.set(sessionId, only.sessionId);
      return only;
    }
    return undefined;
  }

  /** What waits for a session that is not attached, and what hooks have told of it. */
  unattached(sessionId: string): { mail: SessionMail; activity: Activity } {
    const activity = this.#activities.get(sessionId) ?? newActivity();
    // Last used stands last, so that the oldest goes first.
    this.#activities.delete(sessionId);
    this.#activities.set(sessionId, activity);
    const [oldest] = this.#activities.keys();
    if (this.#activities.size > MAX_UNATTACHED && oldest !== undefined) {
      this.#activities.delete(oldest);
    }
    return { mail: this.#keepMail(sessionId), activity };
  }
}

function sessionInfo(params: AttachParams): SessionInfo {
  const { sessionId, pid, cwd, displayName, groups, channel, model, peerType } = params;
  return {
    sessionId,
    pid,
    cwd,
    ...(displayName === undefined ? {} : { displayName }),
    ...(groups === undefined ? {} : { groups }),
    ...(channel === undefined ? {} : { channel }),
    ...(model === undefined ? {} : { model }),
    ...(peerType === undefined ? {} : { peerType }),
  };
}
