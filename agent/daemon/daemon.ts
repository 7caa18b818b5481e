/**
 * The agent: the joined meshes, the sessions attached to it, and the local socket through which everything on this
 * machine reaches them.
 */
import type { AgentHome } from "../core/agent_home.ts";
import type { LocalClient } from "../core/local_client.ts";
import { summarizeError } from "../core/local_error.ts";
import type { AgentInfo, LocalEvent } from "../core/local_types.ts";
import type { MeshPeerApi, PeerEvent } from "../core/mesh_peer_api.ts";
import { LOCAL_API_REVISION } from "../core/local_wire.ts";
import { FileLog } from "./agent_log.ts";
import { connectInProcess } from "./in_process_client.ts";
import { JoinedMeshes, type MakePeer, stateOf } from "./joined_meshes.ts";
import type { Agent, Connection } from "./local_method_context.ts";
import { localMessage } from "./local_message.ts";
import { LocalServer } from "./local_server.ts";
import { type Session, Sessions } from "./sessions.ts";
import { StatusReporter } from "./status_reporter.ts";
import { Transfers } from "./transfers.ts";
import { streamKey } from "./stream_methods.ts";

/** What an agent is started with; who starts it knows the home. */
export interface DaemonSetup {
  readonly home: AgentHome;
  readonly paths: {
    readonly configDir: string;
    readonly socketPath: string;
    readonly logFile: string;
  };
  /** Takes the home's lock, makes the folder of the socket; throws when another agent holds it. */
  acquireLock(): { release(): void };
  readonly makePeer: MakePeer;
  /** The version of this program. */
  readonly version: string;
}

/** A running agent. */
export interface Daemon {
  readonly socketPath: string;
  /** Settles when a client has asked it to stop. */
  readonly stopRequested: Promise<void>;
  /** Connects within the process. */
  connect(): LocalClient;
  /** Sends and stores what was accepted, then closes everything. */
  close(): Promise<void>;
}

/**
 * Starts the agent. It answers on its socket when this returns; meshes connect in the background.
 * @throws the lock's error when another agent runs, and what the home says about a broken configuration.
 */
export async function startDaemon(setup: DaemonSetup): Promise<Daemon> {
  const lock = setup.acquireLock();
  try {
    const daemon = new RunningDaemon(setup, lock);
    await daemon.start();
    return daemon;
  } catch (error) {
    lock.release();
    throw error;
  }
}

class RunningDaemon implements Daemon, Agent {
  readonly home: AgentHome;
  readonly log: FileLog;
  readonly meshes: JoinedMeshes;
  readonly sessions = new Sessions();
  readonly transfers = new Transfers(() => this.nowMs());
  readonly reporter: StatusReporter;
  readonly socketPath: string;
  readonly stopRequested: Promise<void>;
  readonly #setup: DaemonSetup;
  readonly #lock: { release(): void };
  readonly #server: LocalServer;
  readonly #inProcess = new Set<Connection>();
  readonly #arrivalListeners = new Set<() => void>();
  readonly #startedAt = new Date().toISOString();
  readonly #stop = Promise.withResolvers<void>();
  #closing: Promise<void> | null = null;

  constructor(setup: DaemonSetup, lock: { release(): void }) {
    this.#setup = setup;
    this.#lock = lock;
    this.home = setup.home;
    this.socketPath = setup.paths.socketPath;
    this.log = new FileLog(setup.paths.logFile);
    this.stopRequested = this.#stop.promise;
    this.meshes = new JoinedMeshes(
      setup.home,
      setup.makePeer,
      (peer, event) => this.#onPeerEvent(peer, event),
    );
    this.reporter = new StatusReporter(
      this.sessions,
      (session) => this.peersOf(session),
      this.log,
    );
    this.#server = new LocalServer(this);
  }

  async start(): Promise<void> {
    try {
      await this.meshes.reload();
      await this.#server.listen(this.socketPath);
    } catch (error) {
      const { code, message } = summarizeError(error);
      this.log.error("start_failed", { code, message });
      this.reporter.stop();
      await this.meshes.stop();
      this.log.close();
      throw error;
    }
    const meshes = this.meshes.slugs().length;
    this.log.info("started", { version: this.#setup.version, pid: Deno.pid, meshes });
  }

  connect(): LocalClient {
    return connectInProcess(this, (connection) => {
      this.#inProcess.add(connection);
      return () => this.#inProcess.delete(connection);
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.reporter.stop();
    this.#server.stopListening();
    await this.meshes.stop();
    this.log.info("stopped", { pid: Deno.pid });
    this.#lock.release();
    // Last, so that whoever waits for the end of a connection may start another agent, or remove the home.
    await this.#server.close();
    this.log.close();
  }

  // What the local methods see of the agent.

  info(): AgentInfo {
    const attached = this.sessions.all().map((session) => ({
      sessionId: session.sessionId,
      pid: session.info.pid,
      cwd: session.info.cwd,
      meshes: this.peersOf(session).map((peer) => peer.mesh.slug),
      status: session.activity.status ?? "unknown",
    }));
    return {
      version: this.#setup.version,
      revision: LOCAL_API_REVISION,
      pid: Deno.pid,
      sessions: attached.length,
      startedAt: this.#startedAt,
      configDir: this.#setup.paths.configDir,
      socketPath: this.socketPath,
      meshes: this.meshes.states(),
      attached,
    };
  }

  requestStop(): void {
    this.#stop.resolve();
  }

  async reload(): Promise<string[]> {
    const before = new Set(this.meshes.peers());
    const slugs = await this.meshes.reload();
    for (const session of this.sessions.all()) {
      for (const peer of this.peersOf(session)) {
        if (!before.has(peer)) peer.attachSession(session.info);
      }
    }
    return slugs;
  }

  peersOf(session: Session | null): MeshPeerApi[] {
    return this.meshes.peers(session?.meshes);
  }

  defaultMode(): Session["messageMode"] {
    return this.home.readConfig().messageMode ?? "push";
  }

  nowMs(): number {
    return Date.now();
  }

  connections(): Connection[] {
    return [...this.#server.connections, ...this.#inProcess];
  }

  onArrival(listener: () => void): () => void {
    this.#arrivalListeners.add(listener);
    return () => this.#arrivalListeners.delete(listener);
  }

  // What the meshes tell, to whom it concerns.

  #onPeerEvent(peer: MeshPeerApi, event: PeerEvent): void {
    const mesh = peer.mesh.slug;
    if (event.kind === "message") {
      this.#onMessage(peer, { kind: "message", mesh, message: localMessage(event.message) });
      return;
    }
    if (event.kind === "state") {
      if (event.state.connected) this.reporter.meshReached(peer.mesh.meshId);
      this.#tell(peer, { kind: "state", mesh, state: stateOf(peer) });
      return;
    }
    if (event.kind === "stream") return this.#onStream(peer, event);
    const { data } = event;
    if (event.event === "peer_file_served") this.#logServed(peer, data);
    const own = [data.memberPubkey, data.pubkey].includes(peer.mesh.pubkey);
    this.#tell(peer, {
      kind: "system",
      mesh,
      meshId: peer.mesh.meshId,
      event: event.event,
      data,
      own,
    });
  }

  /** Whose files were read by whom is the owner's to look up. */
  #logServed(peer: MeshPeerApi, data: Readonly<Record<string, unknown>>): void {
    const { pubkey, do: how, path, refused } = data;
    const fields = { by: String(pubkey), do: String(how), path: String(path) };
    const mesh = peer.mesh.meshId;
    const code = typeof refused === "string" ? refused : null;
    this.log.info("peer_file_served", { mesh, ...fields, refused: code });
  }

  /** A message goes to the sessions that it is for; the inbox knows which. */
  #onMessage(peer: MeshPeerApi, event: LocalEvent): void {
    const told = new Set<Connection>();
    for (const connection of this.#watchers(peer)) {
      told.add(connection);
      connection.emit(event);
    }
    for (const session of this.#sessionsOf(peer)) {
      for (const message of session.mail.fill(peer)) {
        for (const connection of session.connections) {
          if (told.has(connection as Connection)) continue;
          connection.emit({ kind: "message", mesh: peer.mesh.slug, message });
        }
      }
    }
    for (const listener of [...this.#arrivalListeners]) listener();
  }

  /** News of a stream go to the session that follows it, or to the clients that watch it. */
  #onStream(peer: MeshPeerApi, { follower, news }: PeerEvent & { kind: "stream" }): void {
    const { meshId, slug: mesh } = peer.mesh;
    const key = streamKey(meshId, news.stream);
    const told = follower === null
      ? this.connections().filter(({ streams }) => streams.has(key))
      : this.sessions.get(follower)?.connections ?? [];
    for (const connection of told) connection.emit({ kind: "stream", mesh, meshId, news });
  }

  #tell(peer: MeshPeerApi, event: LocalEvent): void {
    const told = new Set<{ emit(event: LocalEvent): void }>(this.#watchers(peer));
    for (const session of this.#sessionsOf(peer)) {
      // What a session did itself is no news to it.
      if (event.kind === "system" && event.data.updatedBySession === session.sessionId) continue;
      for (const connection of session.connections) told.add(connection);
    }
    for (const connection of told) connection.emit(event);
  }

  #sessionsOf(peer: MeshPeerApi): Session[] {
    return this.sessions.all().filter(({ meshes }) => meshes?.includes(peer.mesh.slug) ?? true);
  }

  #watchers(peer: MeshPeerApi): Connection[] {
    return this.connections().filter(({ watched }) =>
      watched.has("all") || watched.has(peer.mesh.slug)
    );
  }
}
