/** How the program starts the process of a mesh's embedded database. */
import { fileURLToPath } from "node:url";

/** The role of `main.ts` that `embedded_process.ts` plays. */
export const MESH_DATABASE_ROLE = "mesh-database";

/**
 * What the process may do by itself: what PostgreSQL in it is made to do by a member must not reach the network or start
 * programs. A compiled program has its permissions built in.
 */
const PERMISSIONS = ["--allow-read", "--allow-write", "--allow-env", "--allow-sys"];
/** Nothing in it makes much garbage. */
const SMALL_HEAP = "--v8-flags=--max-semi-space-size=1";

/** @returns the executable and its arguments. */
export function embeddedCommand(): { readonly program: string; readonly args: string[] } {
  const program = Deno.execPath();
  if (Deno.build.standalone === true) return { program, args: [MESH_DATABASE_ROLE] };
  const main = fileURLToPath(import.meta.resolve("../../main.ts"));
  // Named, so that the import map is found from any working directory.
  const config = fileURLToPath(import.meta.resolve("../../deno.json"));
  const options = ["--no-prompt", ...PERMISSIONS, SMALL_HEAP, `--config=${config}`];
  return { program, args: ["run", ...options, main, MESH_DATABASE_ROLE] };
}
