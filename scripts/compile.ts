/**
 * Builds the program as one file, `dist/claudemesh`, with the `deno` that runs this script. `--target` builds for
 * another platform, `--output` writes elsewhere. `DENORT_BIN` names a runtime to embed instead of the one that
 * `deno compile` downloads.
 */
import { parseArgs } from "node:util";
import { assetPaths } from "./asset_urls.ts";
import { PROJECT_ROOT, readProjectFiles } from "./project_files.ts";

/** What `deno compile` says when the runtime it embeds cannot be had. */
const NO_RUNTIME = /denort|error sending request|dns error|failed to (lookup|download|fetch)/i;

/** With the default stack of its threads, Deno 2.6.8 overflows on this program's graph of packages. */
const COMPILER_STACK_BYTES = String(64 * 2 ** 20);

const NO_RUNTIME_HELP = `
The runtime that "deno compile" embeds (denort) could not be downloaded: its host was not reached.
Set DENORT_BIN to the path of a denort of this Deno's version, or compile where the host is reachable.`;

/** Arguments of `deno compile`; `assets` are project paths to embed beside what is imported. */
function compileArguments(
  assets: readonly string[],
  output: string,
  target: string | undefined,
): string[] {
  return [
    "compile",
    "--quiet",
    "--allow-all",
    // The gate checks the types; the Deno that compiles may carry another TypeScript.
    "--no-check",
    ...assets.flatMap((path) => ["--include", path]),
    ...(target === undefined ? [] : ["--target", target]),
    "--output",
    output,
    "main.ts",
  ];
}

/** Compiles; returns the exit code. Everything that `deno compile` says is passed on. */
async function compile(output: string, target: string | undefined): Promise<number> {
  const assets = assetPaths(await readProjectFiles());
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: compileArguments(assets, output, target),
    cwd: PROJECT_ROOT,
    env: { RUST_MIN_STACK: COMPILER_STACK_BYTES },
    stdout: "inherit",
    stderr: "piped",
  }).output();
  await Deno.stderr.write(stderr);
  if (code === 0) {
    const { size } = await Deno.stat(output.startsWith("/") ? output : PROJECT_ROOT + output);
    console.log(`${output}: ${(size / 2 ** 20).toFixed(0)} MiB, Deno ${Deno.version.deno}`);
  } else if (NO_RUNTIME.test(new TextDecoder().decode(stderr))) {
    console.error(NO_RUNTIME_HELP.trim());
  }
  return code;
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { output: { type: "string", default: "dist/claudemesh" }, target: { type: "string" } },
  });
  Deno.exit(await compile(values.output, values.target));
}
