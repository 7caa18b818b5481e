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

/** Returns the arguments to start this program with `args`, the executable first. */
export function selfCommand(
  args: readonly string[],
  source: SelfCommandSource = running(),
): [string, ...string[]] {
  if (source.standalone) return [source.executable, ...args];
  if (!source.mainUrl.startsWith("file:")) {
    return [source.executable, "run", "-A", "--no-prompt", source.mainUrl, ...args];
  }
  const main = fileURLToPath(source.mainUrl);
  // Named, so that the import map is found from any working directory.
  const config = fileURLToPath(new URL("./deno.json", source.mainUrl));
  return [source.executable, "run", "-A", "--no-prompt", `--config=${config}`, main, ...args];
}

function running(): SelfCommandSource {
  return {
    executable: Deno.execPath(),
    standalone: Deno.build.standalone === true,
    mainUrl: new URL("../../main.ts", import.meta.url).href,
  };
}
