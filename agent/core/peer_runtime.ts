/**
 * One joined mesh at work: connections, stores, sending, receiving and key duties wired together. `MeshPeer` is its face.
 */
import { stateEvents } from "../../broker/api/state.ts";
import type { HelloAck } from "../../broker/api/hello.ts";
import { members } from "../../broker/api/members.ts";
import { presence } from "../../broker/api/presence.ts";
import { PROTOCOL_REVISION } from "../../broker/api/revisions.ts";
import { signHello } from "../../crypto/hello_proof.ts";
import type { AgentClock } from "./agent_clock.ts";
import type { AgentHome, JoinedMesh } from "./agent_home.ts";
import { brokerSocketUrl } from "./broker_url.ts";
import type { Frame } from "./frame.ts";
import { MeshFiles } from "./files/mesh_files.ts";
import { KeyDuties } from "./key_duties.ts";
import { Link } from "./link.ts";
import type { InboxMessage, MeshPeerApi, PeerEvent } from "./mesh_peer_api.ts";
import { sendFrame } from "./message_sealer.ts";
import { openStores, type PeerStores } from "./peer_stores.ts";
import { PingMessages } from "./ping_messages.ts";
import { readPush } from "./push_frame.ts";
import { Readers } from "./readers.ts";
import { Receiver } from "./receiver.ts";
import { SeenReports } from "./seen_reports.ts";
import { Sender } from "./sender.ts";
import { LINK_CAPABILITIES, SessionLinks } from "./session_links.ts";
import { type Follower, StreamFollowing } from "./stream_following.ts";

export interface PeerRuntimeOptions {
  readonly mesh: JoinedMesh;
  readonly home: AgentHome;
  readonly clock: AgentClock;
  readonly call: MeshPeerApi["call"];
  readonly resolve: MeshPeerApi["resolve"];
  /** Tells what the broker calls this member and lets it do. */
  adopt(self: Pick<JoinedMesh, "role" | "displayName">): void;
  emit(event: PeerEvent): void;
  /** Called when anything of the state may have changed. */
  onChange(): void;
}

/** The agent's own session of a member; its id must differ from that of other members. */
function controlSessionOf(memberId: string): string {
  return `agent-${memberId}`;
}
/** Frames of their own that tell what changed, as system events do. */
const EVENT_FRAMES: ReadonlySet<string> = new Set([stateEvents.stateChange.wire]);
const DIRECTORY_EVENTS: ReadonlySet<string> = new Set([
  "member_added",
  "member_removed",
  "member_renamed",
  "mesh_key_changed",
  "peer_joined",
  "peer_left",
  "peer_returned",
  "peers_joined",
  "peers_left",
]);
const FIRST_SWEEP_MS = 60_000;
const SWEEP_MS = 6 * 60 * 60 * 1000;

export class PeerRuntime {
  readonly stores: PeerStores;
  readonly link: Link;
  readonly sessions: SessionLinks;
  readonly sender: Sender;
  readonly receiver: Receiver;
  readonly readers: Readers;
  readonly duties: KeyDuties;
  readonly pings: PingMessages;
  readonly seen: SeenReports;
  readonly streams: StreamFollowing;
  readonly files: MeshFiles;
  readonly #options: PeerRuntimeOptions;
  #ack: HelloAck | null = null;
  #directoryIsStale = true;
  #fetching: Promise<void> | null = null;
  #cancelSweep: () => void;
  #background = new Set<Promise<unknown>>();
  #stopped = false;

  /** Opens the stores and wires everything; nothing connects yet. Throws LocalError or a home's error. */
  constructor(options: PeerRuntimeOptions) {
    this.#options = options;
    const { mesh, home, clock, call, onChange } = options;
    const now = () => clock.now();
    this.stores = openStores(home, mesh, now);
    const { member, keyring, holders, inbox, outbox } = this.stores;
    const url = brokerSocketUrl(mesh.brokerUrl);
    this.link = new Link({
      url,
      clock,
      hello: () => this.#hello(),
      onFrame: (frame) => this.#onFrame(frame, this.link, null),
      onStatus: (status) => {
        if (status.kind === "up") this.#connected(status.ack);
        else this.#disconnected();
      },
    });
    this.sessions = this.#sessionLinks(url);
    this.streams = new StreamFollowing({
      clock,
      link: (follower) => follower === null ? this.link : this.sessions.link(follower),
      emit: (follower, news) => this.#options.emit({ kind: "stream", follower, news }),
    });
    this.pings = new PingMessages(clock);
    this.receiver = new Receiver({
      inbox,
      clock,
      keys: {
        meshId: mesh.meshId,
        member,
        epochKey: (epoch) => keyring.get(epoch),
        sessionSecretKeys: () => this.sessions.secretKeys,
      },
      onMessages: (messages) => this.#onMessages(messages),
      onPing: (id) => this.pings.arrived(id),
      onProblem: onChange,
    });
    this.readers = new Readers(inbox, () => this.sessions.readers);
    this.seen = new SeenReports(inbox, this.link);
    this.duties = new KeyDuties({
      mesh,
      member,
      keyring,
      holders,
      home,
      clock,
      call,
      onChange: () => this.#keysChanged(),
    });
    this.sender = new Sender({
      outbox,
      clock,
      link: (sessionId) => this.#sendingLink(sessionId),
      prepare: (entry) => {
        const epoch = keyring.newest;
        return sendFrame(entry, mesh.meshId, member, epoch, this.currentKey());
      },
      refreshKeys: () => this.duties.refresh(),
      onChange,
    });
    this.files = this.#meshFiles();
    this.#cancelSweep = clock.after(FIRST_SWEEP_MS, () => this.#sweep());
  }

  #meshFiles(): MeshFiles {
    const { mesh, home, clock, call, resolve, emit } = this.#options;
    const { member, keyring } = this.stores;
    return new MeshFiles({
      meshId: mesh.meshId,
      brokerUrl: mesh.brokerUrl,
      member,
      keyring,
      clock,
      call,
      resolve,
      currentKey: () => {
        const key = this.currentKey();
        return key === null ? null : { epoch: keyring.newest, key };
      },
      refreshKeys: () => this.duties.refresh(),
      stateFolder: home.stateDir(mesh.meshId),
      hostname: Deno.hostname(),
      onServed: ({ by, ...served }) => {
        const name = this.stores.directory.member(by)?.displayName ?? by.slice(0, 12);
        emit({ kind: "system", event: "peer_file_served", data: { pubkey: by, name, ...served } });
      },
    });
  }

  #sessionLinks(url: string): SessionLinks {
    const { mesh, home, clock, onChange } = this.#options;
    return new SessionLinks({
      mesh,
      member: this.stores.member,
      home,
      clock,
      url,
      onFrame: (frame, link, sessionId) => this.#onFrame(frame, link, sessionId),
      onStatus: (sessionId, isUp) => {
        this.sender.pump();
        if (isUp) this.streams.connected(sessionId);
        onChange();
      },
    });
  }

  /** What the broker told about the mesh on the last connection. */
  get ack(): HelloAck | null {
    return this.#ack;
  }

  /** The key of the current epoch, null while it is waited for. */
  currentKey(): Uint8Array | null {
    const { keyring } = this.stores;
    return this.duties.status.keyState === "current" ? keyring.get(keyring.newest) : null;
  }

  /** Fetches members and peers when they may have changed, `afresh` in any case; rejects as `call` does. */
  async refreshDirectory({ afresh = false } = {}): Promise<void> {
    if (afresh) {
      // What was asked before may be answered without them.
      await Promise.allSettled([this.#fetching]);
      this.#directoryIsStale = true;
    }
    if (this.#fetching === null && !this.#directoryIsStale) return;
    this.#fetching ??= this.#fetchDirectory().finally(() => {
      this.#fetching = null;
    });
    await this.#fetching;
  }

  async #fetchDirectory(): Promise<void> {
    const { call } = this.#options;
    // Before the answers: what happens meanwhile makes them stale again.
    this.#directoryIsStale = false;
    try {
      const [listed, here] = await Promise.all([
        call(members.listMembers, {}),
        call(presence.listPeers, {}),
      ]);
      this.stores.directory.update(listed.members, here.peers);
    } catch (error) {
      this.#directoryIsStale = true;
      throw error;
    }
  }

  /** Ends everything in order; resolves when what was accepted is on disk and all is closed. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelSweep();
    this.sender.stop();
    const duties = this.duties.stop();
    this.streams.stop();
    const files = this.files.stop();
    this.receiver.close();
    await Promise.all([this.link.stop(), this.sessions.stop()]);
    await Promise.all([duties, files]);
    await this.seen.stop();
    await Promise.allSettled(this.#background);
    this.stores.outbox.close();
    this.stores.inbox.close();
  }

  #hello(): Record<string, unknown> {
    const { mesh, clock } = this.#options;
    const { member } = this.stores;
    const { meshId, memberId } = mesh;
    const timestamp = clock.now();
    return {
      type: "hello",
      protocolVersion: PROTOCOL_REVISION,
      capabilities: LINK_CAPABILITIES,
      meshId,
      memberId,
      pubkey: member.publicKey,
      sessionId: controlSessionOf(memberId),
      pid: Deno.pid,
      cwd: "",
      hostname: Deno.hostname(),
      channel: "claudemesh-agent",
      timestamp,
      signature: signHello({ meshId, memberId, timestamp }, member.secretKey),
    };
  }

  #connected(ack: HelloAck): void {
    this.#ack = ack;
    this.#directoryIsStale = true;
    this.#options.adopt({ role: ack.memberRole, displayName: ack.memberDisplayName });
    this.sender.setPace(ack.limits.sendsPerMinute, ack.limits.sendBurst);
    this.duties.connected(ack);
    this.seen.report();
    this.sender.pump();
    this.streams.connected(null);
    this.files.connected();
    this.#inBackground(() => this.refreshDirectory());
    this.#options.onChange();
  }

  #disconnected(): void {
    this.files.connectionLost();
    this.#options.onChange();
  }

  #onFrame(frame: Frame, link: Link, follower: Follower): void {
    if (frame.type === "push_batch" && Array.isArray(frame.pushes)) {
      for (const push of frame.pushes) this.#onPush(push, link);
    } else if (frame.type === "push") {
      this.#onPush(frame, link);
    } else if (this.streams.take(follower, frame) || this.files.take(frame, link)) {
      return;
    } else if (link === this.link && EVENT_FRAMES.has(frame.type)) {
      const { type, ...data } = frame;
      this.#options.emit({ kind: "system", event: type, data });
    }
  }

  #onPush(value: unknown, link: Link): void {
    const { subtype, event, eventData } = value as Record<string, unknown>;
    if (subtype === "system") {
      // Each connection of a member gets system events; the control connection's are the ones that count.
      if (link === this.link && typeof event === "string") this.#onSystem(event, eventData);
      return;
    }
    const push = readPush(value);
    if (push !== null) this.receiver.take(push, link);
  }

  #onSystem(event: string, eventData: unknown): void {
    const isObject = typeof eventData === "object" && eventData !== null;
    const data = isObject ? eventData as Record<string, unknown> : {};
    if (DIRECTORY_EVENTS.has(event)) {
      this.#directoryIsStale = true;
      this.stores.directory.apply(event, data);
    }
    const { memberId } = this.#options.mesh;
    const isOwnName = event === "member_renamed" && data.memberId === memberId;
    if (isOwnName && typeof data.name === "string" && this.#ack !== null) {
      this.#options.adopt({ role: this.#ack.memberRole, displayName: data.name });
    }
    if (event === "member_removed" && typeof data.pubkey === "string") {
      this.stores.holders.remove(data.pubkey);
    }
    this.duties.onEvent(event);
    this.#options.emit({ kind: "system", event, data });
  }

  #onMessages(messages: readonly InboxMessage[]): void {
    const { holders } = this.stores;
    for (const message of messages) {
      // Only a holder of the mesh key can have sealed it.
      if (message.verification === "signed" && message.kind !== "direct") {
        holders.add(message.senderKey);
      }
      this.#options.emit({ kind: "message", message });
    }
    this.#options.onChange();
  }

  #keysChanged(): void {
    this.sender.keysChanged();
    this.files.keysChanged();
    try {
      this.receiver.openPending();
    } catch {
      // The inbox takes nothing at the moment and says so in its problems; the next change of keys tries again.
    }
    this.#options.onChange();
  }

  #sendingLink(sessionId: string | null): Link | null {
    const own = sessionId === null ? undefined : this.sessions.link(sessionId);
    if (own?.isUp) return own;
    return this.link.isUp ? this.link : null;
  }

  #sweep(): void {
    this.#cancelSweep = this.#options.clock.after(SWEEP_MS, () => this.#sweep());
    try {
      this.stores.inbox.sweep();
    } catch {
      // Nothing is lost by keeping old messages longer; the inbox tells what is wrong with it.
    }
  }

  /** Runs `work` beside everything; what it fails at is met again on the next connection. */
  #inBackground(work: () => Promise<void>): void {
    if (this.#stopped) return;
    const running = work().catch(() => {}).finally(() => this.#background.delete(running));
    this.#background.add(running);
  }
}
