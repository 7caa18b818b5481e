/**
 * Which variables `RETURN *` stands for: Apache AGE has to be told the columns.
 */
import type { CypherToken } from "./cypher_tokens.ts";

const CLAUSES: ReadonlySet<string> = new Set([
  "MATCH",
  "OPTIONAL",
  "WHERE",
  "CREATE",
  "MERGE",
  "ON",
  "SET",
  "REMOVE",
  "DELETE",
  "DETACH",
  "WITH",
  "UNWIND",
  "CALL",
  "YIELD",
  "UNION",
  "ORDER",
  "SKIP",
  "LIMIT",
]);
const PATTERNS: ReadonlySet<string> = new Set(["MATCH", "CREATE", "MERGE"]);

/** Returns the variables in scope at the end of `tokens`, by name, as Neo4j orders them. */
export function variablesBefore(tokens: readonly CypherToken[]): string[] {
  let scope = new Set<string>();
  for (const clause of clausesOf(tokens)) {
    const [head, ...body] = clause;
    switch (head?.word) {
      case "UNION":
        scope = new Set();
        break;
      case "WITH":
        scope = afterWith(scope, body);
        break;
      case "UNWIND":
      case "YIELD":
        for (const name of listed(body)) scope.add(name);
        break;
      default:
        if (PATTERNS.has(head?.word ?? "")) { for (const name of inPattern(body)) scope.add(name); }
    }
  }
  return [...scope].sort();
}

function clausesOf(tokens: readonly CypherToken[]): CypherToken[][] {
  const clauses: CypherToken[][] = [];
  for (const token of tokens) {
    const begins = token.depth === 0 && CLAUSES.has(token.word);
    if (begins || clauses.length === 0) clauses.push([token]);
    else clauses.at(-1)!.push(token);
  }
  return clauses;
}

/** WITH leaves what it names; with `*` what there was, too. */
function afterWith(scope: ReadonlySet<string>, body: readonly CypherToken[]): Set<string> {
  const keepsAll = body.some(({ text, depth }, index) =>
    text === "*" && depth === 0 && (index === 0 || body[index - 1]?.word === "DISTINCT")
  );
  return new Set([...(keepsAll ? scope : []), ...listed(body)]);
}

/** The names of a list: aliases, and items that are a name alone. */
function listed(body: readonly CypherToken[]): string[] {
  const names: string[] = [];
  let item: CypherToken[] = [];
  function close(): void {
    const last = item.at(-1);
    const isAliased = item.at(-2)?.word === "AS";
    if (last !== undefined && isName(last) && (item.length === 1 || isAliased)) {
      names.push(last.text);
    }
    item = [];
  }
  for (const token of body) {
    if (token.depth === 0 && token.text === ",") close();
    else if (token.word !== "DISTINCT") item.push(token);
  }
  close();
  return names;
}

function inPattern(body: readonly CypherToken[]): string[] {
  return body.flatMap((token, index) => {
    if (!isName(token)) return [];
    const before = body[index - 1];
    const after = body[index + 1]?.text ?? "";
    const inNode = before?.text === "(" && !isCall(body[index - 2]) &&
      [":", ")", "{"].includes(after);
    const inRelation = before?.text === "[" && body[index - 2]?.text === "-" &&
      [":", "]", "*", "{"].includes(after);
    const isPath = token.depth === 0 && after === "=";
    return inNode || inRelation || isPath ? [token.text] : [];
  });
}

function isName(token: CypherToken): boolean {
  return token.kind === "name" || token.kind === "quoted";
}

function isCall(before: CypherToken | undefined): boolean {
  return before !== undefined && isName(before);
}
