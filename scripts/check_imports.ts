/**
 * Derives the import rules of the architecture again from what the modules import, so that no lint comment can
 * switch them off. `deno run -A scripts/check_imports.ts` lists every breach and fails if there is one.
 */
import { ruleFor, TOP_LEVEL, type ZoneRule } from "./import_rules.ts";
import { type ModuleImport, moduleShape } from "./module_imports.ts";
import { PROJECT_ROOT, type ProjectFiles, readProjectFiles } from "./project_files.ts";

const MODULE = /\.(ts|tsx|js|mjs|jsx)$/;
const TEST = /_test\.ts$/;
const BARREL_NAMES = /(^|\/)(mod|index)\.ts$/;
const CATALOG = /(^|\/)catalog\.ts$/;

/** Joins a relative specifier to the folder of `from`; undefined where it leaves the project. */
function resolveRelative(from: string, specifier: string): string | undefined {
  const parts = from.split("/").slice(0, -1);
  for (const part of specifier.split("/")) {
    if (part === "..") {
      if (parts.pop() === undefined) return undefined;
    } else if (part !== ".") parts.push(part);
  }
  return parts.join("/");
}

/** The import-map name that serves `specifier`, exactly or as a path below it; undefined where none does. */
function packageOf(specifier: string, names: readonly string[]): string | undefined {
  return names.find((name) =>
    specifier === name || specifier.startsWith(name.endsWith("/") ? name : `${name}/`)
  );
}

function externalBreach(
  specifier: string,
  rule: ZoneRule | undefined,
  names: readonly string[],
): string | undefined {
  if (specifier.startsWith("node:")) {
    return rule?.packages ? `may import only ${rule.packages.join(", ")}` : undefined;
  }
  if (/^[a-z][a-z0-9+.-]*:/i.test(specifier)) return "goes around the import map in deno.json";
  if (specifier.startsWith("/")) return "is an absolute path";
  const name = packageOf(specifier, names);
  if (name === undefined) return "is not in the import map of deno.json";
  const allowed = rule?.packages === undefined || packageOf(name, rule.packages) !== undefined;
  return allowed ? undefined : `may import only ${rule.packages?.join(", ")}`;
}

function holdsPath(prefixes: readonly string[] | undefined, path: string): boolean {
  return prefixes?.some((prefix) => prefix === "*" || path.startsWith(prefix)) ?? false;
}

function directionBreach(path: string, target: string, edge: ModuleImport): string | undefined {
  const rule = ruleFor(path);
  if (rule === undefined) return undefined;
  const data = target.endsWith(".json");
  if (rule.lazily && edge.kind !== "dynamic" && !edge.typeOnly && !data) {
    return "must be loaded with await import()";
  }
  const inside = ruleFor(target)?.zone === rule.zone || target.startsWith(rule.zone);
  if (inside || holdsPath(rule.may, target)) return undefined;
  if (!holdsPath(rule.mayTypes, target)) return `${rule.zone} may not import it`;
  return edge.typeOnly ? undefined : `${rule.zone} may import only its types`;
}

/** What is wrong with one edge; undefined where nothing is. */
function edgeBreach(
  path: string,
  edge: ModuleImport,
  names: readonly string[],
): string | undefined {
  const { specifier } = edge;
  const test = TEST.test(path) || path.startsWith("tests/");
  if (specifier === null) {
    return test ? undefined : "import() needs a literal: the compiler and this check read it";
  }
  if (!/^\.\.?\//.test(specifier)) {
    return externalBreach(specifier, test ? undefined : ruleFor(path), names);
  }
  const target = resolveRelative(path, specifier);
  if (target === undefined) return "leaves the project";
  return test ? undefined : directionBreach(path, target, edge);
}

function barrelBreach(path: string, source: string): string | undefined {
  if (BARREL_NAMES.test(path)) return "is named like a barrel: name it after what it exports";
  if (CATALOG.test(path) || TEST.test(path)) return undefined;
  const shape = moduleShape(source);
  if (shape.imports.some((edge) => edge.everything)) return "exports everything of another module";
  const onlyPassesOn = shape.declaresNothing &&
    shape.imports.some((edge) => edge.kind === "reexport");
  return onlyPassesOn ? "only passes on what other modules export" : undefined;
}

function placeBreaches(path: string, files: ProjectFiles): string[] {
  const found: string[] = [];
  const top = path.split("/")[0] ?? "";
  if (!TOP_LEVEL.has(top)) found.push(`${path}: "${top}" has no place at the top level`);
  if (!MODULE.test(path)) return found;
  if (ruleFor(path) === undefined) {
    found.push(`${path}: its folder has no row in scripts/import_rules.ts`);
  }
  if (TEST.test(path) && !path.startsWith("tests/")) {
    const unit = path.replace(TEST, ".ts");
    if (!files.has(unit)) found.push(`${path}: stands beside no unit "${unit}"`);
  }
  return found;
}

/**
 * Every breach of the import rules in `files` (path from the project's root -> text), as `path:line: "specifier":
 * why`, in the order of the files. `importNames` are the names of the import map.
 */
export function importBreaches(files: ProjectFiles, importNames: readonly string[]): string[] {
  const found: string[] = [];
  for (const [path, source] of files) {
    found.push(...placeBreaches(path, files));
    if (!MODULE.test(path)) continue;
    const barrel = barrelBreach(path, source);
    if (barrel !== undefined) found.push(`${path}: ${barrel}`);
    for (const edge of moduleShape(source).imports) {
      const breach = edgeBreach(path, edge, importNames);
      if (breach !== undefined) {
        found.push(`${path}:${edge.line}: "${edge.specifier ?? "computed"}": ${breach}`);
      }
    }
  }
  return found;
}

/** Names of the project's import map. Throws a TypeError where deno.json has none. */
export async function importMapNames(root: string = PROJECT_ROOT): Promise<string[]> {
  const config: unknown = JSON.parse(await Deno.readTextFile(`${root}deno.json`));
  if (typeof config !== "object" || config === null || !("imports" in config)) {
    throw new TypeError(`"${root}deno.json" has no import map`);
  }
  return Object.keys(config.imports as Record<string, string>);
}

if (import.meta.main) {
  const breaches = importBreaches(await readProjectFiles(), await importMapNames());
  for (const breach of breaches) console.error(breach);
  console.log(`import rules: ${breaches.length} breaches`);
  Deno.exit(breaches.length === 0 ? 0 : 1);
}
