/**
 * Verbs about meshes: which are joined, how it stands with them, inviting, leaving.
 */
import type { MeshState } from "../core/local_types.ts";
import { LocalError } from "../core/local_error.ts";
import { marks, printable, style } from "../ui/style.ts";
import { pairs, relativeTime } from "../ui/text.ts";
import { meshLine } from "./roles.ts";
import { numberFlag } from "./messages.ts";
import { callOne } from "./people.ts";
import { MESH_FLAG, meshOption, textArgument, textFlag, type Verb } from "./verb.ts";

const NOTHING_JOINED = "  No mesh joined. Run `claudemesh new NAME` or `claudemesh join LINK`.";

function listed(mesh: MeshState) {
  return {
    slug: mesh.slug,
    name: mesh.name,
    mesh_id: mesh.meshId,
    member_id: mesh.memberId,
    role: mesh.role,
    is_owner: mesh.role === "owner",
    custody: mesh.custody,
    broker: mesh.brokerUrl,
    connected: mesh.connected,
    reason: mesh.reason,
    key_state: mesh.keyState,
  };
}

export const list: Verb = {
  path: "list",
  aliases: ["ls"],
  summary: "List the joined meshes",
  args: [],
  flags: [],
  examples: ["claudemesh list", "claudemesh list --json"],
  json: true,
  async run(context) {
    const { meshes } = await (await context.agent()).call("agent.info", {});
    return {
      data: { meshes: meshes.map(listed) },
      text: meshes.length === 0 ? NOTHING_JOINED : meshes.map(meshLine).join("\n"),
    };
  },
};

export const status: Verb = {
  path: "status",
  summary: "How it stands: meshes, connections, keys, messages that wait",
  args: [],
  flags: [],
  examples: ["claudemesh status", "claudemesh status --json", "claudemesh status set dnd"],
  json: true,
  async run(context) {
    const info = await (await context.agent()).call("agent.info", {});
    const lines = info.meshes.flatMap((mesh) => [
      meshLine(mesh),
      ...(mesh.hint ? [`    ${style.dim(printable(mesh.hint))}`] : []),
      ...mesh.problems.map((problem) => `    ${marks.warning()} ${printable(problem)}`),
      ...(mesh.unseen > 0 ? [`    ${mesh.unseen} unread: claudemesh inbox`] : []),
      ...(mesh.refused > 0
        ? [`    ${marks.warning()} ${mesh.refused} refused: claudemesh outbox`]
        : []),
    ]);
    const down = info.meshes.some((mesh) => !mesh.connected);
    return {
      data: { agent: { pid: info.pid, version: info.version }, meshes: info.meshes },
      text: info.meshes.length === 0 ? NOTHING_JOINED : lines.join("\n"),
      exit: down ? 4 : 0,
    };
  },
};

export const info: Verb = {
  path: "info",
  summary: "Describe a mesh: members, groups, who keeps the key",
  args: [],
  flags: [MESH_FLAG],
  examples: ["claudemesh info", "claudemesh info --mesh team --json"],
  json: true,
  async run(context) {
    const client = await context.agent();
    const { mesh: slug, output } = await callOne(client, context, "mesh_info", {});
    const { meshes } = await client.call("agent.info", {});
    const joined = meshes.find((mesh) => mesh.slug === slug);
    const custody = output.custody === "broker"
      ? style.warn("the broker holds the mesh key and could read group messages")
      : "members alone; the broker cannot read messages";
    return {
      data: {
        ...output,
        meshId: output.mesh,
        memberId: joined?.memberId ?? null,
        brokerUrl: joined?.brokerUrl ?? null,
        displayName: output.yourName,
        peerCount: output.peers,
      },
      text: pairs([
        ["mesh", `${printable(String(output.name))} (${output.slug})`],
        ["id", String(output.mesh)],
        ["created", relativeTime(Date.parse(String(output.createdAt)), Date.now())],
        ["members", `${output.members}, ${output.peers} connected`],
        ["groups", (output.groups as string[]).map(printable).join(" ") || "none"],
        ["key", custody],
        ["epoch", `${output.epoch}${output.rekeyNeeded ? style.warn(" (rotation due)") : ""}`],
        ["you", `${printable(String(output.yourName))}, ${output.yourRole}`],
        ["your groups", (output.yourGroups as string[]).map(printable).join(" ") || "none"],
        ["waiting for you", String(output.queued)],
      ]),
    };
  },
};

const UNITS_MS: Readonly<Record<string, number>> = {
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** Reads "90m", "12h", "7d", "2w". @throws {LocalError} `invalid_argument` for anything else. */
export function durationMs(text: string): number {
  const [, digits, unit] = /^(\d{1,5})([mhdw])$/.exec(text) ?? [];
  if (digits && unit && Number(digits) > 0) return Number(digits) * UNITS_MS[unit]!;
  throw new LocalError("invalid_argument", `"${text}" is no duration`, {
    exit: 3,
    hint: "Write it as 90m, 12h, 7d or 2w",
  });
}

export const invite: Verb = {
  path: "invite",
  summary: "Make an invite link",
  details: "Whoever has the whole link may join. The part after # never reaches the broker.",
  args: [],
  flags: [
    MESH_FLAG,
    { syntax: "--uses <n>", summary: "how many may join with it (default 1)" },
    { syntax: "--expires <duration>", summary: "90m, 12h, 7d, 2w (default 7d)" },
    { syntax: "--role <role>", summary: "what they become", choices: ["member", "admin"] },
    { syntax: "--qr", summary: "show a QR code" },
  ],
  examples: ["claudemesh invite", "claudemesh invite --uses 5 --expires 12h --json"],
  json: true,
  async run(context) {
    const uses = numberFlag(textFlag(context, "uses"), "uses", {
      least: 1,
      most: 1000,
      otherwise: 1,
    });
    const client = await context.agent();
    const link = await client.call("invite.create", {
      ...meshOption(context),
      uses,
      role: (textFlag(context, "role") ?? "member") as "member" | "admin",
      expiresInMs: durationMs(textFlag(context, "expires") ?? "7d"),
    });
    const qr = context.flags.qr === true
      ? `\n\n${(await import("uqr")).renderUnicodeCompact(link.url)}`
      : "";
    const people = uses === 1 ? "one person" : `${uses} people`;
    return {
      data: { url: link.url, code: link.code, expires_at: link.expiresAt },
      text:
        `${link.url}\n\n  ${
          style.dim(`For ${people}, until ${link.expiresAt}. On the other machine:`)
        }\n` +
        `  claudemesh join '${link.url}'${qr}`,
    };
  },
};

/** Codes of a mesh whose broker cannot be reached, or lets this member in no more. */
const BROKER_AWAY: ReadonlySet<string> = new Set(["offline", "refused", "bad_clock"]);

export const leave: Verb = {
  path: "leave",
  summary: "Leave a mesh: the broker forgets you as a member, this machine its keys",
  args: [{ name: "mesh", summary: "its slug", required: true }],
  flags: [{
    syntax: "--only-here",
    summary: "forget it without telling the broker, which may be gone or refuse you",
  }],
  examples: ["claudemesh leave team", "claudemesh leave team --only-here"],
  json: true,
  async run(context) {
    const mesh = textArgument(context, 0);
    const onlyHere = context.flags.onlyHere === true;
    const client = await context.agent();
    try {
      await client.call("mesh.leave", { mesh, onlyHere });
    } catch (error) {
      if (!(error instanceof LocalError) || !BROKER_AWAY.has(error.code)) throw error;
      const { code, message, exit } = error;
      const hint = `To forget it on this machine alone: claudemesh leave ${mesh} --only-here`;
      throw new LocalError(code, message, { exit, hint, cause: error });
    }
    return {
      data: { mesh, told_broker: !onlyHere },
      text: `${marks.done()} Left ${printable(mesh)}${onlyHere ? " on this machine alone" : ""}`,
    };
  },
};

export const ping: Verb = {
  path: "ping",
  summary: "Send test messages to yourself through the broker and time them",
  args: [],
  flags: [MESH_FLAG, { syntax: "--priorities <list>", summary: "now,next,low (default now,next)" }],
  examples: ["claudemesh ping", "claudemesh ping --priorities now --json"],
  json: true,
  async run(context) {
    const priorities = (textFlag(context, "priorities") ?? "now,next").split(",");
    const { results } = await (await context.agent()).call("ping", {
      ...meshOption(context),
      priorities: priorities as ("now" | "next" | "low")[],
    });
    const text = results.map((result) =>
      [
        `  ${result.connected ? marks.done() : marks.failed()} ${style.bold(result.mesh)}${
          result.reason ? `  ${printable(result.reason)}` : ""
        }`,
        ...(result.linkMs === null
          ? []
          : [`    to the broker and back: ${milliseconds(result.linkMs)}`]),
        ...result.rounds.map((round) =>
          `    ${round.priority}: stored after ${milliseconds(round.ackMs)} (on disk: ${
            milliseconds(round.commitMs)
          }), here after ${milliseconds(round.arrivalMs)} (pushed: ${milliseconds(round.pushMs)})${
            round.warning ? style.warn(`  ${round.warning}`) : ""
          }`
        ),
      ].join("\n")
    ).join("\n");
    return { data: { results }, text, exit: results.every((each) => each.connected) ? 0 : 4 };
  },
};

function milliseconds(value: number | null): string {
  return value === null ? style.warn("no answer") : `${value.toFixed(1)} ms`;
}
