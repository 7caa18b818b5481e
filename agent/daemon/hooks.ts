/**
 * What the agent makes of a host's hooks: the session's status, and the waiting messages that go into the model's context.
 * Events and output: Claude Code's hooks; the wake paths: CONTRACTS 10.
 */
import { type PeerText, peerText } from "../core/peer_text.ts";
import type { ParsedParams } from "../core/local_api.ts";
import type { HookAnswer } from "../core/local_types.ts";
import type { MeshPeerApi } from "../core/mesh_peer_api.ts";
import type { SessionMail } from "./session_mail.ts";
import type { Activity, Session, Sessions, Status } from "./sessions.ts";
import type { StatusReporter } from "./status_reporter.ts";
import { shownByChannel } from "./transcript.ts";

type HookParams = ParsedParams<"hook">;

/** What each event says about the session; events not named here say nothing. */
const STATUS_OF_EVENT: Readonly<Record<string, Status>> = {
  SessionStart: "idle",
  UserPromptSubmit: "working",
  PreToolUse: "working",
  PostToolUse: "working",
  Stop: "idle",
  Notification: "idle",
  SessionEnd: "idle",
};

/** Notifications that do not mean that the host waits for its user. */
const NOTICES: ReadonlySet<string> = new Set(["auth_success", "elicitation_response"]);

const CONTEXT_EVENTS: ReadonlySet<string> = new Set([
  "SessionStart",
  "UserPromptSubmit",
  "PostToolUse",
]);

/** A turn is continued at most so often in a row. */
const MAX_CONTINUATIONS = 8;
/** Claude Code keeps up to 10,000 characters of what a hook adds. */
const CONTEXT_CHARS = 9_000;

const NOTHING: HookAnswer = { output: null, carried: [], sessionId: null };

export interface HookWorld {
  readonly sessions: Sessions;
  readonly reporter: StatusReporter;
  /** Peers of a session; of null, of a session that is not attached. */
  peersOf(session: Session | null): MeshPeerApi[];
  /** The message mode of sessions that say nothing else. */
  defaultMode(): Session["messageMode"];
  nowMs(): number;
}

/** Whom a hook speaks for: an attached session, or one that is not attached (yet). */
interface Hooked {
  readonly sessionId: string;
  readonly mail: SessionMail;
  readonly activity: Activity;
  readonly messageMode: Session["messageMode"];
  readonly peers: readonly MeshPeerApi[];
}

/**
 * Answers one hook: takes its status, and returns what to print. The caller reports `carried` as seen once it has
 * printed the output.
 */
export async function answerHook(world: HookWorld, params: HookParams): Promise<HookAnswer> {
  const session = world.sessions.ofHook(params.sessionId, params.hostPids);
  const hooked = hookedBy(world, session, params.sessionId);
  note(hooked.activity, params, world.nowMs());
  const answer = session === undefined && params.sessionId === ""
    ? NOTHING
    : await wake(hooked, params);
  const status = statusOf(params, answer);
  if (status !== null) {
    hooked.activity.status = status;
    hooked.activity.source = "hook";
    if (session !== undefined) world.reporter.report(session);
  }
  return answer;
}

/** The host runs its first hooks before its servers, so a session that is not attached has mail as well. */
function hookedBy(world: HookWorld, session: Session | undefined, sessionId: string): Hooked {
  if (session === undefined) {
    return {
      sessionId,
      ...world.sessions.unattached(sessionId),
      messageMode: world.defaultMode(),
      peers: world.peersOf(null),
    };
  }
  const { mail, activity, messageMode } = session;
  const { sessionId: attachedId } = session;
  return { sessionId: attachedId, mail, activity, messageMode, peers: world.peersOf(session) };
}

function note(activity: Activity, params: HookParams, nowMs: number): void {
  activity.lastHookAtMs = nowMs;
  if (params.transcriptPath !== undefined && params.transcriptPath !== activity.transcriptPath) {
    activity.transcriptPath = params.transcriptPath;
    activity.searchedByte = 0;
  }
  if (params.event === "UserPromptSubmit") activity.continuations = 0;
}

/** The status that a hook means; a turn that goes on is no idle one. */
function statusOf(params: HookParams, answer: HookAnswer): Status | null {
  if (params.status !== undefined) return params.status;
  if (params.event === "Notification" && NOTICES.has(params.detail ?? "")) return null;
  const goesOn = answer.output !== null && "decision" in answer.output;
  return goesOn ? "working" : STATUS_OF_EVENT[params.event] ?? null;
}

async function wake(session: Hooked, params: HookParams): Promise<HookAnswer> {
  const stops = params.event === "Stop";
  if (!stops && !CONTEXT_EVENTS.has(params.event)) return NOTHING;
  if (session.messageMode === "off") return NOTHING;
  for (const peer of session.peers) session.mail.fill(peer);
  await dropShownByChannel(session);
  if (stops) return continueTurn(session);
  const messages = session.mail.unannounced({ priorities: ["now", "next"] });
  const { text, carried, cut } = contextOf(session, messages);
  session.mail.announce(cut);
  if (text === "") return NOTHING;
  const hookSpecificOutput = { hookEventName: params.event, additionalContext: text };
  return { output: { hookSpecificOutput }, carried, sessionId: session.sessionId };
}

function contextOf(session: Hooked, messages: ReturnType<SessionMail["waiting"]>): PeerText {
  if (session.messageMode === "push") return peerText(messages, CONTEXT_CHARS);
  if (messages.length === 0) return { text: "", carried: [], cut: [] };
  const noun = messages.length === 1 ? "message waits" : "messages wait";
  return {
    text: `[claudemesh] ${messages.length} ${noun}: call check_messages to read.`,
    carried: [],
    cut: messages.map((message) => message.id),
  };
}

/** A finishing turn goes on for urgent messages that nobody has shown, a bounded number of times in a row. */
function continueTurn(session: Hooked): HookAnswer {
  const urgent = session.mail.unannounced({ priorities: ["now"] });
  if (urgent.length === 0 || session.activity.continuations >= MAX_CONTINUATIONS) {
    session.activity.continuations = 0;
    return NOTHING;
  }
  session.activity.continuations += 1;
  const { text, carried, cut } = contextOf(session, urgent);
  session.mail.announce(cut);
  return { output: { decision: "block", reason: text }, carried, sessionId: session.sessionId };
}

/** What the host wrote into its transcript as a channel event has been before the model: it need not be repeated. */
async function dropShownByChannel(session: Hooked): Promise<void> {
  const { activity, mail } = session;
  if (activity.transcriptPath === null) return;
  const ids = mail.waiting().map((message) => message.id);
  const { shown, endByte } = await shownByChannel(
    activity.transcriptPath,
    ids,
    activity.searchedByte,
  );
  // Messages that arrive later are looked for in what is written later.
  if (shown.length === ids.length) activity.searchedByte = endByte;
  if (shown.length === 0) return;
  mail.drop(shown);
  for (const peer of session.peers) peer.markSeen(shown);
}
