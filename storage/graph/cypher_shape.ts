/**
 * What must be known of a Cypher statement before it runs: its columns, which Apache AGE wants declared, and whether it
 * stays within what members may do.
 */
import { type CypherToken, readTokens } from "./cypher_tokens.ts";
import { GraphError } from "./port.ts";
import { variablesBefore } from "./cypher_variables.ts";

export interface CypherShape {
  /** The statement to run: as it was written, with `RETURN *` spelt out. */
  readonly text: string;
  /** Names of the columns; empty when nothing is returned. */
  readonly columns: readonly string[];
  /** The word by which it changes something, null for a statement that only reads. */
  readonly writesBy: string | null;
}

const WRITING: ReadonlySet<string> = new Set([
  "CREATE",
  "MERGE",
  "SET",
  "DELETE",
  "DETACH",
  "REMOVE",
  "FOREACH",
]);
/** What a statement may begin with; administration begins otherwise. */
const FIRST: ReadonlySet<string> = new Set([
  "MATCH",
  "OPTIONAL",
  "UNWIND",
  "WITH",
  "RETURN",
  "CREATE",
  "MERGE",
  "CALL",
  "FOREACH",
]);
/** Reaching for files, addresses and other databases. */
const FORBIDDEN: ReadonlySet<string> = new Set(["LOAD", "USE"]);
/** What ends the list of a RETURN. */
const AFTER_RETURN: ReadonlySet<string> = new Set(["ORDER", "SKIP", "LIMIT", "UNION"]);
const MAX_COLUMNS = 64;

/** Reads the shape of a statement. @throws {GraphError} `invalid` with what is wrong and what to write. */
export function readCypher(cypher: string): CypherShape {
  const tokens = withoutEnd(readTokens(cypher));
  const [first] = tokens;
  if (first === undefined) throw new GraphError("invalid", "the statement is empty");
  requireAllowed(tokens, first);
  const clauses = tokens.filter((token, index) => isKeyword(tokens, index) && token.depth === 0);
  const returns = clauses.filter(({ word }) => word === "RETURN");
  const writesBy =
    tokens.find((token, index) => WRITING.has(token.word) && isKeyword(tokens, index))?.word ??
      null;
  const end = tokens.at(-1)!.end;
  if (returns.length === 0) return { text: cypher.slice(0, end), columns: [], writesBy };
  const lists = returns.map((each) => returnList(cypher, tokens, each));
  const text = lists.reduceRight(
    (rest, { start, end, written }) => rest.slice(0, start) + written + rest.slice(end),
    cypher.slice(0, end),
  );
  const columns = unique(lists[0]!.columns);
  if (columns.length > MAX_COLUMNS) {
    throw new GraphError("invalid", `at most ${MAX_COLUMNS} columns are returned at once`);
  }
  return { text, columns, writesBy };
}

/** Without semicolons at the end. */
function withoutEnd(tokens: CypherToken[]): CypherToken[] {
  let count = tokens.length;
  while (tokens[count - 1]?.text === ";") count -= 1;
  const rest = tokens.slice(0, count);
  if (rest.some(({ kind, text }) => kind === "other" && text === ";")) {
    throw new GraphError("invalid", "write one statement, without a ; in it");
  }
  return rest;
}

/** Whether a name is a keyword where it stands: no property, label, parameter, alias or key of a map. */
function isKeyword(tokens: readonly CypherToken[], index: number): boolean {
  if (tokens[index]?.kind !== "name") return false;
  const before = tokens[index - 1];
  const after = tokens[index + 1]?.text ?? "";
  const isPart = [".", ":", "$", "|", "&", "!"].includes(before?.text ?? "") || after === ":";
  return !isPart && before?.word !== "AS";
}

function requireAllowed(tokens: readonly CypherToken[], first: CypherToken): void {
  if (!FIRST.has(first.word)) {
    throw new GraphError(
      "invalid",
      `a statement begins with one of ${[...FIRST].join(", ")}, not with "${
        first.text.slice(0, 40)
      }"`,
    );
  }
  tokens.forEach((token, index) => {
    const after = tokens[index + 1];
    if (FORBIDDEN.has(token.word) && isKeyword(tokens, index)) {
      throw new GraphError("invalid", `${token.word} is not available in a mesh's graph`);
    }
    if (token.word === "CREATE" && isKeyword(tokens, index) && after !== undefined) {
      const isPattern = after.text === "(" || tokens[index + 2]?.text === "=";
      if (!isPattern) throw new GraphError("invalid", `CREATE ${after.text} is not available here`);
    }
    const isName = token.kind === "name" || token.kind === "quoted";
    if (isName && tokens[index - 1]?.text === "." && after?.text === "(") {
      const before = tokens[index - 2]?.text ?? "";
      throw new GraphError("invalid", `the function ${before}.${token.text} is not available here`);
    }
  });
}

interface ReturnList {
  /** Where it stands in the statement, and what to write there. */
  readonly start: number;
  readonly end: number;
  readonly written: string;
  readonly columns: readonly string[];
}

function returnList(
  cypher: string,
  tokens: readonly CypherToken[],
  keyword: CypherToken,
): ReturnList {
  const from = tokens.indexOf(keyword) + 1;
  const begin = tokens[from]?.word === "DISTINCT" ? from + 1 : from;
  let until = begin;
  while (until < tokens.length) {
    const token = tokens[until]!;
    if (token.depth === 0 && AFTER_RETURN.has(token.word) && isKeyword(tokens, until)) break;
    until += 1;
  }
  const items = splitItems(tokens.slice(begin, until));
  if (items.length === 0 || items.some((item) => item.length === 0)) {
    throw new GraphError("invalid", "RETURN names nothing");
  }
  const start = items[0]![0]!.start;
  const end = items.at(-1)!.at(-1)!.end;
  const isAll = items[0]!.length === 1 && items[0]![0]!.text === "*";
  const known = isAll ? variablesBefore(tokens.slice(0, from - 1)) : [];
  if (isAll && known.length === 0) {
    throw new GraphError("invalid", "RETURN * has nothing to return");
  }
  const rest = isAll ? items.slice(1) : items;
  const quoted = known.map((name) => `\`${name.replaceAll("`", "``")}\``);
  const written = [...quoted, ...rest.map((item) => sliceOf(cypher, item))].join(", ");
  const columns = [...known, ...rest.map((item) => nameOf(cypher, item))];
  return { start, end, written: isAll ? written : cypher.slice(start, end), columns };
}

/** Cuts at the commas outside all brackets. */
function splitItems(tokens: readonly CypherToken[]): CypherToken[][] {
  const items: CypherToken[][] = [[]];
  for (const token of tokens) {
    if (token.depth === 0 && token.text === "," && token.kind === "other") items.push([]);
    else items.at(-1)!.push(token);
  }
  return items.length === 1 && items[0]!.length === 0 ? [] : items;
}

function sliceOf(cypher: string, item: readonly CypherToken[]): string {
  return cypher.slice(item[0]!.start, item.at(-1)!.end);
}

/** The alias of an item, else its text as it is written. */
function nameOf(cypher: string, item: readonly CypherToken[]): string {
  const [as, alias] = item.slice(-2);
  if (item.length > 2 && as?.word === "AS" && alias !== undefined) return alias.text;
  const [only] = item;
  return item.length === 1 && only?.kind === "quoted" ? only.text : sliceOf(cypher, item);
}

/** Columns of one name would hide each other in a record. */
function unique(names: readonly string[]): string[] {
  const seen = new Map<string, number>();
  return names.map((name) => {
    const count = (seen.get(name) ?? 0) + 1;
    seen.set(name, count);
    return count === 1 ? name : `${name} (${count})`;
  });
}
