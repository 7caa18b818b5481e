/**
 * Membership of named groups, per session. Frames: reference protocol 2.3.
 */
import * as z from "zod";
import { group, groups as groupList } from "./fields.ts";
import { op } from "./op.ts";

const result = z.object({ groups: groupList.describe("All groups of this session.") });

export const groups = {
  joinGroup: op({
    wire: "join_group",
    reply: "group_joined",
    quiet: true,
    since: 1,
    summary:
      "Join a group, so that messages to @name arrive; a parent's messages reach its children.",
    grant: "member",
    rate: "request",
    audit: "group_joined",
    fails: ["limit"],
    verb: {
      path: "groups join",
      positionals: ["name"],
      examples: ["claudemesh groups join frontend", "claudemesh groups join eng/api --role lead"],
    },
    tool: {
      name: "join_group",
      reach: "every",
      description:
        "Join a group so that messages to @name reach you; a parent's reach its children.",
    },
    input: group,
    output: result,
    example: {
      input: { name: "eng/api", role: "lead" },
      output: { groups: [{ name: "eng/api", role: "lead" }] },
    },
  }),
  leaveGroup: op({
    wire: "leave_group",
    reply: "group_left",
    quiet: true,
    since: 1,
    summary: "Leave a group.",
    grant: "member",
    rate: "request",
    audit: "group_left",
    fails: ["not_found"],
    verb: {
      path: "groups leave",
      positionals: ["name"],
      examples: ["claudemesh groups leave frontend"],
    },
    tool: { name: "leave_group", reach: "every", description: "Leave a group." },
    input: group.pick({ name: true }),
    output: result,
    example: { input: { name: "eng/api" }, output: { groups: [] } },
  }),
};
