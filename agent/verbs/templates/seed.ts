/**
 * Fills a new mesh with what its template has.
 */
import type { LocalClient } from "../../core/local_client.ts";
import { LocalError } from "../../core/local_error.ts";
import { TEMPLATES } from "./catalog.ts";
import type { Template } from "./template.ts";

/** Under this key the mesh keeps what the template says of groups, roles and ways of working. */
export const TEMPLATE_KEY = "mesh/template";
const CONNECT_MS = 15_000;

/** Returns the template of a name. @throws {LocalError} that lists those there are. */
export function templateOf(name: string): Template {
  const found = TEMPLATES.find((template) => template.name === name);
  if (found !== undefined) return found;
  throw new LocalError("invalid_argument", `"${name}" is no template`, {
    exit: 3,
    hint: `Templates: ${TEMPLATES.map((template) => template.name).join(", ")}`,
  });
}

/** Writes a template's state, tasks and skills into a mesh. @throws {Error} as the broker refused it. */
export async function seedMesh(
  client: LocalClient,
  mesh: string,
  template: Template,
): Promise<void> {
  const { groups, roles, hint, name } = template;
  const about = { template: name, groups, roles, hint };
  const state = { ...template.state, [TEMPLATE_KEY]: about };
  for (const [key, value] of Object.entries(state)) {
    await call(client, mesh, "set_state", { key, value });
  }
  for (const { title, priority, tags } of template.tasks) {
    await call(client, mesh, "create_task", { title, priority, tags });
  }
  for (const { name, description, instructions } of template.skills) {
    const tags = [template.name];
    await call(client, mesh, "share_skill", { name, description, instructions, tags });
  }
}

async function call(
  client: LocalClient,
  mesh: string,
  wire: string,
  input: Record<string, unknown>,
): Promise<void> {
  const { results: [result] } = await client.call("call", {
    mesh,
    wire,
    input,
    timeoutMs: CONNECT_MS,
  });
  if (result?.ok === false) throw Object.assign(new Error(result.error.message), result.error);
}
