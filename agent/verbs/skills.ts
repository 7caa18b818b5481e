/**
 * Verbs of skills: `skill share`, `skill get`, `skill list`, `skill remove`.
 */
import { basename, dirname, extname, resolve } from "node:path";
import {
  commaList,
  readSkillDocument,
  writeSkillDocument,
} from "../../broker/api/skill_document.ts";
import type { ListedSkill, Skill } from "../../broker/api/skills.ts";
import { LocalError } from "../core/local_error.ts";
import { marks, printable, printableText, style } from "../ui/style.ts";
import { relativeTime, table } from "../ui/text.ts";
import { numberFlag } from "./messages.ts";
import { callOne } from "./people.ts";
import { MESH_FLAG, textArgument, textFlag, type Verb, type VerbContext } from "./verb.ts";

const NAME_ARGUMENT = { name: "name", summary: "the skill's name", required: true } as const;
const MAX_VERSION = 1_000_000_000;

async function fileText(path: string): Promise<string> {
  try {
    return path === "-"
      ? await new Response(Deno.stdin.readable).text()
      : await Deno.readTextFile(path);
  } catch (error) {
    const why = error instanceof Error ? error.name : "unreadable";
    throw new LocalError("invalid_argument", `The file "${path}" cannot be read (${why})`, {
      exit: 3,
      hint: "Name a Markdown file, or - for standard input",
    });
  }
}

/** What a skill in a file is called where nothing says: its folder for SKILL.md, else the file. */
function nameOfFile(path: string): string | undefined {
  if (path === "-") return undefined;
  const stem = basename(path, extname(path));
  return stem.toLowerCase() === "skill" ? basename(dirname(resolve(path))) : stem;
}

function missing(what: string, hint: string): LocalError {
  return new LocalError("invalid_argument", `The skill has no ${what}`, { exit: 3, hint });
}

/** Reads a skill's file, and what flags say instead. */
async function skillInput(context: VerbContext): Promise<Record<string, unknown>> {
  const path = textArgument(context, 0);
  const instructions = await fileText(path);
  const { fields } = readSkillDocument(instructions);
  const field = (name: string) => {
    const value = fields.get(name);
    return typeof value === "string" && value !== "" ? value : undefined;
  };
  const name = textFlag(context, "name") ?? field("name") ?? nameOfFile(path);
  if (name === undefined) throw missing("name", "Give it with --name, or as name: in the file");
  const description = textFlag(context, "description") ?? field("description");
  if (description === undefined) {
    throw missing("description", "Give it with --description, or as description: in the file");
  }
  const tags = textFlag(context, "tags");
  return {
    name,
    description,
    instructions,
    ...(tags === undefined ? {} : { tags: commaList(tags) }),
  };
}

export const skillShare: Verb = {
  path: "skill share",
  summary: "Share a skill, or a new version of one",
  details:
    "The file is Markdown, as hosts keep skills (SKILL.md). Its front matter may say name, description, tags,\n" +
    "when_to_use, allowed-tools, model, context, agent, user-invocable and argument-hint. Peers run it as a slash\n" +
    "command, and their models read it; the broker can read it too.",
  args: [{ name: "file", summary: "Markdown file, or - for standard input", required: true }],
  flags: [
    MESH_FLAG,
    { syntax: "--name <name>", summary: "its name (default: the file's own, or its name)" },
    { syntax: "--description <text>", summary: "what it does (default: the file's own)" },
    { syntax: "-t, --tags <a,b>", summary: "labels (default: the file's own)" },
  ],
  examples: [
    "claudemesh skill share review.md",
    'claudemesh skill share - --name ship --description "Release a version"',
  ],
  json: true,
  async run(context) {
    const input = await skillInput(context);
    const client = await context.agent();
    const { mesh, output } = await callOne(client, context, "share_skill", input);
    const name = String(output.name);
    const which = Number(output.version) > 1 ? ` (version ${output.version})` : "";
    return {
      data: { mesh, name, version: output.version },
      text: `${marks.done()} Shared ${style.bold(printable(name))} in ${printable(mesh)}${which}`,
    };
  },
};

/** The skill as a file that `skill share` takes again. */
function fileOf(skill: Skill): string {
  const { manifest } = skill;
  return writeSkillDocument({
    name: skill.name,
    description: skill.description,
    tags: skill.tags,
    "when_to_use": manifest.when_to_use,
    "allowed-tools": manifest.allowed_tools,
    model: manifest.model,
    context: manifest.context,
    agent: manifest.agent,
    "user-invocable": manifest.user_invocable,
    "argument-hint": manifest.argument_hint,
  }, skill.instructions);
}

function notFound(name: string, version?: number): LocalError {
  const which = version === undefined ? "" : ` in version ${version}`;
  return new LocalError("not_found", `The mesh has no skill "${name}"${which}`, {
    exit: 5,
    hint: "`claudemesh skill list` shows those that there are",
  });
}

export const skillGet: Verb = {
  path: "skill get",
  summary: "Print a skill as a Markdown file",
  args: [NAME_ARGUMENT],
  flags: [
    MESH_FLAG,
    { syntax: "--version <number>", summary: "an earlier version" },
    { syntax: "--versions", summary: "list the versions that are kept instead" },
  ],
  examples: [
    "claudemesh skill get review",
    "claudemesh skill get review --version 2",
    "claudemesh skill get review --versions",
  ],
  json: true,
  async run(context) {
    const name = textArgument(context, 0);
    const bounds = { least: 1, most: MAX_VERSION, otherwise: 0 };
    const version = numberFlag(textFlag(context, "version"), "version", bounds) || undefined;
    const { mesh, output } = await callOne(await context.agent(), context, "get_skill", {
      name,
      ...(version === undefined ? {} : { version }),
    });
    const skill = output.skill as Skill | null;
    if (skill === null) throw notFound(name, version);
    const nowMs = Date.now();
    const versions = skill.versions.map((each) => [
      String(each.version),
      printable(each.author),
      relativeTime(Date.parse(each.createdAt), nowMs),
    ]);
    return {
      data: { mesh, skill },
      text: context.flags.versions === true ? table(versions) : printableText(fileOf(skill)),
    };
  },
};

export const skillList: Verb = {
  path: "skill list",
  summary: "List the mesh's skills",
  args: [{
    name: "query",
    summary: "part of the name, the description or a tag",
    required: false,
    variadic: true,
  }],
  flags: [MESH_FLAG],
  examples: ["claudemesh skill list", "claudemesh skill list review --json"],
  json: true,
  async run(context) {
    const query = context.args[0] === undefined ? "" : textArgument(context, 0);
    const client = await context.agent();
    const { mesh, output } = await callOne(client, context, "list_skills", { query });
    const skills = output.skills as ListedSkill[];
    const nowMs = Date.now();
    const rows = skills.map((skill) => [
      style.bold(printable(skill.name)),
      printable(skill.description),
      style.dim(
        `${printable(skill.author)}, version ${skill.version}, ${
          relativeTime(Date.parse(skill.updatedAt), nowMs)
        }`,
      ),
    ]);
    return {
      data: { mesh, skills },
      text: rows.length === 0 ? `No skills in ${printable(mesh)}.` : table(rows),
    };
  },
};

export const skillRemove: Verb = {
  path: "skill remove",
  summary: "Remove a skill with all its versions: yours, or anybody's as an admin",
  args: [NAME_ARGUMENT],
  flags: [MESH_FLAG],
  examples: ["claudemesh skill remove review"],
  json: true,
  async run(context) {
    const name = textArgument(context, 0);
    const { mesh, output } = await callOne(await context.agent(), context, "remove_skill", {
      name,
    });
    if (output.action === "not_found") throw notFound(name);
    const removed = String(output.name);
    return {
      data: { mesh, name: removed },
      text: `${marks.done()} Removed ${style.bold(printable(removed))} from ${printable(mesh)}`,
    };
  },
};
