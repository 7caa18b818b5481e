/**
 * Tells the meshes what each session does: at once when it changes, again while it lasts (a broker takes `working` back
 * after a minute of silence), and once more when a mesh is reached again. Where no hook speaks, the transcript is asked.
 */
import { presence } from "../../broker/api/presence.ts";
import { summarizeError } from "../core/local_error.ts";
import type { MeshPeerApi } from "../core/mesh_peer_api.ts";
import type { AgentLog } from "./agent_log.ts";
import type { Session, Sessions, Status } from "./sessions.ts";
import { transcriptStatus } from "./transcript.ts";

const TICK_MS = 15_000;
const REPEAT_MS = 20_000;
const CALL_TIMEOUT_MS = 5_000;
/** So long a hook's word stands before the transcript is asked. */
const HOOK_FRESH_MS = 30_000;

interface Report {
  readonly status: Status;
  readonly atMs: number;
}

export class StatusReporter {
  readonly #sessions: Sessions;
  readonly #peersOf: (session: Session) => MeshPeerApi[];
  readonly #log: AgentLog;
  readonly #nowMs: () => number;
  /** Session and mesh -> what was reported and taken. */
  readonly #reported = new WeakMap<Session, Map<string, Report>>();
  readonly #timer: ReturnType<typeof setInterval>;

  constructor(
    sessions: Sessions,
    peersOf: (session: Session) => MeshPeerApi[],
    log: AgentLog,
    nowMs: () => number = Date.now,
  ) {
    this.#sessions = sessions;
    this.#peersOf = peersOf;
    this.#log = log;
    this.#nowMs = nowMs;
    this.#timer = setInterval(() => void this.refresh(), TICK_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** A mesh was reached again: it may have missed what was told before. */
  meshReached(meshId: string): void {
    for (const session of this.#sessions.all()) {
      this.#reported.get(session)?.delete(meshId);
      this.report(session);
    }
  }

  /** Reports a session's status to its meshes where that is due. Does not wait. */
  report(session: Session): void {
    const { status, source } = session.activity;
    if (status === null || source === null) return;
    for (const peer of this.#peersOf(session)) {
      if (this.#isDue(session, peer.mesh.meshId, status)) {
        void this.#send(session, peer, status, source);
      }
    }
  }

  /** Asks the transcripts of sessions whose hooks are silent, and repeats what lasts. */
  async refresh(): Promise<void> {
    for (const session of this.#sessions.all()) {
      const { activity } = session;
      const silentMs = this.#nowMs() - activity.lastHookAtMs;
      if (activity.transcriptPath !== null && silentMs >= HOOK_FRESH_MS) {
        const inferred = await transcriptStatus(activity.transcriptPath, this.#nowMs());
        if (inferred !== null) {
          activity.status = inferred;
          activity.source = "jsonl";
        }
      }
      this.report(session);
    }
  }

  #isDue(session: Session, meshId: string, status: Status): boolean {
    const last = this.#reported.get(session)?.get(meshId);
    if (last?.status !== status) return true;
    return status === "working" && this.#nowMs() - last.atMs >= REPEAT_MS;
  }

  async #send(
    session: Session,
    peer: MeshPeerApi,
    status: Status,
    source: "hook" | "jsonl",
  ): Promise<void> {
    const reported = this.#reported.get(session) ?? new Map<string, Report>();
    this.#reported.set(session, reported);
    const { meshId } = peer.mesh;
    const report = { status, atMs: this.#nowMs() };
    // Set before the answer, so that a burst of hooks makes one call; taken back when it fails.
    reported.set(meshId, report);
    try {
      const { sessionId } = session;
      const options = { sessionId, timeoutMs: CALL_TIMEOUT_MS };
      await peer.call(presence.setStatus, { status, source }, options);
    } catch (error) {
      if (reported.get(meshId) === report) reported.delete(meshId);
      this.#log.info("status_not_reported", { mesh: meshId, code: summarizeError(error).code });
    }
  }
}
