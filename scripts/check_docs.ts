/**
 * What other folders may import is explained where it stands: every function, class and interface that
 * `broker/api` and `crypto` export has a doc comment, and in `crypto` every constant too. It reads `deno doc --json`;
 * `deno doc --lint` would also want written-out types for constants whose type zod infers, field by field.
 */
import { PROJECT_ROOT, readProjectFiles } from "./project_files.ts";

/** The part of the output of `deno doc --json` (format version 2) that is read. */
export interface DocOutput {
  readonly version: number;
  readonly nodes: Readonly<Record<string, { readonly symbols: readonly DocSymbol[] }>>;
}

interface DocSymbol {
  readonly name: string;
  readonly declarations: readonly {
    readonly kind: string;
    readonly declarationKind: string;
    readonly location: { readonly line: number };
    readonly jsDoc?: { readonly doc?: string };
  }[];
}

const DOCUMENTED = /^(broker\/api|crypto)\/(?!.*_test\.ts$).*\.ts$/;
const KINDS = new Set(["class", "function", "interface"]);

/** Exports without a doc comment, as `path:line: name`; `root` is cut off the modules' URLs. */
export function docBreaches(output: DocOutput, root: string): string[] {
  const found: string[] = [];
  for (const [url, module] of Object.entries(output.nodes)) {
    const path = decodeURIComponent(new URL(url).pathname).replace(root, "");
    for (const symbol of module.symbols) {
      for (const declaration of symbol.declarations) {
        const wanted = KINDS.has(declaration.kind) ||
          (declaration.kind === "variable" && path.startsWith("crypto/"));
        if (!wanted || declaration.declarationKind !== "export") continue;
        if (declaration.jsDoc?.doc) continue;
        found.push(`${path}:${declaration.location.line}: "${symbol.name}" has no doc comment`);
      }
    }
  }
  return found;
}

async function readDocs(paths: readonly string[]): Promise<DocOutput> {
  const { success, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["doc", "--json", ...paths],
    cwd: PROJECT_ROOT,
    stderr: "inherit",
  }).output();
  if (!success) throw new Error("deno doc failed");
  const output: DocOutput = JSON.parse(new TextDecoder().decode(stdout));
  if (output.version !== 2) throw new Error(`deno doc wrote format ${output.version}, not 2`);
  return output;
}

if (import.meta.main) {
  const paths = [...(await readProjectFiles()).keys()].filter((path) => DOCUMENTED.test(path));
  for (const folder of ["broker/api/", "crypto/"]) {
    if (!paths.some((path) => path.startsWith(folder))) {
      throw new Error(`"${folder}" has no module`);
    }
  }
  const breaches = docBreaches(await readDocs(paths), PROJECT_ROOT);
  for (const breach of breaches) console.error(breach);
  console.log(`documented exports: ${breaches.length} breaches in ${paths.length} modules`);
  Deno.exit(breaches.length === 0 ? 0 : 1);
}
