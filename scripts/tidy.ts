/**
 * What the formatter and the linter leave open: sizes, names, module comments, leftovers, headings. The rules that
 * need a syntax tree are in `lint_plugin.ts`. `deno run -A scripts/tidy.ts` lists every breach and fails if there
 * is one.
 */
import { type ProjectFiles, readProjectFiles } from "./project_files.ts";

const FILE_LINES = 500;
const TEST_LINES = 800;
const SQL_WIDTH = 100;

const GENERATED = /^(\/\/|\/\*\*?|#|--|<!--)[^\n]*\bgenerated\b/i;
const SNAKE_CASE = /^[a-z0-9]+(_[a-z0-9]+)*$/;
const VAGUE_NAMES = new Set(["common", "helper", "helpers", "misc", "shared", "util", "utils"]);
// The words are cut in two so that this file does not report itself.
const LEFTOVERS = new RegExp(`\\b(${["TO" + "DO", "FIX" + "ME", "XX" + "X"].join("|")})\\b`);
const LINT_IGNORE = /\/\/\s*deno-lint-ignore(?!-plugin)/;
const REASON = /deno-lint-ignore(-file)?[^\n]* -- \S/;
const OWN_RULE = /deno-lint-ignore-file[^\n]*claudemesh\//;
const CHECK_SILENCED = new RegExp("@ts-" + "(ignore|nocheck)");

function isTest(path: string): boolean {
  return path.startsWith("tests/") || path.endsWith("_test.ts");
}

function linesOf(text: string): string[] {
  return text.replace(/\n$/, "").split("\n");
}

function nameBreaches(path: string): string[] {
  const found: string[] = [];
  const parts = path.split("/");
  for (const part of parts) {
    const stem = part.split(".")[0] ?? "";
    if (VAGUE_NAMES.has(stem)) found.push(`${path}: "${stem}" says nothing: name what it holds`);
  }
  const file = parts.at(-1) ?? "";
  const folders = parts.slice(0, -1);
  if (!/\.(ts|sql)$/.test(file)) return found;
  if (!SNAKE_CASE.test(file.split(".")[0] ?? "")) {
    found.push(`${path}: file names are snake_case`);
  }
  for (const folder of folders) {
    if (!SNAKE_CASE.test(folder)) found.push(`${path}: folder names are snake_case`);
  }
  return found;
}

function moduleBreaches(path: string, text: string): string[] {
  const found: string[] = [];
  const limit = isTest(path) ? TEST_LINES : FILE_LINES;
  const lines = linesOf(text);
  if (lines.length > limit) found.push(`${path}: ${lines.length} lines, at most ${limit}`);
  if (!/^(#![^\n]*\n)?\/\*\*/.test(text)) {
    found.push(`${path}:1: opens with no /** comment that says what the module is for`);
  }
  for (const [index, line] of lines.entries()) {
    const at = `${path}:${index + 1}`;
    if (LINT_IGNORE.test(line) && !REASON.test(line)) {
      found.push(`${at}: a lint comment gives its reason after " -- "`);
    }
    if (OWN_RULE.test(line)) found.push(`${at}: our own rules are not switched off for a file`);
    if (CHECK_SILENCED.test(line)) found.push(`${at}: the type checker is not silenced`);
  }
  return found;
}

/** Headings of level one outside fenced code. */
function headingCount(text: string): number {
  let fenced = false;
  let count = 0;
  for (const line of text.split("\n")) {
    if (/^\s*(```|~~~)/.test(line)) fenced = !fenced;
    else if (!fenced && /^# \S/.test(line)) count += 1;
  }
  return count;
}

function markdownBreaches(path: string, text: string): string[] {
  const count = headingCount(text);
  return count === 1 ? [] : [`${path}: ${count} headings of level one, exactly 1 wanted`];
}

function sqlBreaches(path: string, text: string): string[] {
  const found: string[] = [];
  const lines = linesOf(text);
  if (lines.length > FILE_LINES) {
    found.push(`${path}: ${lines.length} lines, at most ${FILE_LINES}`);
  }
  for (const [index, line] of lines.entries()) {
    if (line.length <= SQL_WIDTH) continue;
    found.push(`${path}:${index + 1}: ${line.length} characters, at most ${SQL_WIDTH}`);
  }
  return found;
}

/** Every breach in `files` (path from the project's root -> text), as `path[:line]: what`, in the files' order. */
export function tidyBreaches(files: ProjectFiles): string[] {
  const found: string[] = [];
  for (const [path, text] of files) {
    found.push(...nameBreaches(path));
    if (path === "deno.lock" || GENERATED.test(text)) continue;
    for (const [index, line] of text.split("\n").entries()) {
      const leftover = LEFTOVERS.exec(line)?.[0];
      if (leftover !== undefined) found.push(`${path}:${index + 1}: "${leftover}" left over`);
    }
    if (/\.(ts|tsx)$/.test(path)) found.push(...moduleBreaches(path, text));
    if (path.endsWith(".md")) found.push(...markdownBreaches(path, text));
    if (path.endsWith(".sql")) found.push(...sqlBreaches(path, text));
  }
  return found;
}

if (import.meta.main) {
  const breaches = tidyBreaches(await readProjectFiles());
  for (const breach of breaches) console.error(breach);
  console.log(`tidy: ${breaches.length} breaches`);
  Deno.exit(breaches.length === 0 ? 0 : 1);
}
