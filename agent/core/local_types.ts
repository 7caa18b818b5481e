/**
 * The values that travel over the agent's local socket, as its clients read them. Types alone, so that a hook or a verb
 * that only asks pays for no schema.
 */
import type { Transfer } from "./file_types.ts";
import type { ErrorSummary } from "./local_error.ts";
import type { MeshPeerState, OutboxMessage, ResolvedTarget } from "./mesh_peer_api.ts";
import type { MessageMode, Priority } from "../../broker/api/fields.ts";
import type { StreamNews, StreamPosition } from "./stream_news.ts";

/** The agent's first line on every connection. */
export interface AgentGreeting {
  readonly version: string;
  readonly revision: number;
  readonly pid: number;
  /** Sessions attached at the moment. */
  readonly sessions: number;
}

/** One joined mesh: what the configuration says of it, and how it stands. */
export interface MeshState extends MeshPeerState {
  readonly meshId: string;
  readonly slug: string;
  readonly name: string;
  readonly memberId: string;
  /** This member's key. */
  readonly pubkey: string;
  readonly displayName: string;
  readonly role: string;
  readonly custody: string;
  readonly brokerUrl: string;
}

export interface AgentInfo extends AgentGreeting {
  readonly startedAt: string;
  readonly configDir: string;
  readonly socketPath: string;
  readonly meshes: readonly MeshState[];
  readonly attached: readonly {
    readonly sessionId: string;
    readonly pid: number;
    readonly cwd: string;
    readonly meshes: readonly string[];
    readonly status: string;
  }[];
}

export interface SessionState {
  readonly sessionId: string;
  readonly messageMode: MessageMode;
  readonly meshes: readonly MeshState[];
}

/** The outcome of an operation on one mesh. */
export type CallResult =
  | { readonly mesh: string; readonly ok: true; readonly output: Record<string, unknown> }
  | { readonly mesh: string; readonly ok: false; readonly error: ErrorSummary };

/** The outcome of a message for one recipient as it was named. */
export type DeliveryResult =
  & { readonly to: string; readonly mesh: string | null }
  & (
    | {
      readonly ok: true;
      /** `queued_locally`: on disk here, not yet acknowledged by the broker. */
      readonly state: "sent" | "queued_locally";
      readonly messageId: string | null;
      readonly clientMessageId: string;
      readonly recipients: number | null;
      /** Why it has not left this machine, and what to do where waiting is not enough; null when it has. */
      readonly reason: string | null;
      readonly hint: string | null;
    }
    | { readonly ok: false; readonly error: ErrorSummary }
  );

/** A message of the inbox. Its text comes from a peer: data, never an instruction. */
export interface LocalMessage {
  /** The broker's message id, in full. */
  readonly id: string;
  readonly meshId: string;
  /** The mesh's slug. */
  readonly mesh: string;
  /** As the broker names the sender: not proved. */
  readonly fromName: string;
  /** The sender's member key. */
  readonly fromPubkey: string;
  /** The sending session's key, null where it has none. */
  readonly fromSessionPubkey: string | null;
  /** A member key, a session key, `@group`, `@all` or `*`. */
  readonly target: string;
  readonly kind: "direct" | "group" | "broadcast";
  readonly priority: Priority;
  /** What the body is: "text" unless the sender says otherwise. */
  readonly type: string;
  /** Null unless `state` is "ok". */
  readonly text: string | null;
  readonly state: "ok" | "pending_key" | "rejected";
  /** Why there is no text. */
  readonly reason: string | null;
  /** "signed": by the sender's member key; "boxed": proves that key only (older clients); "none": not proved. */
  readonly verification: "signed" | "boxed" | "none";
  readonly replyTo: string | null;
  readonly sentAt: string;
  readonly receivedAt: string;
  readonly seenAt: string | null;
}

/** A message that has not gone out, with its mesh. */
export type WaitingMessage = OutboxMessage & { readonly mesh: string };

/** What a name stands for in a mesh. */
export type ResolvedName = ResolvedTarget & { readonly mesh: string };

/** What a hook prints for Claude Code; see its hooks reference. */
export type HookOutput =
  | {
    readonly hookSpecificOutput: {
      readonly hookEventName: string;
      readonly additionalContext: string;
    };
  }
  | { readonly decision: "block"; readonly reason: string };

export interface HookAnswer {
  /** What to print, null for nothing. */
  readonly output: HookOutput | null;
  /** Messages that the output carries in full: report them with `messages.seen` once it is printed. */
  readonly carried: readonly string[];
  /** The session that they were carried to, as `messages.seen` wants it; null when nothing was carried. */
  readonly sessionId: string | null;
}

export interface InviteLink {
  readonly url: string;
  readonly code: string;
  readonly expiresAt: string;
}

/** How long a test message took, and what stands in the way of pushes. */
export interface PingResult {
  readonly mesh: string;
  readonly connected: boolean;
  readonly reason: string | null;
  readonly status: string | null;
  readonly peers: number | null;
  /** Messages in the inbox that nobody has seen. */
  readonly unseen: number;
  /** To the broker and back without its store, in milliseconds; null when not connected. */
  readonly linkMs: number | null;
  readonly rounds: readonly {
    readonly priority: Priority;
    /** Send to acknowledgement, in milliseconds; null when none came. */
    readonly ackMs: number | null;
    /** Of that, what the broker took to have it on disk. */
    readonly commitMs: number | null;
    /** Send to arrival in this agent's inbox, in milliseconds; null when it did not come. */
    readonly arrivalMs: number | null;
    /** Of that, from the acknowledgement on: held, pushed and written into the inbox. */
    readonly pushMs: number | null;
    readonly warning: string | null;
  }[];
}

/** Where a client that watches a stream begins: everything from `from` on is told as events. */
export type WatchedStream = StreamPosition & { readonly mesh: string };

/** What the agent tells its clients unasked, as `params` of the notification `event`. */
export type LocalEvent =
  | { readonly kind: "message"; readonly mesh: string; readonly message: LocalMessage }
  | {
    readonly kind: "system";
    readonly mesh: string;
    readonly meshId: string;
    readonly event: string;
    readonly data: Record<string, unknown>;
    /** The event is about a connection of this member itself. */
    readonly own: boolean;
  }
  /** Of a stream that the session subscribed to, or that the client watches. */
  | {
    readonly kind: "stream";
    readonly mesh: string;
    readonly meshId: string;
    readonly news: StreamNews;
  }
  /** To the client that began the transfer. */
  | { readonly kind: "transfer"; readonly mesh: string; readonly transfer: Transfer }
  | { readonly kind: "state"; readonly mesh: string; readonly state: MeshState };
