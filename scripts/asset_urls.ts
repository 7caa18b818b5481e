/**
 * Finds modules and files that the program opens by URL instead of importing, `new URL("./worker.ts",
 * import.meta.url)`: `deno compile` follows imports alone and has to be told of them.
 */
import type { ProjectFiles } from "./project_files.ts";
import { type Token, tokens } from "./tokens.ts";

const PATTERN = ["new", "URL", "(", undefined, ",", "import", ".", "meta", ".", "url"] as const;
const PROGRAM = /^(main\.ts$|(agent|broker|crypto|mcp|storage)\/.*\.ts$)/;

/** The specifier in a `new URL("...", import.meta.url)` that starts at `start`; undefined where none stands there. */
export function ownUrl(all: readonly Token[], start: number): string | undefined {
  const matches = PATTERN.every((text, offset) => {
    const token = all[start + offset];
    return text === undefined ? token?.kind === "string" : token?.text === text;
  });
  return matches ? all[start + PATTERN.indexOf(undefined)]?.text : undefined;
}

/** Specifiers in `source` that are resolved against the module's own URL. */
function specifiers(source: string): string[] {
  const all = tokens(source);
  return all.flatMap((_, start) => ownUrl(all, start) ?? []);
}

/** Project paths of all files that the program opens by URL, sorted, each once. */
export function assetPaths(files: ProjectFiles): string[] {
  const found = new Set<string>();
  for (const [path, source] of files) {
    if (!PROGRAM.test(path) || path.endsWith("_test.ts")) continue;
    for (const specifier of specifiers(source)) {
      const target = new URL(specifier, `file:///${path}`).pathname.slice(1);
      found.add(decodeURIComponent(target));
    }
  }
  return [...found].sort();
}
