/**
 * Finds modules and files that the program opens by URL instead of importing, `new URL("./worker.ts",
 * import.meta.url)`: `deno compile` follows imports alone and has to be told of them.
 */
import type { ProjectFiles } from "./project_files.ts";
import { tokens } from "./tokens.ts";

const PATTERN = ["new", "URL", "(", undefined, ",", "import", ".", "meta", ".", "url"] as const;
const PROGRAM = /^(main\.ts$|(agent|broker|crypto|mcp|storage)\/.*\.ts$)/;

/** Specifiers in `source` that are resolved against the module's own URL. */
function specifiers(source: string): string[] {
  const all = tokens(source);
  return all.flatMap((token, index) => {
    const start = index - 3;
    const matches = PATTERN.every((text, offset) =>
      text === undefined ? token.kind === "string" : all[start + offset]?.text === text
    );
    return matches ? [token.text] : [];
  });
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
