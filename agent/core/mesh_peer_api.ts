/**
 * The face of one joined mesh: what the daemon, the MCP server and tests ask of a `MeshPeer`.
 */
import type * as z from "zod";
import type { Group, Priority } from "../../broker/api/fields.ts";
import type { Op } from "../../broker/api/op.ts";
import type { JoinedMesh } from "./agent_home.ts";
import type { MeshFiles } from "./files/mesh_files.ts";
import type { StreamNews, StreamPosition } from "./stream_news.ts";

/** How it stands with a mesh; a new object after each change. */
export interface MeshPeerState {
  readonly connected: boolean;
  /** Why there is no connection, or what is wrong with it; null when all is well. */
  readonly reason: string | null;
  /** What to do about `reason`, null when waiting is enough. */
  readonly hint: string | null;
  /** True when it will not try again by itself: kicked, banned, refused. */
  readonly stopped: boolean;
  readonly presenceId: string | null;
  /** Current epoch as the broker says; null before the first connection. */
  readonly epoch: number | null;
  /** "current": holds the current epoch's key; "waiting": group messages cannot be sent or read yet. */
  readonly keyState: "current" | "waiting";
  readonly waitingReason: string | null;
  readonly rekeyNeeded: boolean;
  /** Broken or full stores and refused keys, each a sentence; empty when all is well. */
  readonly problems: readonly string[];
  /** Messages in the outbox that the broker has not taken yet. */
  readonly queued: number;
  /** Messages that were refused for good and not dismissed yet. */
  readonly refused: number;
  /** Messages in the inbox that nobody has seen. */
  readonly unseen: number;
}

/** A session to be shown in the mesh. */
export interface SessionInfo {
  /** The host's own session id; identity survives restarts through it. */
  readonly sessionId: string;
  readonly pid: number;
  readonly cwd: string;
  readonly displayName?: string;
  readonly groups?: readonly Group[];
  readonly channel?: string;
  readonly model?: string;
  readonly peerType?: "ai" | "human" | "connector" | "bridge";
}

export interface SendRequest {
  /** Name, unique part of a name, key or its first 8 digits, `@group`, `@all`, `*`; without a mesh prefix. */
  readonly to: string;
  readonly body: string;
  /** What the body is; "text" by default. */
  readonly type?: string;
  readonly priority?: Priority;
  /** Broker or client message id of the message that this one answers. */
  readonly replyTo?: string;
  readonly sessionId?: string;
  /** How long to wait for the broker's answer; 5,000 by default, 0 for not at all. */
  readonly waitMs?: number;
}

export interface SendResult {
  readonly clientMessageId: string;
  /** The broker's id, null while queued here. */
  readonly messageId: string | null;
  readonly state: "sent" | "queued_locally";
  /** How many members it goes to, null while queued here. */
  readonly recipients: number | null;
  /** What `to` was resolved to: a member key, `@group` or `*`. */
  readonly target: string;
}

/** A message in the inbox. */
export interface InboxMessage {
  /** Position in the inbox: order of arrival. */
  readonly seq: number;
  /** The broker's id. */
  readonly messageId: string;
  /** The sender's own id of it, signed in body version 2. */
  readonly clientMessageId: string | null;
  readonly meshId: string;
  readonly meshSlug: string;
  /** The sender's member key, proved by the message unless `verification` says otherwise. */
  readonly senderKey: string;
  readonly senderSessionKey: string | null;
  readonly senderMemberId: string;
  /** As the broker names the sender: not proved. */
  readonly senderName: string;
  /** A member key, a session key, `@group`, `@all` or `*`. */
  readonly target: string;
  readonly kind: "direct" | "group" | "broadcast";
  readonly priority: Priority;
  readonly type: string;
  /** Null unless `state` is "ok". */
  readonly body: string | null;
  readonly replyTo: string | null;
  /** By the sender's clock (ms); by the broker's for body version 1. */
  readonly sentAtMs: number;
  readonly receivedAtMs: number;
  /** "signed": the sender's signature covers all of it; "boxed": body version 1, which proves the sender's key only. */
  readonly verification: "signed" | "boxed" | "none";
  /** "pending_key": waits for an epoch's key; "rejected": see `reason`, its text is not to be trusted. */
  readonly state: "ok" | "pending_key" | "rejected";
  readonly reason: string | null;
  readonly seenAtMs: number | null;
}

/** A message in the outbox; its text is not told. */
export interface OutboxMessage {
  readonly clientMessageId: string;
  readonly target: string;
  readonly priority: Priority;
  readonly state: "queued" | "refused";
  readonly createdAtMs: number;
  readonly errorCode: string | null;
  readonly error: string | null;
}

export interface TakeOptions {
  /** 100 by default. */
  readonly limit?: number;
  /** All but `low` by default. */
  readonly priorities?: readonly Priority[];
  /** True: do not count as handed. */
  readonly peek?: boolean;
}

/** How long one message to oneself took. */
export interface PingResult {
  readonly priority: Priority;
  /** Until the broker had committed it; null when it did not in time. */
  readonly committedMs: number | null;
  /** Until it was in this agent's inbox; null when it was held or lost. */
  readonly deliveredMs: number | null;
}

export type PeerEvent =
  | { readonly kind: "message"; readonly message: InboxMessage }
  | {
    readonly kind: "system";
    readonly event: string;
    readonly data: Readonly<Record<string, unknown>>;
  }
  /** `follower`: the session that follows the stream, null for `followStream`. */
  | { readonly kind: "stream"; readonly follower: string | null; readonly news: StreamNews }
  | { readonly kind: "state"; readonly state: MeshPeerState };

/** One joined mesh. Rejections are MeshError (the broker's) or LocalError (ours). */
export interface MeshPeerApi {
  readonly mesh: JoinedMesh;
  readonly state: MeshPeerState;
  /** Shared files, and those of peers' disks; throws while a key or file cannot be used. */
  readonly files: MeshFiles;
  /**
   * Opens the stores and begins to connect. A key or file that cannot be used is told in `state`, and every other call
   * then throws that error until it can be.
   */
  start(): void;
  /** Tries a key or file again that could not be used; does nothing where all could. */
  mend(): void;
  /** Stops for good; resolves when everything that was accepted is on disk and all is closed. */
  stop(): Promise<void>;
  /** Forgets waiting times and terminal refusals and connects again. */
  reconnect(): void;
  /** Shows a session in the mesh; returns at once, connecting goes on in the background. */
  attachSession(session: SessionInfo): void;
  detachSession(sessionId: string): void;
  /** Calls an operation, over the session's own connection when one is named. */
  call<I extends z.ZodObject, O extends z.ZodObject>(
    op: Op<I, O>,
    input: z.input<I>,
    options?: { sessionId?: string; timeoutMs?: number },
  ): Promise<z.output<O>>;
  send(request: SendRequest): Promise<SendResult>;
  /** Resolves a name to what `send` would use; for lists of targets and `verify`. */
  resolve(to: string): Promise<ResolvedTarget>;
  /** Hands messages to a reader: an attached session's id, or a name of the caller's own. */
  take(reader: string, options?: TakeOptions): InboxMessage[];
  /** Marks messages (broker ids) as put before the model or a person; returns how many were new. */
  markSeen(messageIds: readonly string[]): number;
  /** The newest messages, oldest first; `sinceMs` by time of arrival. */
  list(options?: { limit?: number; sinceMs?: number; unseenOnly?: boolean }): InboxMessage[];
  /** What waits in the outbox or was refused. */
  outbox(): OutboxMessage[];
  /** Deletes refused messages from the outbox; all of them without ids. Returns how many. */
  dismiss(clientMessageIds?: readonly string[]): number;
  /** Hands the mesh key to a member that joined without the invite's secret; a person has decided. */
  handOver(
    member: string,
  ): Promise<{ memberId: string; name: string; pubkey: string; epoch: number }>;
  createInvite(options: {
    role?: "admin" | "member";
    uses?: number;
    expiresInMs?: number;
    groups?: readonly Group[];
  }): Promise<{ url: string; code: string; expiresAt: string }>;
  /** Sends one message to oneself for each priority and times it. */
  ping(priorities?: readonly Priority[], timeoutMs?: number): Promise<PingResult[]>;
  /** Follows a stream for no session in particular, this member's own events included; goes on when called again. */
  followStream(stream: string): Promise<StreamPosition>;
  unfollowStream(stream: string): Promise<boolean>;
  /** Calls `listener` on every event until the returned function is called. */
  on(listener: (event: PeerEvent) => void): () => void;
}

/** What a name stands for. */
export interface ResolvedTarget {
  /** What goes into the frame: a member or session key, `@group`, `*`. */
  readonly target: string;
  readonly kind: "member" | "session" | "group" | "everyone";
  /** The recipient's member key; null for groups and everyone. */
  readonly memberKey: string | null;
  /** How people call it. */
  readonly name: string;
}
