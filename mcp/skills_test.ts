/** The skills of several meshes in one list, with meshes and brokers that fail. */
import assert from "node:assert/strict";
import type { ListedSkill } from "../broker/api/skills.ts";
import { LocalError } from "../agent/core/local_error.ts";
import type { CallResult } from "../agent/core/local_types.ts";
import { MeshSkills } from "./skills.ts";

const AT = "2026-11-21T10:00:00.000Z";

function listed(name: string, more: Partial<ListedSkill> = {}): ListedSkill {
  return {
    name,
    description: `What ${name} does`,
    tags: [],
    author: "Ada",
    createdAt: AT,
    version: 1,
    updatedAt: AT,
    userInvocable: true,
    ...more,
  };
}

function failure(mesh: string): CallResult {
  return { mesh, ok: false, error: { code: "timeout", message: "no answer", exit: 4 } } as never;
}

/** Meshes by slug with their skills, null for one that cannot be asked; and the agent's own failure. */
class World {
  meshes: Record<string, readonly unknown[] | null> = {};
  failure: Error | null = null;
  calls = 0;

  readonly skills = new MeshSkills((wire, input, mesh) => {
    this.calls += 1;
    if (this.failure !== null) return Promise.reject(this.failure);
    const slugs = mesh === undefined ? Object.keys(this.meshes) : [mesh];
    return Promise.resolve(slugs.map((slug): CallResult => {
      const skills = this.meshes[slug] as readonly ListedSkill[] | null | undefined;
      if (skills === null || skills === undefined) return failure(slug);
      if (wire === "list_skills") return { mesh: slug, ok: true, output: { skills } };
      const found = skills.find(({ name }) => name === input.name);
      const skill = found && {
        ...found,
        instructions: `Do ${found.name} of ${slug}`,
        memberId: "m",
        manifest: found.argumentHint ? { argument_hint: found.argumentHint } : {},
        sharedBy: "Ada",
        sharedAt: AT,
        versions: [],
      };
      return { mesh: slug, ok: true, output: { skill: skill ?? null } };
    }));
  });

  async names(): Promise<string[]> {
    return (await this.skills.prompts.list()).map(({ name }) => name);
  }

  async text(name: string, args: Record<string, string> = {}): Promise<string | null> {
    const prompt = await this.skills.prompts.get(name, args);
    const content = prompt?.messages[0]?.content;
    return content?.type === "text" ? content.text : null;
  }
}

Deno.test("a name that two meshes have is shown with the mesh in front, and each is found by its own", async () => {
  const world = new World();
  world.meshes = { team: [listed("review"), listed("ship")], club: [listed("Review")] };
  assert.deepEqual(await world.names(), ["team:review", "ship", "club:Review"]);
  assert.match(await world.text("team:review") ?? "", /Do review of team$/);
  assert.match(await world.text("club:Review") ?? "", /Do Review of club$/);
  assert.match(await world.text("SHIP") ?? "", /Do ship of team$/);
  assert.equal(await world.text("review"), null);
  const resources = await world.skills.resources.list();
  assert.deepEqual(resources.map(({ uri }) => uri), [
    "skill://claudemesh/team%3Areview",
    "skill://claudemesh/ship",
    "skill://claudemesh/club%3AReview",
  ]);
  const read = await world.skills.resources.read("skill://claudemesh/team%3Areview");
  assert.match(JSON.stringify(read), /name: \\"review\\".*Do review of team/);
});

Deno.test("addresses of nothing are no resources", async () => {
  const world = new World();
  world.meshes = { team: [listed("review")] };
  for (const uri of ["skill://claudemesh/", "skill://claudemesh/%", "skill://other/review", "x"]) {
    assert.equal(await world.skills.resources.read(uri), null, uri);
  }
});

Deno.test("what is not for users is a resource but no prompt, and a hint makes arguments", async () => {
  const world = new World();
  world.meshes = {
    team: [listed("hidden", { userInvocable: false }), listed("fix", { argumentHint: "[issue]" })],
  };
  assert.deepEqual(await world.names(), ["fix"]);
  assert.equal((await world.skills.resources.list()).length, 2);
  const [prompt] = await world.skills.prompts.list();
  assert.deepEqual(prompt?.arguments?.map(({ name }) => name), ["issue"]);
  assert.match(await world.text("fix", { issue: "12", other: "no" }) ?? "", /Arguments: 12$/);
});

Deno.test("a mesh that cannot be asked keeps its skills, one that is left does not", async () => {
  const world = new World();
  world.meshes = { team: [listed("review")], club: [listed("ship")] };
  await world.names();
  world.meshes = { team: null, club: [] };
  assert.deepEqual(await world.names(), ["review"]);
  world.failure = new LocalError("not_connected", "no agent");
  assert.deepEqual(await world.names(), ["review"]);
  world.failure = null;
  world.meshes = { club: [listed("ship")] };
  assert.deepEqual(await world.names(), ["ship"]);
  world.failure = new LocalError("not_joined", "no mesh");
  assert.deepEqual(await world.names(), []);
});

Deno.test("a skill that cannot be read is an error that says why, not an unknown one", async () => {
  const world = new World();
  world.meshes = { team: [listed("review")] };
  await world.names();
  world.meshes = { team: null };
  await assert.rejects(world.text("review"), /The skill review cannot be read: no answer/);
});

Deno.test("names and answers that no broker of ours would give are left out", async () => {
  const world = new World();
  world.meshes = { team: [listed("a b"), listed("x\n"), listed("fine"), listed("../up")] };
  assert.deepEqual(await world.names(), ["fine"]);
  world.meshes = { team: [{ name: 5 }] };
  assert.deepEqual(await world.names(), ["fine"], "what it told last");
});

Deno.test("prompts and resources that are asked for at once are asked of the meshes once", async () => {
  const world = new World();
  world.meshes = { team: [listed("review")] };
  await Promise.all([world.skills.prompts.list(), world.skills.resources.list()]);
  assert.equal(world.calls, 1);
});

Deno.test("the list has changed when the client was told another one, and not before it has asked", async () => {
  const world = new World();
  world.meshes = { team: [] };
  assert.equal(await world.skills.hasChanged(), false);
  world.meshes = { team: [listed("review")] };
  assert.equal(await world.skills.hasChanged(), false);
  await world.names();
  assert.equal(await world.skills.hasChanged(), false);
  world.meshes = { team: [listed("review", { version: 2 })] };
  assert.equal(await world.skills.hasChanged(), true);
});
