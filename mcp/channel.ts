/**
 * Channel events of Claude Code (`notifications/claude/channel`): their one sanitiser, and what each kind of event says.
 * Shapes: reference cli.md 14.3, 14.4. The host drops a whole event for one value that is no string, without a word.
 */
import { bodyOf, printableText } from "../agent/core/peer_text.ts";
import { isReminder, REMINDER_PROOF, senderOf } from "../agent/core/reminder_text.ts";
import type { LocalEvent, LocalMessage, SessionState } from "../agent/core/local_types.ts";

export const CHANNEL_METHOD = "notifications/claude/channel";

/** A whole event as it is sent. */
export interface ChannelEvent {
  readonly content: string;
  readonly meta: Readonly<Record<string, string>>;
}

const META_KEY = /^[A-Za-z_][A-Za-z0-9_]*$/;
const MAX_META_CHARS = 2_000;
const MAX_CONTENT_CHARS = 40_000;
const MAX_DATA_CHARS = 20_000;

/**
 * Makes a channel event that the host accepts: values become strings (numbers in digits, everything else as JSON), null
 * and undefined are left out, keys that the host would drop too. Content without control characters, cut with a note.
 */
export function channelEvent(
  content: string,
  meta: Readonly<Record<string, unknown>>,
): ChannelEvent {
  const entries = Object.entries(meta).flatMap(([key, value]): [string, string][] => {
    if (value === null || value === undefined || !META_KEY.test(key)) return [];
    const text = typeof value === "string" ? value : JSON.stringify(value);
    if (text === undefined) return [];
    return [[key, printableText(text).slice(0, MAX_META_CHARS)]];
  });
  const clean = printableText(content);
  const cut = clean.length > MAX_CONTENT_CHARS
    ? `${clean.slice(0, MAX_CONTENT_CHARS)}\n[cut; check_messages has all of it]`
    : clean;
  return { content: cut, meta: Object.fromEntries(entries) };
}

const URGENCY: Readonly<Record<LocalMessage["priority"], string>> = {
  now: "[URGENT] ",
  next: "",
  low: "[low] ",
};

/** A message in full (mode `push`). */
export function messageEvent(message: LocalMessage, deliveredAt: string): ChannelEvent {
  const broadcast = message.kind === "broadcast" ? " (broadcast)" : "";
  const group = message.kind === "group" ? ` (to ${message.target})` : "";
  const reminder = isReminder(message) ? { subtype: "reminder" } : {};
  const sender = isReminder(message)
    ? `[${senderOf(message)}, ${REMINDER_PROOF}]`
    : `${URGENCY[message.priority]}${message.fromName}`;
  return channelEvent(
    `${sender}${broadcast}${group}: ${bodyOf(message)}`,
    {
      from_id: message.fromSessionPubkey ?? message.fromPubkey,
      from_pubkey: message.fromPubkey,
      from_name: message.fromName,
      mesh_slug: message.mesh,
      mesh_id: message.meshId,
      message_id: message.id,
      reply_to_id: message.replyTo,
      priority: message.priority,
      verification: message.verification,
      sent_at: message.sentAt,
      delivered_at: deliveredAt,
      kind: message.kind,
      ...reminder,
    },
  );
}

/** A notice that a message waits (mode `inbox`). */
export function inboxEvent(message: LocalMessage): ChannelEvent {
  const what = isReminder(message)
    ? `A ${senderOf(message)} is due`
    : `${message.fromName} sent a message`;
  return channelEvent(
    `[inbox] ${what} in ${message.mesh}: call check_messages to read it.`,
    {
      kind: "inbox_notification",
      from_name: message.fromName,
      mesh_slug: message.mesh,
      message_id: message.id,
    },
  );
}

type SystemEvent = Extract<LocalEvent, { kind: "system" }>;
type Data = SystemEvent["data"];

function text(data: Data, key: string): string {
  return typeof data[key] === "string" ? data[key] : "";
}

function names(data: Data): string {
  const peers = Array.isArray(data.peers) ? data.peers as { name?: unknown }[] : [];
  const known = peers.slice(0, 10).map((peer) => String(peer.name ?? ""));
  const count = typeof data.count === "number" ? data.count : peers.length;
  const more = count > known.length ? ` and ${count - known.length} more` : "";
  return `${known.join(", ")}${more}`;
}

function groupNames(data: Data): string {
  const groups = Array.isArray(data.groups) ? data.groups as { name?: unknown }[] : [];
  return groups.length === 0 ? "" : ` Groups: ${groups.map((each) => `@${each.name}`).join(", ")}.`;
}

/** A task in a line: its title is a peer's text. */
function taskOf(data: Data): string {
  const assignee = text(data, "assignee") === "" ? "" : `, for ${text(data, "assignee")}`;
  const reason = text(data, "reason") === "" ? "" : ` (${text(data, "reason")})`;
  const about = `id ${text(data, "taskId")}, ${text(data, "priority")}${assignee}`;
  return `${JSON.stringify(text(data, "title"))} [${about}]${reason}`;
}

function actorOf(data: Data): string {
  return text((data.by ?? {}) as Data, "name") || "Somebody";
}

function returned(data: Data): string {
  const since = text(data, "lastSeenAt") === "" ? "" : ` Last seen ${text(data, "lastSeenAt")}.`;
  const summary = text(data, "summary") === "" ? "" : ` Was working on: ${text(data, "summary")}`;
  return `${text(data, "name")} is back.${since}${groupNames(data)}${summary}`;
}

function missedRuns(data: Data): string {
  const { missed, ran } = data;
  const made = ran === 0 ? "none was made up for" : `${ran} made up for`;
  return `Your reminder "${text(data, "message")}" for ${text(data, "toName")} missed ` +
    `${missed === 1 ? "a run" : `${missed} runs`} (${text(data, "reason")}), ${made}.`;
}

/** A file in a line: its name is a peer's text. */
function sharedFile(data: Data): string {
  const name = JSON.stringify(text(data, "name"));
  return `${text(data, "from")} shared the file ${name} (${data.size} bytes): ` +
    `get_file with id ${text(data, "fileId")} fetches it.`;
}

/** Event -> its line; null: nothing that a model needs to hear. Others are shown as they are. */
const SYSTEM_LINES: Readonly<Record<string, ((data: Data) => string) | null>> = {
  peer_joined: (data) => `${text(data, "name")} joined the mesh.${groupNames(data)}`,
  peer_returned: returned,
  peers_joined: (data) => `${data.count} peers joined: ${names(data)}`,
  peer_left: (data) => `${text(data, "name")} left the mesh.`,
  peers_left: (data) => `${data.count} peers left: ${names(data)}`,
  peer_visible: (data) => `${text(data, "name")} is visible again.`,
  peer_hidden: (data) => `${text(data, "name")} is hidden now.`,
  member_added: (data) => `${text(data, "name")} became a member of the mesh.`,
  member_removed: (data) => `${text(data, "name")} is no member of the mesh any more.`,
  skill_published: (data) =>
    `${text(data, "by")} shared ${data.version === 1 ? "" : "a new version of "}the skill ${
      text(data, "name")
    }: get_skill shows it.`,
  skill_removed: (data) => `${text(data, "by")} removed the skill ${text(data, "name")}.`,
  member_renamed: (data) => `A member is now called ${text(data, "name")}.`,
  reminder_missed: missedRuns,
  tick: (data) => `tick ${data.tick}, simulated time ${text(data, "simTime")}, x${data.speed}`,
  file_shared: sharedFile,
  file_deleted: (data) => `The shared file ${JSON.stringify(text(data, "name"))} was deleted.`,
  // Of a peer that reads in this machine's shared folder: for the agent's log.
  peer_file_served: null,
  mesh_key_changed: null,
  rekey_needed: null,
  task_created: (data) => `New task: ${taskOf(data)}`,
  task_claimed: (data) => `${actorOf(data)} claimed the task ${taskOf(data)}`,
  task_completed: (data) => `${actorOf(data)} completed the task ${taskOf(data)}`,
  task_released: (data) => `The task is open again: ${taskOf(data)}`,
  task_cancelled: (data) => `${actorOf(data)} cancelled the task ${taskOf(data)}`,
  task_unblocked: (data) => `The task waits for nothing any more: ${taskOf(data)}`,
  key_requested: (data) =>
    data.proven === false
      ? `${text(data, "name")} joined without the invite's secret and waits for the mesh key: ` +
        "a person must decide (claudemesh verify)."
      : "",
};

/** A change of the shared state (reference cli.md 14.4). */
function stateEvent({ mesh, meshId, data }: SystemEvent): ChannelEvent {
  const key = text(data, "key");
  const by = text(data, "updatedBy");
  const change = data.deleted === true ? "was deleted" : `= ${JSON.stringify(data.value)}`;
  return channelEvent(`[state] ${key} ${change} (by ${by})`, {
    kind: "state_change",
    key,
    updated_by: by,
    revision: data.revision,
    mesh_slug: mesh,
    mesh_id: meshId,
  });
}

/** A system event of the broker; null where it concerns nobody but the agents. */
export function systemEvent(event: SystemEvent): ChannelEvent | null {
  if (event.event === "state_change") return stateEvent(event);
  if (event.own || event.data.peerRole === "control-plane") return null;
  const line = SYSTEM_LINES[event.event];
  if (line === null) return null;
  const said = line === undefined
    ? `${event.event}: ${JSON.stringify(event.data)}`
    : line(event.data);
  if (said === "") return null;
  const label = event.event === "tick" ? "heartbeat" : "system";
  return channelEvent(`[${label}] ${said}`, {
    kind: "system",
    event: event.event,
    mesh_slug: event.mesh,
    mesh_id: event.meshId,
    eventData: event.data,
  });
}

type StreamEvent = Extract<LocalEvent, { kind: "stream" }>;

/** News of a stream that the session follows; the data is a peer's. */
export function streamEvent({ news, mesh, meshId }: StreamEvent): ChannelEvent | null {
  if (news.kind === "begun") return null;
  const where = { stream: news.stream, mesh_slug: mesh, mesh_id: meshId };
  const head = `[stream:${news.stream}]`;
  if (news.kind === "gap") {
    const missed = `${head} events ${news.from} to ${news.to} are not kept any more.`;
    return channelEvent(missed, { kind: "stream_gap", ...where, from: news.from, to: news.to });
  }
  if (news.kind === "ended") {
    return channelEvent(`${head} was deleted.`, { kind: "stream_ended", ...where });
  }
  const data = JSON.stringify(news.data);
  const more = `claudemesh stream history ${news.stream} --from ${news.seq} --limit 1`;
  const shown = data.length > MAX_DATA_CHARS
    ? `${data.slice(0, MAX_DATA_CHARS)}\n[cut; \`${more}\` has all of it]`
    : data;
  return channelEvent(`${head} from ${news.publishedBy}: ${shown}`, {
    kind: "stream_data",
    ...where,
    seq: news.seq,
    published_by: news.publishedBy,
    published_by_key: news.publishedByKey,
    published_at: news.publishedAt,
  });
}

/** The first event of a session: who it is, and where. */
export function welcomeEvent(
  mesh: SessionState["meshes"][number],
  peers: readonly string[],
  unread: number,
): ChannelEvent {
  const others = peers.length === 0
    ? "Nobody else is here yet."
    : `Here are: ${peers.slice(0, 20).join(", ")}.`;
  const waiting = unread === 0 ? "" : ` ${unread} unread: call check_messages.`;
  return channelEvent(
    `[welcome] You are ${mesh.displayName} in the mesh ${mesh.slug}. ${others}${waiting} ` +
      "mesh_info tells more; set_summary tells others what you work on.",
    {
      kind: "welcome",
      mesh_slug: mesh.slug,
      mesh_id: mesh.meshId,
      self_display_name: mesh.displayName,
      self_role: mesh.role,
      peer_count: peers.length,
      peer_names: peers.slice(0, 20),
      unread_count: unread,
    },
  );
}
