/**
 * Instructions that a mesh publishes, for models to follow and for people to run as slash commands. Frames: reference
 * protocol 2.16 and 9.7. How a skill is written as a file stands in `skill_document.ts`.
 */
import * as z from "zod";
import { event } from "./event.ts";
import { isoTime } from "./fields.ts";
import { LIMITS } from "./limits.ts";
import { op } from "./op.ts";

export const skillName = z.string().max(LIMITS.skillNameChars.value).regex(
  /^[A-Za-z0-9][A-Za-z0-9._-]*$/,
  "must be letters, digits, dots, hyphens and underscores",
);
const hint = z.string().max(LIMITS.skillHintChars.value);
const description = z.string().min(1).max(LIMITS.skillDescriptionChars.value);
const tags = z.array(z.string().min(1).max(LIMITS.tagChars.value)).max(LIMITS.tags.value);

/** What a host may want to know beside the instructions (reference protocol 2.16). */
const manifestFields = {
  when_to_use: z.string().max(LIMITS.skillDescriptionChars.value).optional().describe(
    "When a model should follow it.",
  ),
  allowed_tools: z.array(hint.min(1)).max(LIMITS.skillTools.value).optional().describe(
    "Tools that it needs.",
  ),
  model: hint.optional().describe("Model to run it with."),
  context: z.enum(["inline", "fork"]).optional().describe("fork: in a sub-agent."),
  agent: hint.optional().describe("Type of that sub-agent."),
  user_invocable: z.boolean().optional().describe("false: no slash command."),
  argument_hint: hint.optional().describe("What to write behind the command, like [issue]."),
};
export const skillManifest = z.object(manifestFields);
export type SkillManifest = z.infer<typeof skillManifest>;

const version = z.object({
  version: z.int(),
  author: z.string().describe("Display name of who shared it."),
  createdAt: isoTime,
});

const skill = z.object({
  name: z.string(),
  description: z.string(),
  instructions: z.string(),
  tags: z.array(z.string()),
  author: z.string().describe("Display name of who shared it first, and owns it."),
  memberId: z.string().describe("The owner's member id."),
  manifest: skillManifest,
  createdAt: isoTime.describe("When the skill was shared first."),
  version: z.int(),
  sharedBy: z.string().describe("Display name of who shared this version."),
  sharedAt: isoTime,
  versions: z.array(version).describe("Those that are kept, newest first."),
});
export type Skill = z.infer<typeof skill>;

const listed = skill.pick({
  name: true,
  description: true,
  tags: true,
  author: true,
  createdAt: true,
  version: true,
}).extend({
  updatedAt: isoTime,
  userInvocable: z.boolean().describe("Offered as a slash command."),
  argumentHint: z.string().optional(),
});
export type ListedSkill = z.infer<typeof listed>;

const ack = z.object({
  name: z.string(),
  action: z.enum(["shared", "removed", "not_found"]),
  version: z.int().optional().describe("The version that was shared."),
});

const at = "2026-11-21T10:00:00.000Z";
const example = {
  name: "review",
  description: "Review a diff for risky changes.",
  tags: ["review"],
  author: "Ada",
  createdAt: at,
  version: 2,
};
const exampleVersions = [2, 1].map((number) => ({ version: number, author: "Ada", createdAt: at }));

export const skills = {
  shareSkill: op({
    wire: "share_skill",
    reply: "skill_ack",
    since: 1,
    summary: "Share a skill, or a new version of one.",
    grant: "member",
    rate: "request",
    audit: "skill_shared",
    fails: ["limit"],
    tool: {
      name: "share_skill",
      reach: "one",
      description:
        "Share instructions that peers' models follow and people run as a slash command; the same name again is a new version.",
      hide: ["manifest"],
    },
    input: z.object({
      name: skillName.describe("Short name; the slash command's."),
      description: description.describe("What it does, in a line."),
      instructions: z.string().min(1).max(LIMITS.skillBytes.value).describe("Markdown."),
      tags: tags.optional().describe("Labels."),
      ...manifestFields,
      manifest: skillManifest.optional().describe("The same fields in one object."),
    }),
    output: ack,
    example: {
      input: {
        name: "review",
        description: "Review a diff for risky changes.",
        instructions: "Look at the diff against main ...",
        tags: ["review"],
        argument_hint: "[branch]",
      },
      output: { name: "review", action: "shared", version: 2 },
    },
  }),
  getSkill: op({
    wire: "get_skill",
    reply: "skill_data",
    since: 1,
    summary: "Read a skill.",
    grant: "member",
    rate: "request",
    audit: null,
    fails: [],
    tool: {
      name: "get_skill",
      reach: "one",
      readOnly: true,
      description: "Read a shared skill in full, before you follow it.",
    },
    input: z.object({
      name: skillName.describe("The skill's name."),
      version: z.int().positive().optional().describe("An earlier version."),
    }),
    output: z.object({ skill: skill.nullable().describe("null: there is none.") }),
    example: {
      input: { name: "review" },
      output: {
        skill: {
          ...example,
          instructions: "Look at the diff against main ...",
          memberId: "member1",
          manifest: { argument_hint: "[branch]" },
          sharedBy: "Ada",
          sharedAt: at,
          versions: exampleVersions,
        },
      },
    },
  }),
  listSkills: op({
    wire: "list_skills",
    reply: "skill_list",
    since: 1,
    summary: "List the mesh's skills.",
    grant: "member",
    rate: "request",
    audit: null,
    fails: [],
    tool: {
      name: "list_skills",
      reach: "one",
      readOnly: true,
      description: "See which instructions peers have shared for a kind of work.",
    },
    input: z.object({
      query: z.string().max(LIMITS.skillHintChars.value).optional().describe(
        "Part of the name, description or a tag.",
      ),
    }),
    output: z.object({ skills: z.array(listed).describe("In the order of their names.") }),
    example: {
      input: {},
      output: {
        skills: [{ ...example, updatedAt: at, userInvocable: true, argumentHint: "[branch]" }],
      },
    },
  }),
  removeSkill: op({
    wire: "remove_skill",
    reply: "skill_ack",
    since: 1,
    summary: "Remove a skill with all its versions; its author may, and owners and admins.",
    grant: "member",
    rate: "request",
    audit: "skill_removed",
    fails: [],
    tool: {
      name: "remove_skill",
      reach: "one",
      description: "Remove a shared skill that is wrong or out of use.",
    },
    input: z.object({ name: skillName.describe("The skill's name.") }),
    output: ack,
    example: { input: { name: "review" }, output: { name: "review", action: "removed" } },
  }),
};

const news = z.object({
  name: z.string(),
  by: z.string().describe("Display name of who did it."),
  memberId: z.string(),
  memberPubkey: z.string().describe("Member key of who did it."),
});
const exampleNews = {
  name: "review",
  by: "Ada",
  memberId: "member1",
  memberPubkey: "0".repeat(64),
};

export const skillsEvents = {
  skillPublished: event({
    wire: "push",
    name: "skill_published",
    since: 3,
    summary: "A skill, or a new version of one, was shared; to every connection.",
    data: news.extend({ version: z.int() }),
    example: { ...exampleNews, version: 2 },
  }),
  skillRemoved: event({
    wire: "push",
    name: "skill_removed",
    since: 3,
    summary: "A skill was removed; to every connection.",
    data: news,
    example: exampleNews,
  }),
};
