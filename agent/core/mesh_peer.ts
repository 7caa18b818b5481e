/**
 * One joined mesh: the face that the daemon, the MCP server and the verbs use (`MeshPeerApi`). It works without a
 * connection as far as the mesh's files allow, and says in `state` what is missing.
 */
import type * as z from "zod";
import type { Group, Priority } from "../../broker/api/fields.ts";
import type { members } from "../../broker/api/members.ts";
import type { Op } from "../../broker/api/op.ts";
import { sealDirect } from "../../crypto/direct_message.ts";
import { randomId } from "../../crypto/random.ts";
import { type AgentClock, systemClock } from "./agent_clock.ts";
import type { AgentHome, JoinedMesh } from "./agent_home.ts";
import type { MeshFiles } from "./files/mesh_files.ts";
import { type InviteWishes, makeInvite } from "./invite_maker.ts";
import type { LinkStatus } from "./link.ts";
import { LocalError, summarizeError } from "./local_error.ts";
import type {
  InboxMessage,
  MeshPeerApi,
  MeshPeerState,
  OutboxMessage,
  PeerEvent,
  PingResult,
  ResolvedTarget,
  SendRequest,
  SendResult,
  SessionInfo,
  TakeOptions,
} from "./mesh_peer_api.ts";
import { sealEntry, waitingForKey } from "./message_sealer.ts";
import { PeerRuntime } from "./peer_runtime.ts";
import { PING_TYPE } from "./ping_messages.ts";
import type { StreamPosition } from "./stream_news.ts";
import type { Committed } from "./sender.ts";

export interface MeshPeerOptions {
  readonly mesh: JoinedMesh;
  readonly home: AgentHome;
  /** The machine's own by default. */
  readonly clock?: AgentClock;
}

const CALL_TIMEOUT_MS = 5_000;
const SEND_WAIT_MS = 5_000;
const PING_TIMEOUT_MS = 5_000;
const LIST_LIMIT = 100;
const PING_PRIORITIES: readonly Priority[] = ["now", "next", "low"];

export class MeshPeer implements MeshPeerApi {
  readonly #home: AgentHome;
  readonly #clock: AgentClock;
  readonly #listeners = new Set<(event: PeerEvent) => void>();
  #mesh: JoinedMesh;
  #runtime: PeerRuntime | null = null;
  /** Why there is no runtime: a key or a file that cannot be used. */
  #unusable: Error | null = null;
  #changePending = false;

  constructor(options: MeshPeerOptions) {
    this.#mesh = options.mesh;
    this.#home = options.home;
    this.#clock = options.clock ?? systemClock;
  }

  get mesh(): JoinedMesh {
    return this.#mesh;
  }

  get state(): MeshPeerState {
    const runtime = this.#runtime;
    if (runtime === null) return this.#idleState();
    const { inbox, outbox, directory } = runtime.stores;
    const { epoch, keyState, waitingReason, rekeyNeeded } = runtime.duties.status;
    const { status } = runtime.link;
    return {
      connected: status.kind === "up",
      ...reasonOf(status),
      presenceId: status.kind === "up" ? status.ack.presenceId : null,
      epoch,
      keyState,
      waitingReason,
      rekeyNeeded,
      problems: [...inbox.problems, ...outbox.problems, ...directory.problems],
      queued: outbox.queue.length,
      refused: outbox.refusedCount(),
      unseen: inbox.unseenCount(),
    };
  }

  get files(): MeshFiles {
    return this.#running().files;
  }

  start(): void {
    if (this.#runtime !== null) return;
    this.#unusable = null;
    try {
      this.#runtime = new PeerRuntime({
        mesh: this.mesh,
        home: this.#home,
        clock: this.#clock,
        call: (op, input, options) => this.call(op, input, options),
        resolve: (to) => this.resolve(to),
        adopt: (self) => this.#adopt(self),
        emit: (event) => this.#emit(event),
        onChange: () => this.#changed(),
      });
    } catch (error) {
      this.#unusable = error instanceof Error ? error : new Error("unknown failure");
      this.#changed();
      return;
    }
    this.#runtime.link.start();
  }

  async stop(): Promise<void> {
    const runtime = this.#runtime;
    this.#listeners.clear();
    this.#unusable = null;
    if (runtime === null) return;
    await runtime.stop();
    this.#runtime = null;
  }

  mend(): void {
    if (this.#unusable !== null) this.start();
  }

  reconnect(): void {
    if (this.#runtime === null) this.start();
    this.#runtime?.link.retry();
    this.#runtime?.sessions.retry();
  }

  attachSession(session: SessionInfo): void {
    const runtime = this.#running();
    runtime.sessions.attach(session);
    runtime.readers.begin(session.sessionId);
  }

  detachSession(sessionId: string): void {
    this.#runtime?.streams.drop(sessionId);
    this.#runtime?.sessions.detach(sessionId);
  }

  async call<I extends z.ZodObject, O extends z.ZodObject>(
    op: Op<I, O>,
    input: z.input<I>,
    options: { sessionId?: string; timeoutMs?: number } = {},
  ): Promise<z.output<O>> {
    const runtime = this.#running();
    const { sessionId, timeoutMs = op.patienceMs ?? CALL_TIMEOUT_MS } = options;
    if (op.wire === "subscribe" || op.wire === "unsubscribe") {
      return op.output.parse(await followingCall(runtime, op.wire, input, sessionId));
    }
    const own = sessionId === undefined ? undefined : runtime.sessions.link(sessionId);
    const link = own ?? runtime.link;
    await link.ready(timeoutMs);
    const frame = await link.request(op.wire, input as Record<string, unknown>, timeoutMs);
    const output = op.output.safeParse(frame);
    if (frame.type !== op.reply || !output.success) {
      throw new LocalError("bad_answer", `the broker answered ${op.wire} in an unknown way`, {
        hint: "this program may be older than the broker",
      });
    }
    // The agent's own record is what it serves files by; only this machine writes it.
    if (op.wire === "set_grants") runtime.files.grants.note(grantsOf(input));
    if (own !== undefined && sessionId !== undefined) {
      this.#noteGroups(runtime, op.wire, sessionId, output.data as Record<string, unknown>);
    }
    return output.data as z.output<O>;
  }

  async send(request: SendRequest): Promise<SendResult> {
    const runtime = this.#running();
    const target = await this.resolve(request.to);
    const { member, directory, outbox } = runtime.stores;
    const key = runtime.currentKey();
    if (target.memberKey === null && key === null) {
      throw waitingForKey(runtime.duties.status.waitingReason ?? undefined);
    }
    const recipient = target.memberKey === null ? undefined : directory.member(target.memberKey);
    const id = randomId();
    const entry = sealEntry(
      {
        id,
        target,
        bodyVersion: recipient?.bodyVersion ?? 2,
        body: request.body,
        type: request.type ?? "text",
        priority: request.priority ?? "next",
        replyTo: request.replyTo ?? null,
        sessionId: request.sessionId ?? null,
        createdAtMs: this.#clock.now(),
      },
      this.mesh.meshId,
      member,
      key,
    );
    const waitMs = request.waitMs ?? SEND_WAIT_MS;
    const committed = waitMs > 0 ? runtime.sender.committed(id) : null;
    // Awaited below; a refusal that comes before must not count as unhandled.
    committed?.catch(() => {});
    try {
      await outbox.add(entry);
    } catch (error) {
      runtime.sender.forget(id);
      throw error;
    }
    runtime.sender.pump();
    this.#changed();
    const answer = committed === null ? null : await this.#within(runtime, id, committed, waitMs);
    return {
      clientMessageId: id,
      target: target.target,
      messageId: answer?.messageId ?? null,
      recipients: answer?.recipients ?? null,
      state: answer === null ? "queued_locally" : "sent",
    };
  }

  async resolve(to: string): Promise<ResolvedTarget> {
    const runtime = this.#running();
    const { directory } = runtime.stores;
    // A known key needs no look-up; its owner's agent may have learnt a new body version, though.
    const isKnown = (directory.member(to.trim())?.bodyVersion ?? 1) >= 2;
    if (isKnown || /^\s*[@*]/.test(to)) return directory.resolve(to);
    const canAsk = () =>
      runtime.link.isUp || (directory.isEmpty && runtime.link.status.kind === "connecting");
    if (canAsk()) await refreshed(runtime);
    try {
      return directory.resolve(to);
    } catch (error) {
      if (!(error instanceof LocalError) || error.code !== "not_found" || !canAsk()) throw error;
    }
    // Whoever joined a moment ago may have written before the broker tells everyone that they are there.
    await refreshed(runtime, { afresh: true });
    return directory.resolve(to);
  }

  take(reader: string, options: TakeOptions = {}): InboxMessage[] {
    return this.#running().readers.take(reader, options);
  }

  markSeen(messageIds: readonly string[]): number {
    const runtime = this.#running();
    const count = runtime.stores.inbox.markSeen(messageIds);
    if (count > 0) {
      runtime.seen.report();
      this.#changed();
    }
    return count;
  }

  list(
    options: { limit?: number; sinceMs?: number; unseenOnly?: boolean } = {},
  ): InboxMessage[] {
    const { limit = LIST_LIMIT, sinceMs = 0, unseenOnly = false } = options;
    return this.#running().stores.inbox.list({ limit, sinceMs, unseenOnly });
  }

  outbox(): OutboxMessage[] {
    return this.#running().stores.outbox.list();
  }

  dismiss(clientMessageIds?: readonly string[]): number {
    const count = this.#running().stores.outbox.dismiss(clientMessageIds);
    if (count > 0) this.#changed();
    return count;
  }

  async handOver(
    member: string,
  ): Promise<{ memberId: string; name: string; pubkey: string; epoch: number }> {
    return await this.#running().duties.handOver(member);
  }

  async createInvite(
    options: InviteWishes,
  ): Promise<{ url: string; code: string; expiresAt: string }> {
    const runtime = this.#running();
    await runtime.link.ready(CALL_TIMEOUT_MS);
    const { member, keyring } = runtime.stores;
    return await makeInvite(options, {
      mesh: this.mesh,
      member,
      keyring,
      home: this.#home,
      publicUrl: runtime.ack?.mesh.publicUrl ?? this.mesh.brokerUrl,
      call: (op, input) => this.call(op, input),
      now: () => this.#clock.now(),
    });
  }

  async ping(
    priorities: readonly Priority[] = PING_PRIORITIES,
    timeoutMs: number = PING_TIMEOUT_MS,
  ): Promise<PingResult[]> {
    const runtime = this.#running();
    await runtime.link.ready(timeoutMs);
    const results: PingResult[] = [];
    for (const priority of priorities) {
      const id = randomId();
      const frame = this.#pingFrame(runtime, id, priority);
      results.push(
        await runtime.pings.run(
          id,
          priority,
          timeoutMs,
          () => runtime.link.request("send", frame, timeoutMs),
        ),
      );
    }
    return results;
  }

  async followStream(stream: string): Promise<StreamPosition> {
    return await this.#running().streams.follow(null, stream);
  }

  async unfollowStream(stream: string): Promise<boolean> {
    return await this.#running().streams.unfollow(null, stream);
  }

  on(listener: (event: PeerEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** The configuration follows what the broker says of this member's role and name. */
  #adopt({ role, displayName }: Pick<JoinedMesh, "role" | "displayName">): void {
    if (role === this.#mesh.role && displayName === this.#mesh.displayName) return;
    this.#mesh = { ...this.#mesh, role, displayName };
    this.#home.updateConfig((config) => ({
      ...config,
      meshes: config.meshes.map((each) =>
        each.meshId === this.#mesh.meshId ? { ...each, role, displayName } : each
      ),
    }));
    this.#changed();
  }

  #running(): PeerRuntime {
    this.mend();
    if (this.#runtime !== null) return this.#runtime;
    throw this.#unusable ?? new LocalError("offline", "this mesh has not been started");
  }

  #idleState(): MeshPeerState {
    const unusable = this.#unusable === null ? null : summarizeError(this.#unusable);
    return {
      connected: false,
      reason: unusable?.message ?? "not started",
      hint: unusable?.hint ?? null,
      stopped: true,
      presenceId: null,
      epoch: null,
      keyState: "waiting",
      waitingReason: null,
      rekeyNeeded: false,
      problems: unusable === null ? [] : [unusable.message],
      queued: 0,
      refused: 0,
      unseen: 0,
    };
  }

  #pingFrame(runtime: PeerRuntime, id: string, priority: Priority): Record<string, unknown> {
    const { member } = runtime.stores;
    const fields = {
      id,
      mesh: this.mesh.meshId,
      from: member.publicKey,
      to: member.publicKey,
      sentAt: this.#clock.now(),
      priority,
      type: PING_TYPE,
      body: "",
    };
    const { nonce, ciphertext } = sealDirect(fields, member.secretKey, member.publicKey);
    return {
      id,
      client_message_id: id,
      targetSpec: member.publicKey,
      priority,
      bodyVersion: 2,
      nonce,
      ciphertext,
    };
  }

  /** The broker's answer, null when it does not come within `waitMs`. */
  async #within(
    runtime: PeerRuntime,
    id: string,
    committed: Promise<Committed>,
    waitMs: number,
  ): Promise<Committed | null> {
    let cancel: () => void = () => {};
    const late = new Promise<null>((resolve) => {
      cancel = this.#clock.after(waitMs, () => resolve(null));
    });
    try {
      return await Promise.race([committed, late]);
    } catch (error) {
      // Stopped meanwhile: the message is on disk and goes out at the next start.
      if (error instanceof LocalError && error.code === "offline") return null;
      throw error;
    } finally {
      cancel();
      runtime.sender.forget(id);
    }
  }

  #noteGroups(
    runtime: PeerRuntime,
    wire: string,
    sessionId: string,
    output: Record<string, unknown>,
  ): void {
    if (wire !== "join_group" && wire !== "leave_group") return;
    runtime.sessions.setGroups(sessionId, output.groups as Group[]);
  }

  #emit(event: PeerEvent): void {
    for (const listener of [...this.#listeners]) listener(event);
  }

  /** Tells listeners of a new state, once for all changes of one turn. */
  #changed(): void {
    if (this.#changePending) return;
    this.#changePending = true;
    queueMicrotask(() => {
      this.#changePending = false;
      if (this.#listeners.size > 0) this.#emit({ kind: "state", state: this.state });
    });
  }
}

function grantsOf(input: unknown): Readonly<Record<string, readonly string[] | null>> {
  return (input as z.input<typeof members.setGrants.input>).grants;
}

/** A session's subscriptions are kept here, so that they outlive its connection. */
async function followingCall(
  runtime: PeerRuntime,
  wire: "subscribe" | "unsubscribe",
  input: unknown,
  sessionId: string | undefined,
): Promise<Readonly<Record<string, unknown>>> {
  const { stream, from } = input as { stream: string; from?: number };
  if (sessionId === undefined) {
    throw new LocalError("invalid_argument", "only a session can subscribe to a stream", {
      hint: `Follow it with \`claudemesh stream watch ${stream}\``,
    });
  }
  if (wire === "subscribe") return { ...await runtime.streams.follow(sessionId, stream, from) };
  return { stream, subscribed: await runtime.streams.unfollow(sessionId, stream) };
}

function reasonOf(status: LinkStatus): Pick<MeshPeerState, "reason" | "hint" | "stopped"> {
  switch (status.kind) {
    case "up":
      return { reason: null, hint: null, stopped: false };
    case "idle":
    case "connecting":
      return { reason: "connecting", hint: null, stopped: false };
    case "waiting":
      return { reason: status.failure.reason, hint: status.failure.hint, stopped: false };
    case "stopped":
      return {
        reason: status.failure?.reason ?? "stopped",
        hint: status.failure?.hint ?? null,
        stopped: true,
      };
  }
}

/** Brings the directory up to date where that is possible: without the broker the cache has to do. */
async function refreshed(runtime: PeerRuntime, options?: { afresh: boolean }): Promise<void> {
  try {
    await runtime.refreshDirectory(options);
  } catch {
    // `resolve` says when the cache is empty.
  }
}
