/**
 * Cuts a Cypher statement into the tokens that matter for reading its shape: names, strings, punctuation. It knows no
 * grammar; the database checks that.
 */
import { GraphError } from "./port.ts";

export interface CypherToken {
  readonly kind: "name" | "quoted" | "text" | "other";
  /** As it is written; of a quoted name what is between the backticks. */
  readonly text: string;
  /** Upper case, for comparing with keywords; empty for all but bare names. */
  readonly word: string;
  readonly start: number;
  readonly end: number;
  /** How many brackets of any kind are open around it. */
  readonly depth: number;
}

const SPACE = /\s+|\/\/[^\n]*|\/\*[\s\S]*?\*\//y;
const NAME = /[\p{L}_][\p{L}\p{N}_]*/uy;
const QUOTED = /`((?:[^`]|``)*)`/y;
const TEXT = /'(?:[^'\\]|\\[\s\S])*'|"(?:[^"\\]|\\[\s\S])*"/y;
const NUMBER = /\d[\d.]*(?:[eE][+-]?\d+)?|\.\d+/y;
const MAX_DEPTH = 256;

/** @throws {GraphError} `invalid` for an unfinished string or comment, and for brackets that do not match. */
export function readTokens(cypher: string): CypherToken[] {
  const tokens: CypherToken[] = [];
  const open: string[] = [];
  let at = 0;
  function match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = at;
    return pattern.exec(cypher);
  }
  while (at < cypher.length) {
    const space = match(SPACE);
    if (space !== null) {
      at += space[0].length;
      continue;
    }
    const token = nextToken(match, cypher, at, open);
    tokens.push(token);
    at = token.end;
  }
  if (open.length > 0) throw new GraphError("invalid", `a "${open.at(-1)}" is not closed`);
  return tokens;
}

function nextToken(
  match: (pattern: RegExp) => RegExpExecArray | null,
  cypher: string,
  start: number,
  open: string[],
): CypherToken {
  const depth = open.length;
  const name = match(NAME)?.[0];
  if (name !== undefined) {
    const word = name.toUpperCase();
    return { kind: "name", text: name, word, start, end: start + name.length, depth };
  }
  const quoted = match(QUOTED);
  if (quoted !== null) {
    const text = quoted[1]!.replaceAll("``", "`");
    return { kind: "quoted", text, word: "", start, end: start + quoted[0].length, depth };
  }
  const text = match(TEXT)?.[0];
  if (text !== undefined) {
    return { kind: "text", text, word: "", start, end: start + text.length, depth };
  }
  const other = match(NUMBER)?.[0] ?? String.fromCodePoint(cypher.codePointAt(start)!);
  if (/^['"`]$/.test(other)) {
    throw new GraphError("invalid", `a text that begins with ${other} does not end`);
  }
  if (other === "/" && cypher[start + 1] === "*") {
    throw new GraphError("invalid", "a comment that begins with /* does not end");
  }
  return bracketed({ text: other, start, end: start + other.length }, open);
}

const CLOSING: Readonly<Record<string, string>> = { ")": "(", "]": "[", "}": "{" };

/** A closing bracket has the depth of its opening one. */
function bracketed(
  token: { readonly text: string; readonly start: number; readonly end: number },
  open: string[],
): CypherToken {
  const { text } = token;
  const opening = CLOSING[text];
  if (opening !== undefined && open.pop() !== opening) {
    throw new GraphError("invalid", `a "${text}" closes nothing`);
  }
  const depth = open.length;
  if (text === "(" || text === "[" || text === "{") open.push(text);
  if (open.length > MAX_DEPTH) throw new GraphError("invalid", "brackets are nested too deep");
  return { ...token, kind: "other", word: "", depth };
}
