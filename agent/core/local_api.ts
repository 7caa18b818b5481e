/**
 * What crosses the agent's local socket: JSON-RPC 2.0, one line a message, the same user on both ends. Every method's
 * parameters are checked by its schema here; results are typed. Clients import the types alone.
 */
import * as z from "zod";
import { displayName, groups, id, messageMode, priority } from "../../broker/api/fields.ts";
import { LIMITS } from "../../broker/api/limits.ts";
import { streamName } from "../../broker/api/streams.ts";
import type { LocalSharedFolder, PeerFileList, PeerFileRead, Transfer } from "./file_types.ts";
import type {
  AgentInfo,
  CallResult,
  DeliveryResult,
  HookAnswer,
  InviteLink,
  LocalMessage,
  PingResult,
  ResolvedName,
  SessionState,
  WaitingMessage,
  WatchedStream,
} from "./local_types.ts";

export interface LocalMethod<
  Params extends z.ZodObject = z.ZodObject,
  Result = unknown,
> {
  readonly params: Params;
  /** Carries the result's type; never set. */
  readonly result?: Result;
}

function method<Result>() {
  return <Params extends z.ZodObject>(params: Params): LocalMethod<Params, Result> => ({ params });
}

const meshChoice = z.string().min(1).max(64).optional().describe("The slug of a joined mesh.");
const sessionId = z.string().min(1).max(128).describe("The host's own name of its session.");
const messageIds = z.array(z.string().min(1).max(64)).min(1).max(1024);
const waitMs = z.int().min(0).max(60_000);
const path = z.string().min(1).max(4_096);
const absolutePath = path.describe("Absolute.");
const names = z.array(z.string().min(1).max(600)).max(64);
const peer = z.string().min(1).max(600).describe("Whose; `slug:name` picks a mesh.");
/** A transfer goes on when this has passed; `file.transfer` waits on. */
const transferWaitMs = waitMs.default(50_000).describe("How long to wait for its end.");
const transfer = z.string().min(1).max(64).describe("The transfer's id at this agent.");
const force = z.boolean().default(false).describe("Write over what is there.");

const attach = z.object({
  sessionId,
  pid: z.int().nonnegative().describe("The host's process, which its hooks name too."),
  cwd: z.string().max(4096),
  displayName: displayName.optional(),
  meshes: z.array(z.string().max(64)).max(64).optional().describe("Slugs; left out: all joined."),
  groups: groups.optional(),
  channel: z.string().max(64).optional(),
  model: z.string().max(128).optional(),
  peerType: z.enum(["ai", "human", "connector", "bridge"]).optional(),
  messageMode: messageMode.optional(),
  transcriptPath: z.string().max(4096).optional().describe("Where the host writes the session."),
});

const hook = z.object({
  event: z.string().min(1).max(64).describe("Claude Code's hook_event_name."),
  sessionId: z.string().max(128),
  cwd: z.string().max(4096),
  hostPids: z.array(z.int().positive()).max(16).default([]).describe(
    "Processes that may be the host: the one it names itself, then the hook's ancestors.",
  ),
  transcriptPath: z.string().max(4096).optional(),
  stopHookActive: z.boolean().optional(),
  /** `source` of SessionStart, `reason` of SessionEnd, `notification_type` of Notification. */
  detail: z.string().max(64).optional(),
  status: z.enum(["idle", "working", "dnd"]).optional().describe("Given by `hook <status>`."),
});

export const localMethods = {
  "agent.info": method<AgentInfo>()(z.object({})),
  "agent.stop": method<{ stopping: true }>()(z.object({})),
  "agent.reload": method<{ meshes: string[] }>()(z.object({})),
  "session.attach": method<SessionState>()(attach),
  "session.detach": method<{ detached: boolean }>()(z.object({ sessionId })),
  "call": method<{ results: CallResult[] }>()(z.object({
    mesh: meshChoice,
    wire: z.string().min(1).max(64).describe("An operation of broker/api, by its frame type."),
    input: z.record(z.string(), z.unknown()).default({}),
    sessionId: sessionId.optional(),
    every: z.boolean().optional().describe("On each mesh of the session, or each joined one."),
    timeoutMs: z.int().min(1).max(60_000).optional(),
  })),
  "send": method<{ results: DeliveryResult[] }>()(z.object({
    mesh: meshChoice,
    to: z.array(z.string().min(1).max(600)).min(1).max(64).describe("`slug:name` picks a mesh."),
    body: z.string().min(1).max(LIMITS.messageBytes.value),
    priority: priority.default("next"),
    replyTo: z.string().max(64).optional(),
    sessionId: sessionId.optional(),
    waitMs: waitMs.default(5_000).describe("How long to wait for the broker's acknowledgement."),
  })),
  // What is taken counts as seen once the answer is written, unless the caller says that it will confirm it itself.
  "messages.take": method<{ messages: LocalMessage[]; more: boolean }>()(z.object({
    sessionId: sessionId.optional(),
    reader: z.string().min(1).max(128).optional().describe("Who reads, where it is no session."),
    mesh: meshChoice,
    limit: z.int().min(1).max(500).default(50),
    peek: z.boolean().default(false).describe("Leaves them unread and unseen."),
    confirm: z.boolean().default(false).describe("The caller reports `messages.seen` itself."),
    includeLow: z.boolean().default(true),
    onlyNow: z.boolean().default(false).describe("Nothing but priority now."),
    waitMs: waitMs.default(0).describe("Waits this long for the first one."),
  })),
  "messages.seen": method<{ seen: number }>()(z.object({
    ids: messageIds,
    sessionId: sessionId.optional(),
  })),
  "messages.list": method<{ messages: LocalMessage[] }>()(z.object({
    mesh: meshChoice,
    limit: z.int().min(1).max(500).default(50),
    since: z.int().nonnegative().optional().describe("Milliseconds; arrived at or after."),
  })),
  // Until the connection ends.
  "stream.watch": method<WatchedStream>()(z.object({ mesh: meshChoice, stream: streamName })),
  "messages.watch": method<{ watching: true }>()(z.object({ mesh: meshChoice })),
  "hook": method<HookAnswer>()(hook),
  // Transfers end with the connection that began them, and tell it how far they are by events.
  "file.share": method<Transfer>()(z.object({
    mesh: meshChoice,
    path: absolutePath,
    name: z.string().min(1).max(LIMITS.fileNameChars.value).optional(),
    tags: z.array(z.string().min(1).max(LIMITS.tagChars.value)).max(LIMITS.tags.value).optional(),
    to: names.default([]).describe("Members; nobody: the whole mesh."),
    expiresInMs: z.int().min(60_000).max(LIMITS.ephemeralMostMs.value).optional().describe(
      "The file goes by itself after so long.",
    ),
    sessionId: sessionId.optional(),
    waitMs: transferWaitMs,
  })),
  "file.get": method<Transfer>()(z.object({
    mesh: meshChoice,
    fileId: id,
    saveTo: absolutePath,
    force,
    sessionId: sessionId.optional(),
    waitMs: transferWaitMs,
  })),
  "file.transfer": method<Transfer>()(z.object({ transfer, waitMs: transferWaitMs })),
  "file.cancel": method<Transfer>()(z.object({ transfer })),
  "file.grant": method<
    { mesh: string; fileId: string; name: string; granted: { name: string; pubkey: string }[] }
  >()(z.object({
    mesh: meshChoice,
    fileId: id,
    to: names.min(1),
    sessionId: sessionId.optional(),
  })),
  "peerFile.read": method<PeerFileRead>()(z.object({
    mesh: meshChoice,
    peer,
    path,
    offset: z.int().nonnegative().default(0),
    sessionId: sessionId.optional(),
  })),
  "peerFile.get": method<Transfer>()(z.object({
    mesh: meshChoice,
    peer,
    path,
    saveTo: absolutePath,
    force,
    sessionId: sessionId.optional(),
    waitMs: transferWaitMs,
  })),
  "peerFile.list": method<PeerFileList>()(z.object({
    mesh: meshChoice,
    peer,
    path: z.string().max(4_096).default(""),
    pattern: z.string().min(1).max(200).optional(),
    sessionId: sessionId.optional(),
  })),
  "folder.share": method<LocalSharedFolder>()(z.object({ mesh: meshChoice, path: absolutePath })),
  "folder.unshare": method<LocalSharedFolder>()(z.object({
    mesh: meshChoice,
    path: path.describe("Absolute, or the name that peers know."),
  })),
  "folder.list": method<{ folders: LocalSharedFolder[] }>()(z.object({ mesh: meshChoice })),
  "invite.create": method<InviteLink>()(z.object({
    mesh: meshChoice,
    role: z.enum(["admin", "member"]).default("member"),
    uses: z.int().min(1).max(1_000).default(1),
    expiresInMs: z.int().positive().optional(),
    groups: groups.optional().describe("Groups that who joins gets."),
  })),
  "key.handOver": method<{ memberId: string; name: string; pubkey: string; epoch: number }>()(
    z.object({
      mesh: meshChoice,
      member: z.string().min(1).max(128).describe("A member's display name, id or full key."),
    }),
  ),
  "ping": method<{ results: PingResult[] }>()(z.object({
    mesh: meshChoice,
    priorities: z.array(priority).min(1).max(3).default(["now", "next"]),
    sessionId: sessionId.optional(),
  })),
  "resolve": method<ResolvedName>()(z.object({
    mesh: meshChoice,
    to: z.string().min(1).max(600).describe("As for `send`."),
  })),
  "outbox.list": method<{ messages: WaitingMessage[] }>()(z.object({ mesh: meshChoice })),
  "outbox.dismiss": method<{ dismissed: number }>()(z.object({
    mesh: meshChoice,
    ids: z.array(z.string().max(128)).max(1_024).optional().describe("Left out: all refused."),
  })),
  "mesh.reconnect": method<{ meshes: string[] }>()(z.object({ mesh: meshChoice })),
  "mesh.leave": method<{ mesh: string }>()(z.object({
    mesh: z.string().min(1).max(64),
    onlyHere: z.boolean().default(false).describe("Forgets it without telling the broker."),
  })),
} as const;

type Methods = typeof localMethods;
export type LocalMethodName = keyof Methods;
/** What a client passes; fields with defaults may be left out. */
export type LocalParams<M extends LocalMethodName> = z.input<Methods[M]["params"]>;
/** What a handler receives. */
export type ParsedParams<M extends LocalMethodName> = z.output<Methods[M]["params"]>;
export type LocalResult<M extends LocalMethodName> = Methods[M] extends LocalMethod<
  z.ZodObject,
  infer Result
> ? Result
  : never;

/** Returns whether `name` is a method of the local socket. */
export function isLocalMethod(name: unknown): name is LocalMethodName {
  return typeof name === "string" && Object.hasOwn(localMethods, name);
}
