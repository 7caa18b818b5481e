/**
 * How this program starts itself again: as a compiled binary, or by the Deno that runs it now.
 */
import { fileURLToPath } from "node:url";

/** What decides the command; the running program's own values by default. */
export interface SelfCommandSource {
  readonly executable: string;
  /** True inside a `deno compile` binary. */
  readonly standalone: boolean;
  /** URL of `main.ts`. */
  readonly mainUrl: string;
}

/**
 * Roles that run on every workstation beside everything else: a small young generation, and one collection after the start,
 * keep them smaller and cost them nothing that shows.
 */
const SMALL_ROLES: ReadonlySet<string> = new Set(["agent", "mcp"]);
const SMALL_HEAP = "--v8-flags=--max-semi-space-size=1,--expose-gc";

/** Returns the arguments to start this program with `args`, the executable first. */
export function selfCommand(
  args: readonly string[],
  source: SelfCommandSource = running(),
): [string, ...string[]] {
  if (source.standalone) return [source.executable, ...args];
  const run = ["run", "-A", "--no-prompt", ...(SMALL_ROLES.has(args[0] ?? "") ? [SMALL_HEAP] : [])];
  if (!source.mainUrl.startsWith("file:")) {
    return [source.executable, ...run, source.mainUrl, ...args];
  }
  const main = fileURLToPath(source.mainUrl);
  // Named, so that the import map is found from any working directory.
  const config = fileURLToPath(new URL("./deno.json", source.mainUrl));
  return [source.executable, ...run, `--config=${config}`, main, ...args];
}

function running(): SelfCommandSource {
  return {
    executable: Deno.execPath(),
    standalone: Deno.build.standalone === true,
    mainUrl: new URL("../../main.ts", import.meta.url).href,
  };
}
