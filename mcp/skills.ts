/**
 * The skills of the session's meshes as MCP prompts and `skill://` resources. A name that several meshes have is shown
 * with the mesh in front: `team:review`.
 */
// @ts-types="@modelcontextprotocol/sdk/types"
import { ErrorCode, McpError } from "@modelcontextprotocol/sdk/types.js";
import { type ListedSkill, type Skill, skillName, skills } from "../broker/api/skills.ts";
import { LocalError } from "../agent/core/local_error.ts";
import type { CallResult } from "../agent/core/local_types.ts";
import type { PromptSource } from "./prompts.ts";
import type { ResourceSource } from "./resources.ts";
import { skillArguments, skillMarkdown, skillMessage, skillSummary } from "./skill_text.ts";

const ADDRESS = "skill://claudemesh/";

/**
 * Calls an operation on one mesh, or on each mesh of the session.
 * @throws {LocalError} where there is no agent or no mesh.
 */
export type CallMeshes = (
  wire: string,
  input: Record<string, unknown>,
  mesh?: string,
) => Promise<readonly CallResult[]>;

/** A skill by the name that it has in this session. */
interface ShownSkill {
  readonly shownName: string;
  readonly mesh: string;
  readonly skill: ListedSkill;
}

/** What is published in the meshes; the source of prompts and of resources. */
export class MeshSkills {
  readonly #call: CallMeshes;
  /** Mesh -> its skills as it told them last: what is shown while it cannot be asked. */
  readonly #known = new Map<string, readonly ListedSkill[]>();
  #listing: Promise<readonly ShownSkill[]> | null = null;
  #told: string | null = null;

  constructor(call: CallMeshes) {
    this.#call = call;
  }

  readonly prompts: PromptSource = {
    list: async () => {
      const shown = await this.#tell();
      return shown.filter(({ skill }) => skill.userInvocable).map((each) => ({
        name: each.shownName,
        description: skillSummary(each.skill, each.mesh),
        arguments: skillArguments(each.skill.argumentHint),
      }));
    },
    get: async (name, args) => {
      const found = await this.#read(name);
      if (found === null) return null;
      const { skill, mesh } = found;
      const given = skillArguments(skill.manifest.argument_hint).flatMap((argument) =>
        args[argument.name] ?? []
      );
      const text = skillMessage(skill, mesh, given);
      return {
        description: skillSummary({ ...skill, updatedAt: "", userInvocable: true }, mesh),
        messages: [{ role: "user", content: { type: "text", text } }],
      };
    },
  };

  readonly resources: ResourceSource = {
    list: async () => {
      const shown = await this.#tell();
      return shown.map((each) => ({
        uri: addressOf(each.shownName),
        name: each.shownName,
        description: skillSummary(each.skill, each.mesh),
        mimeType: "text/markdown",
      }));
    },
    read: async (uri) => {
      const name = nameAt(uri);
      const found = name === null ? null : await this.#read(name);
      if (found === null) return null;
      const text = skillMarkdown(found.skill, found.mesh);
      return { contents: [{ uri, mimeType: "text/markdown", text }] };
    },
  };

  /** Returns whether the client was told another list than the one of now. */
  async hasChanged(): Promise<boolean> {
    return this.#told !== null && digestOf(await this.#list()) !== this.#told;
  }

  async #tell(): Promise<readonly ShownSkill[]> {
    const shown = await this.#list();
    this.#told = digestOf(shown);
    return shown;
  }

  /** Prompts and resources are asked for at the same moment: they share the answer. */
  #list(): Promise<readonly ShownSkill[]> {
    this.#listing ??= this.#listNow().finally(() => this.#listing = null);
    return this.#listing;
  }

  async #listNow(): Promise<readonly ShownSkill[]> {
    const answered = await this.#answers();
    // No agent: what it said last. Its meshes: those that it still has.
    for (const mesh of answered === null ? [] : [...this.#known.keys()]) {
      if (!answered?.has(mesh)) this.#known.delete(mesh);
    }
    for (const [mesh, list] of answered ?? []) if (list !== null) this.#known.set(mesh, list);
    return shownSkills(this.#known);
  }

  /** Mesh -> its skills, null where it cannot be asked; null where the agent cannot be. */
  async #answers(): Promise<ReadonlyMap<string, readonly ListedSkill[] | null> | null> {
    try {
      const results = await this.#call(skills.listSkills.wire, {});
      return new Map(results.map((result) => [result.mesh, listedIn(result)]));
    } catch (error) {
      if (!(error instanceof LocalError)) throw error;
      return error.code === "not_joined" ? new Map() : null;
    }
  }

  async #read(shownName: string): Promise<{ skill: Skill; mesh: string } | null> {
    const shown = await this.#list();
    const found = shown.find((each) => each.shownName === shownName) ??
      shown.find((each) => each.shownName.toLowerCase() === shownName.toLowerCase());
    if (found === undefined) return null;
    const { mesh, skill: { name } } = found;
    const [result] = await this.#call(skills.getSkill.wire, { name }, mesh);
    if (result === undefined) return null;
    if (!result.ok) throw notReadable(name, result.error.message);
    const { success, data } = skills.getSkill.output.safeParse(result.output);
    if (!success) throw notReadable(name, "the broker's answer is not as agreed");
    return data.skill === null ? null : { skill: data.skill, mesh };
  }
}

function notReadable(name: string, why: string): McpError {
  return new McpError(ErrorCode.InternalError, `The skill ${name} cannot be read: ${why}`);
}

/** The skills of an answer; names that no broker of ours would give are left out. */
function listedIn(result: CallResult): readonly ListedSkill[] | null {
  if (!result.ok) return null;
  const { success, data } = skills.listSkills.output.safeParse(result.output);
  return success ? data.skills.filter(({ name }) => skillName.safeParse(name).success) : null;
}

function shownSkills(known: ReadonlyMap<string, readonly ListedSkill[]>): ShownSkill[] {
  const all = [...known].flatMap(([mesh, list]) => list.map((skill) => ({ mesh, skill })));
  const counts = new Map<string, number>();
  for (const { skill } of all) {
    const key = skill.name.toLowerCase();
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return all.map(({ mesh, skill }) => {
    const isShared = (counts.get(skill.name.toLowerCase()) ?? 0) > 1;
    return { shownName: isShared ? `${mesh}:${skill.name}` : skill.name, mesh, skill };
  });
}

function digestOf(shown: readonly ShownSkill[]): string {
  return JSON.stringify(shown);
}

function addressOf(shownName: string): string {
  return `${ADDRESS}${encodeURIComponent(shownName)}`;
}

/** The name in an address, null where it is none of ours. */
function nameAt(uri: string): string | null {
  if (!uri.startsWith(ADDRESS)) return null;
  try {
    return decodeURIComponent(uri.slice(ADDRESS.length));
  } catch (error) {
    if (error instanceof URIError) return null;
    throw error;
  }
}
