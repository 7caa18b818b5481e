/**
 * Verbs about other members: who is here, what they may do to us, and whether they are who they say.
 */
import { CAPABILITIES, type Capability, DEFAULT_CAPABILITIES } from "../../broker/api/fields.ts";
import type { Member } from "../../broker/api/members.ts";
import type { Peer } from "../../broker/api/presence.ts";
import type { LocalClient } from "../core/local_client.ts";
import { LocalError } from "../core/local_error.ts";
import type { MeshState } from "../core/local_types.ts";
import { marks, printable, style } from "../ui/style.ts";
import { shortKey, table } from "../ui/text.ts";
import { MESH_FLAG, meshOption, textArgument, type Verb, type VerbContext } from "./verb.ts";

/** Calls an operation on one mesh. @throws {MeshError | LocalError} what the agent or the broker answered. */
export async function callOne(
  client: LocalClient,
  context: VerbContext,
  wire: string,
  input: Record<string, unknown>,
): Promise<{ mesh: string; output: Record<string, unknown> }> {
  const { results } = await client.call("call", { ...meshOption(context), wire, input });
  const result = results[0]!;
  if (result.ok) return { mesh: result.mesh, output: result.output };
  throw Object.assign(new Error(result.error.message), result.error);
}

async function membersOf(client: LocalClient, context: VerbContext) {
  const { mesh, output } = await callOne(client, context, "list_members", {});
  return { mesh, members: output.members as Member[] };
}

/** Finds the one member that `wanted` names: a display name, a key or the first 8 or more digits of one. */
export function findMember(members: readonly Member[], wanted: string): Member {
  const lower = wanted.toLowerCase();
  const exact = members.filter((member) =>
    member.pubkey === lower || member.displayName.toLowerCase() === lower
  );
  const found = exact.length > 0
    ? exact
    : members.filter((member) => /^[0-9a-f]{8,}$/.test(lower) && member.pubkey.startsWith(lower));
  if (found.length === 1) return found[0]!;
  const names = (found.length > 1 ? found : members)
    .map((member) => `${member.displayName} (${shortKey(member.pubkey)})`).join(", ");
  if (found.length > 1) {
    throw new LocalError("ambiguous_target", `"${wanted}" could be any of: ${names}`, {
      exit: 3,
      hint: "Use the first digits of the key",
    });
  }
  throw new LocalError("not_found", `No member is called "${wanted}"`, {
    exit: 5,
    hint: names ? `Members: ${names}` : "Nobody has joined yet: run `claudemesh invite`",
  });
}

function peerRow(peer: Peer, ownKey: string): string[] {
  const groups = peer.groups.map((group) => `@${group.name}${group.role ? `:${group.role}` : ""}`);
  const you = peer.memberPubkey === ownKey ? style.dim(" (you)") : "";
  const name = `${peer.profile?.avatar ? `${printable(peer.profile.avatar)} ` : ""}${
    style.bold(printable(peer.displayName))
  }${you}`;
  return [
    marks.dot(peer.online ? peer.status : "offline"),
    name,
    peer.status,
    printable(groups.join(" ")) || style.dim("no groups"),
    printable(peer.profile?.title ?? ""),
    printable([peer.channel, peer.model].filter(Boolean).join("/")),
    style.dim(shortKey(peer.memberPubkey)),
    printable(peer.summary ?? ""),
  ];
}

export const peers: Verb = {
  path: "peers",
  summary: "Show who is connected, on each joined mesh",
  args: [],
  flags: [MESH_FLAG],
  examples: ["claudemesh peers", "claudemesh peers --mesh team --json"],
  json: true,
  async run(context) {
    const client = await context.agent();
    const { meshes } = await client.call("agent.info", {});
    const { results } = await client.call("call", {
      ...meshOption(context),
      wire: "list_peers",
      every: context.flags.mesh === undefined,
    });
    const sections = results.map((result) => {
      const title = style.bold(style.accent(result.mesh));
      if (!result.ok) return `${title}  ${marks.failed()} ${printable(result.error.message)}`;
      const own = meshes.find((mesh) => mesh.slug === result.mesh)?.pubkey ?? "";
      const list = result.output.peers as Peer[];
      if (list.length === 0) return `${title}\n  Nobody is connected.`;
      return `${title}\n${table(list.map((peer) => peerRow(peer, own)))}`;
    });
    const failed = results.find((result) => !result.ok);
    return {
      data: {
        meshes: results.map((result) =>
          result.ok
            ? { mesh: result.mesh, peers: result.output.peers }
            : { mesh: result.mesh, error: result.error }
        ),
      },
      text: sections.join("\n\n"),
      exit: failed && !failed.ok && results.length === 1 ? failed.error.exit : 0,
    };
  },
};

export const kick: Verb = {
  path: "kick",
  summary: "Close a member's sessions; its program stops until it is started again",
  args: [{ name: "member", summary: "display name or key", required: true }],
  flags: [MESH_FLAG],
  examples: ["claudemesh kick Mallory"],
  json: true,
  async run(context) {
    const client = await context.agent();
    const { members } = await membersOf(client, context);
    const target = findMember(members, textArgument(context, 0));
    const { output } = await callOne(client, context, "kick", { target: target.pubkey });
    return {
      data: output,
      text: `${marks.done()} ${printable(target.displayName)} was kicked; the mesh key is rotated`,
    };
  },
};

type Change = (current: readonly Capability[]) => readonly Capability[] | null;

async function changeGrants(context: VerbContext, change: Change) {
  const client = await context.agent();
  const { mesh, members } = await membersOf(client, context);
  const target = findMember(members, textArgument(context, 0));
  const before = await callOne(client, context, "get_grants", {});
  const current = (before.output.grants as Record<string, Capability[]>)[target.pubkey] ??
    DEFAULT_CAPABILITIES;
  const next = change(current);
  const { output } = await callOne(client, context, "set_grants", {
    grants: { [target.pubkey]: next },
  });
  const may = next === null ? DEFAULT_CAPABILITIES : next;
  const list = may.length === 0 ? style.warn("nothing (blocked)") : may.join(", ");
  return {
    data: { mesh, member: target.displayName, pubkey: target.pubkey, grants: output.grants },
    text: `${marks.done()} ${printable(target.displayName)} may: ${list}`,
  };
}

function capabilitiesOf(context: VerbContext): readonly Capability[] {
  const words = (context.args[1] as readonly string[]).flatMap((word) => word.split(","));
  if (words.includes("all")) return CAPABILITIES;
  const wrong = words.find((word) => !(CAPABILITIES as readonly string[]).includes(word));
  if (wrong === undefined) return words as Capability[];
  throw new LocalError("invalid_argument", `"${wrong}" is no capability`, {
    exit: 3,
    hint: `Capabilities: ${CAPABILITIES.join(", ")}, or all`,
  });
}

const CAPABILITY_ARGUMENTS = [
  { name: "member", summary: "display name or key", required: true },
  { name: "capabilities", summary: CAPABILITIES.join(", "), required: true, variadic: true },
] as const;

export const grant: Verb = {
  path: "grant",
  summary: "Let a member do more to you",
  details: `Without any grant a member may: ${DEFAULT_CAPABILITIES.join(", ")}.`,
  args: CAPABILITY_ARGUMENTS,
  flags: [MESH_FLAG],
  examples: ["claudemesh grant Bob file-read", "claudemesh grant Bob all"],
  json: true,
  run: (context) =>
    changeGrants(context, (current) => [...new Set([...current, ...capabilitiesOf(context)])]),
};

export const revoke: Verb = {
  path: "revoke",
  summary: "Let a member do less to you",
  args: CAPABILITY_ARGUMENTS,
  flags: [MESH_FLAG],
  examples: ["claudemesh revoke Bob broadcast", "claudemesh revoke Bob all"],
  json: true,
  run: (context) =>
    changeGrants(context, (current) => {
      const taken = capabilitiesOf(context);
      return current.filter((each) => !taken.includes(each));
    }),
};

export const block: Verb = {
  path: "block",
  summary: "Let nothing of a member reach you; it is not told",
  args: [{ name: "member", summary: "display name or key", required: true }],
  flags: [MESH_FLAG, { syntax: "--undo", summary: "back to the defaults" }],
  examples: ["claudemesh block Mallory", "claudemesh block Mallory --undo"],
  json: true,
  run: (context) => changeGrants(context, () => context.flags.undo === true ? null : []),
};

export const grants: Verb = {
  path: "grants",
  summary: "Show what members may do to you",
  args: [],
  flags: [MESH_FLAG],
  examples: ["claudemesh grants", "claudemesh grants --json"],
  json: true,
  async run(context) {
    const client = await context.agent();
    const { mesh, members } = await membersOf(client, context);
    const { output } = await callOne(client, context, "get_grants", {});
    const set = output.grants as Record<string, Capability[]>;
    const rows = members.map((member) => ({
      member: member.displayName,
      pubkey: member.pubkey,
      capabilities: set[member.pubkey] ?? [...DEFAULT_CAPABILITIES],
      default: set[member.pubkey] === undefined,
    }));
    return {
      data: { mesh, grants: rows },
      text: table(rows.map((row) => [
        printable(row.member),
        style.dim(shortKey(row.pubkey)),
        row.capabilities.length === 0 ? style.warn("blocked") : row.capabilities.join(", "),
        row.default ? style.dim("defaults") : "",
      ])),
    };
  },
};

function ownMesh(meshes: readonly MeshState[], slug: string): MeshState {
  const found = meshes.find((mesh) => mesh.slug === slug);
  if (found) return found;
  throw new LocalError("not_joined", `"${slug}" is no joined mesh`, { exit: 5 });
}

export const verify: Verb = {
  path: "verify",
  summary: "Show safety numbers, to be compared with the other person over another channel",
  details: "Both sides see the same digits, or somebody stands between you.",
  args: [{ name: "member", summary: "display name or key; left out: everyone", required: false }],
  flags: [
    MESH_FLAG,
    { syntax: "--hand-over", summary: "give the mesh key to a member that joined by a bare code" },
  ],
  examples: ["claudemesh verify Bob", "claudemesh verify Bob --hand-over"],
  json: true,
  async run(context) {
    const client = await context.agent();
    const { safetyNumber } = await import("../../crypto/safety_number.ts");
    const { meshes } = await client.call("agent.info", {});
    const { mesh, members } = await membersOf(client, context);
    const own = ownMesh(meshes, mesh);
    const wanted = context.args[0];
    const chosen = typeof wanted === "string"
      ? [findMember(members, wanted)]
      : members.filter((member) => member.pubkey !== own.pubkey);
    if (context.flags.handOver === true) {
      if (typeof wanted !== "string") {
        throw new LocalError("invalid_argument", "--hand-over needs a member", {
          exit: 3,
          hint: "claudemesh verify NAME --hand-over",
        });
      }
      await client.call("key.handOver", { ...meshOption(context), member: chosen[0]!.pubkey });
    }
    const rows = chosen.map((member) => ({
      mesh,
      peer: member.displayName,
      pubkey: member.pubkey,
      safetyNumber: safetyNumber(own.pubkey, member.pubkey),
      proven: member.proven,
      hasMeshKey: member.hasMeshKey || context.flags.handOver === true,
    }));
    const keeper = own.custody === "broker"
      ? style.warn("the broker holds the mesh key")
      : "members alone hold the mesh key";
    return {
      data: { custody: own.custody, peer_verifications: rows },
      text: [
        `  ${style.dim(`${mesh}: ${keeper}`)}`,
        table(rows.map((row) => [
          style.bold(printable(row.peer)),
          row.safetyNumber,
          row.proven ? "" : style.warn("joined without the link's secret"),
          row.hasMeshKey ? "" : style.warn("has no mesh key"),
        ])),
      ].join("\n"),
    };
  },
};
