/**
 * `claudemesh profile`: what other members see of this one.
 */
import type { Member } from "../../broker/api/members.ts";
import type { Peer } from "../../broker/api/presence.ts";
import { LocalError } from "../core/local_error.ts";
import { printable, style } from "../ui/style.ts";
import { pairs } from "../ui/text.ts";
import { callOne } from "./people.ts";
import { MESH_FLAG, type Verb } from "./verb.ts";

function groupText(groups: Peer["groups"]): string {
  const names = groups.map(({ name, role }) => `@${name}${role ? `:${role}` : ""}`);
  return printable(names.join(" ")) || "none";
}

function optional(text: string | null | undefined): string | null {
  return text === undefined || text === null || text === "" ? null : printable(text);
}

function renderSession(peer: Peer): string {
  const { avatar, title, bio, capabilities = [] } = peer.profile ?? {};
  return pairs([
    ["session", printable(peer.displayName)],
    ["status", `${peer.status}${peer.visible ? "" : style.warn(" (hidden)")}`],
    ["summary", optional(peer.summary)],
    ["groups", groupText(peer.groups)],
    ["title", optional([avatar, title].filter(Boolean).join(" "))],
    ["bio", optional(bio)],
    ["can do", optional(capabilities.join(", "))],
    ["in", optional(peer.cwd)],
  ]);
}

export const profile: Verb = {
  path: "profile",
  summary: "Show what others see of you: name, role, card and status of each session",
  details: "Its parts change it: profile name, summary, set, visible.",
  args: [],
  flags: [MESH_FLAG],
  examples: ["claudemesh profile", "claudemesh profile --mesh team --json"],
  json: true,
  async run(context) {
    const client = await context.agent();
    const { meshes } = await client.call("agent.info", {});
    const [listed, present] = await Promise.all([
      callOne(client, context, "list_members", {}),
      callOne(client, context, "list_peers", {}),
    ]);
    const { mesh } = listed;
    const own = meshes.find((each) => each.slug === mesh)?.pubkey;
    const member = (listed.output.members as Member[]).find((each) => each.pubkey === own);
    if (member === undefined) {
      throw new LocalError("not_joined", `"${mesh}" does not list this member`, { exit: 5 });
    }
    const sessions = (present.output.peers as Peer[]).filter((each) => each.memberPubkey === own);
    const head = pairs([
      ["mesh", printable(mesh)],
      ["name", style.bold(printable(member.displayName))],
      ["role", member.role],
      ["key", member.pubkey],
    ]);
    return {
      data: { mesh, member, sessions },
      text: [head, ...sessions.map(renderSession)].join("\n\n"),
    };
  },
};
