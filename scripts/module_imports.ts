/** Finds what a TypeScript module imports, re-exports and loads later, from its text alone. */
import { ownUrl } from "./asset_urls.ts";
import { type Token, tokens } from "./tokens.ts";

/** One edge to another module. */
export interface ModuleImport {
  /**
   * As written, also in `import(new URL("...", import.meta.url).href)`; `null` for a dynamic import of anything else than
   * a string literal.
   */
  readonly specifier: string | null;
  readonly kind: "import" | "reexport" | "dynamic";
  /** True where nothing remains of it at run time. */
  readonly typeOnly: boolean;
  /** True for `export * from`. */
  readonly everything: boolean;
  readonly line: number;
}

/** Edges of a module, and whether its text holds anything besides them. */
export interface ModuleShape {
  readonly imports: readonly ModuleImport[];
  readonly declaresNothing: boolean;
}

/** A clause with one of these belongs to a declaration, and what follows it to another statement. */
const NEVER_A_NAME = new Set(["class", "const", "export", "function", "import", "interface"]);

interface Clause {
  readonly specifier: string;
  readonly names: readonly Token[];
  /** Index of the first token behind the clause. */
  readonly end: number;
}

/** Reads `<names> from "specifier"` or a bare `"specifier"` that starts at `start`; undefined where none stands there. */
function clause(all: readonly Token[], start: number): Clause | undefined {
  const names: Token[] = [];
  for (let at = start; at < all.length; at += 1) {
    const token = all[at];
    if (token === undefined) return undefined;
    if (token.kind === "string") {
      const introduced = names.length === 0 || names.at(-1)?.text === "from";
      if (introduced) return { specifier: token.text, names, end: at + 1 };
    } else if (
      token.kind === "word" ? NEVER_A_NAME.has(token.text) : !"{},*".includes(token.text)
    ) {
      return undefined;
    }
    names.push(token);
  }
  return undefined;
}

/** True for `type ...` and for `{ type A, type B }` without a default import. */
function isTypeOnly(names: readonly Token[]): boolean {
  const texts = names.map((token) => token.text);
  if (texts[0] === "type" && texts[1] !== "from" && texts[1] !== ",") return true;
  if (texts[0] !== "{") return false;
  const inside = texts.slice(1, texts.indexOf("}")).join(" ").split(",");
  const named = inside.map((name) => name.trim()).filter((name) => name !== "");
  return named.length > 0 && named.every((name) => name.startsWith("type "));
}

function dynamicImport(all: readonly Token[], at: number): ModuleImport {
  const argument = all[at + 2];
  const after = all[at + 3]?.text;
  const literal = argument?.kind === "string" && (after === ")" || after === ",");
  return {
    specifier: literal ? argument.text : ownUrl(all, at + 2) ?? null,
    kind: "dynamic",
    typeOnly: false,
    everything: false,
    line: all[at]?.line ?? 0,
  };
}

function skipAttributes(all: readonly Token[], end: number): number {
  let at = end;
  if (all[at]?.text === "with") { while (at < all.length && all[at]?.text !== "}") at += 1; }
  if (all[at]?.text === "}") at += 1;
  return all[at]?.text === ";" ? at + 1 : at;
}

/** The shape of the module with this `source`. Never throws. */
export function moduleShape(source: string): ModuleShape {
  const all = tokens(source);
  const imports: ModuleImport[] = [];
  let declaresNothing = true;
  let at = 0;
  while (at < all.length) {
    const token = all[at];
    const next = all[at + 1];
    const isKeyword = token?.kind === "word" && all[at - 1]?.text !== ".";
    if (isKeyword && token.text === "import" && next?.text === "(" && next.kind !== "string") {
      imports.push(dynamicImport(all, at));
    } else if (isKeyword && (token.text === "import" || token.text === "export")) {
      const found = clause(all, at + 1);
      if (found !== undefined && (token.text === "import" || found.names.length > 0)) {
        imports.push({
          specifier: found.specifier,
          kind: token.text === "import" ? "import" : "reexport",
          typeOnly: isTypeOnly(found.names),
          everything: token.text === "export" &&
            found.names.find((name) => name.text !== "type")?.text === "*",
          line: token.line,
        });
        at = skipAttributes(all, found.end);
        continue;
      }
    }
    declaresNothing = false;
    at += 1;
  }
  return { imports, declaresNothing };
}
