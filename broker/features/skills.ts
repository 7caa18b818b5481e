/**
 * Skills of a mesh: everybody may share and read them; a new version, and the end of a skill, are for its author and for
 * owners and admins, since skills are instructions that other people's models follow.
 */
import {
  countSkills,
  deleteSkill,
  insertSkillVersion,
  type ListedSkillRow,
  selectSkill,
  selectSkillHead,
  selectSkills,
  selectSkillVersions,
  type SkillRow,
  type SkillVersionRow,
} from "../../storage/sql/queries/skills.ts";
import { MeshError } from "../api/errors.ts";
import type { Handlers } from "../api/op.ts";
import { commaList, type DocumentValue, readSkillDocument } from "../api/skill_document.ts";
import {
  type ListedSkill,
  type Skill,
  type SkillManifest,
  skillManifest,
  type skills as contract,
  skillsEvents,
} from "../api/skills.ts";
import type { Call } from "../core/context.ts";
import type { Member } from "../core/model.ts";

type ShareInput = Parameters<Handlers<typeof contract, Call>["shareSkill"]>[1];

const MANIFEST_FIELDS = Object.keys(skillManifest.shape) as (keyof SkillManifest)[];
// Control characters, and what reorders or hides what a reader sees.
// deno-lint-ignore no-control-regex -- control characters are what it takes out
const UNSEEN = /[\s\u0000-\u001f\u007f-\u009f\u200b\u2028-\u202e\u2060-\u2069\ufeff]+/g;

export const skills: Handlers<typeof contract, Call> = {
  async shareSkill({ broker, connection: { mesh, member } }, input) {
    const { clock, ledger, settings: { limits } } = broker;
    const parts = partsOf(input, limits.skillBytes);
    const key = input.name.toLowerCase();
    const version = await ledger.transact(mesh, async (tx) => {
      const head = await selectSkillHead(tx, mesh.id, key);
      if (head !== null) requireMay(member, head, "share another version of it");
      else if (await countSkills(tx, mesh.id) >= limits.skillsPerMesh) {
        throw new MeshError(
          "limit",
          `this mesh has ${limits.skillsPerMesh} skills; remove some first`,
          { data: { limit: limits.skillsPerMesh } },
        );
      }
      const result = await insertSkillVersion(tx, mesh.id, {
        ...parts,
        key,
        name: input.name,
        memberId: member.id,
        memberName: member.displayName,
        atMs: clock.now(),
      }, limits.skillVersions);
      const characters = parts.instructions.length;
      const payload = { name: input.name, version: result, characters };
      return { result, audits: [{ event: "skill_shared", actor: member, payload }] };
    });
    const news = { name: input.name, ...byMember(member), version };
    broker.events.toMesh(mesh, skillsEvents.skillPublished, news);
    return { name: input.name, action: "shared", version };
  },

  async getSkill({ broker, connection: { mesh } }, { name, version }) {
    const key = name.toLowerCase();
    const row = await selectSkill(broker.sql, mesh.id, { key, version: version ?? null });
    if (row === null) return { skill: null };
    return { skill: shown(row, await selectSkillVersions(broker.sql, mesh.id, key)) };
  },

  async listSkills({ broker, connection: { mesh } }, { query = "" }) {
    const rows = await selectSkills(broker.sql, mesh.id, query.trim());
    return { skills: rows.map(listed) };
  },

  async removeSkill({ broker, connection: { mesh, member } }, { name }) {
    const key = name.toLowerCase();
    const removed = await broker.ledger.transact(mesh, async (tx) => {
      const head = await selectSkillHead(tx, mesh.id, key);
      if (head === null) return { result: null, audits: [] };
      requireMay(member, head, "remove it");
      await deleteSkill(tx, mesh.id, key);
      const payload = { name: head.name, version: head.version };
      return { result: head, audits: [{ event: "skill_removed", actor: member, payload }] };
    });
    if (removed === null) return { name, action: "not_found" };
    const news = { name: removed.name, ...byMember(member) };
    broker.events.toMesh(mesh, skillsEvents.skillRemoved, news);
    return { name: removed.name, action: "removed" };
  },
};

function byMember({ id, displayName, pubkey }: Member) {
  return { by: displayName, memberId: id, memberPubkey: pubkey };
}

function requireMay(
  member: Member,
  head: { name: string; authorMemberId: string; authorName: string },
  what: string,
): void {
  if (head.authorMemberId === member.id || member.role !== "member") return;
  throw new MeshError(
    "forbidden",
    `the skill "${head.name}" is ${head.authorName}'s; only its author, owners and admins ${what}`,
  );
}

/** What is stored of a skill: what was given, completed by the front matter of the instructions, without that. */
function partsOf(input: ShareInput, limitBytes: number) {
  const { fields, body: instructions } = readSkillDocument(input.instructions);
  const bytes = new TextEncoder().encode(instructions).length;
  if (bytes > limitBytes) {
    throw new MeshError(
      "too_large",
      `the instructions of a skill have at most ${limitBytes} bytes, these have ${bytes}; ` +
        "share what they refer to as files",
      { data: { limit: limitBytes } },
    );
  }
  if (instructions.trim() === "") throw wrong("instructions", "there is nothing but front matter");
  const description = oneLine(input.description);
  if (description === "") throw wrong("description", "there is nothing to read");
  const inFile = fields.get("tags");
  const tags = (input.tags ?? (inFile === undefined ? [] : texts(inFile))).map(oneLine);
  return {
    description,
    instructions,
    tags: [...new Set(tags.filter((tag) => tag !== ""))],
    manifest: manifestOf(input, fields),
  };
}

/** Each field from where it is named most directly. */
function manifestOf(
  input: ShareInput,
  fields: ReadonlyMap<string, DocumentValue>,
): SkillManifest {
  const chosen: Record<string, unknown> = {};
  for (const name of MANIFEST_FIELDS) {
    const value = input[name] ?? input.manifest?.[name] ?? fieldValue(name, fields.get(name));
    if (typeof value === "string") chosen[name] = oneLine(value);
    else if (Array.isArray(value)) chosen[name] = value.map(oneLine);
    else if (value !== undefined) chosen[name] = value;
  }
  const parsed = skillManifest.safeParse(chosen);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const name = String(issue?.path[0] ?? "manifest");
  throw wrong(name, `front matter: ${issue?.message ?? "wrong"}`);
}

/** A field of the front matter as the manifest has it; what is no value of it counts as absent. */
function fieldValue(name: keyof SkillManifest, value: DocumentValue | undefined): unknown {
  if (value === undefined || value === "") return undefined;
  if (name === "allowed_tools") return texts(value);
  if (name === "user_invocable") return typeof value === "boolean" ? value : undefined;
  if (name === "context") return value === "inline" || value === "fork" ? value : undefined;
  return typeof value === "object" ? value.join(" ") : String(value);
}

function texts(value: DocumentValue): string[] {
  return typeof value === "object" ? [...value] : commaList(String(value));
}

/** Text of somebody else that is shown in a list: on one line, without what cannot be seen. */
function oneLine(text: string): string {
  return text.replace(UNSEEN, " ").trim();
}

function wrong(field: string, message: string): MeshError {
  return new MeshError("invalid_argument", `${field}: ${message}`, { data: { field } });
}

function shown(row: SkillRow, versions: readonly SkillVersionRow[]): Skill {
  return {
    name: row.name,
    description: row.description,
    instructions: row.instructions,
    tags: [...row.tags],
    author: row.authorName,
    memberId: row.authorMemberId,
    manifest: skillManifest.parse(row.manifest),
    createdAt: row.createdAt.toISOString(),
    version: row.version,
    sharedBy: row.sharedByName,
    sharedAt: row.sharedAt.toISOString(),
    versions: versions.map((each) => ({
      version: each.version,
      author: each.sharedByName,
      createdAt: each.sharedAt.toISOString(),
    })),
  };
}

function listed(row: ListedSkillRow): ListedSkill {
  const { user_invocable: userInvocable = true, argument_hint: argumentHint } = skillManifest.parse(
    row.manifest,
  );
  return {
    name: row.name,
    description: row.description,
    tags: [...row.tags],
    author: row.authorName,
    createdAt: row.createdAt.toISOString(),
    version: row.version,
    updatedAt: row.sharedAt.toISOString(),
    userInvocable,
    ...(argumentHint === undefined ? {} : { argumentHint }),
  };
}
