/** Tests of the tokeniser that the project's checks stand on. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { tokens } from "./tokens.ts";

function texts(source: string): string[] {
  return tokens(source).map((token) => token.text);
}

Deno.test("tokens() drops comments and white space", () => {
  assert.deepEqual(texts("a // import 'x'\n/* import 'y' */ b"), ["a", "b"]);
});

Deno.test("tokens() keeps a string's content in one token", () => {
  assert.deepEqual(tokens(`"it's // no comment"`), [
    { kind: "string", text: "it's // no comment", line: 1 },
  ]);
});

Deno.test("tokens() sees code inside a template, and the template's end after it", () => {
  assert.deepEqual(texts("`a ${ b({ c: `x` }) } \\` d` + e"), [
    "a ${",
    "b",
    "(",
    "{",
    "c",
    ":",
    "x`",
    "}",
    ")",
    " \\` d`",
    "+",
    "e",
  ]);
});

Deno.test("tokens() tells a regular expression from a division", () => {
  assert.deepEqual(texts("x = /[/'\"]/g; y = a / b / c"), [
    "x",
    "=",
    "/[/'\"]/g",
    ";",
    "y",
    "=",
    "a",
    "/",
    "b",
    "/",
    "c",
  ]);
  assert.equal(tokens("return /'/.test(s)")[1]?.kind, "regex");
});

Deno.test("tokens() counts lines across comments, strings and templates", () => {
  const found = tokens("a\n/* \n */ b `\n\n` c");
  assert.deepEqual(found.map((token) => token.line), [1, 3, 3, 5]);
});

Deno.test("tokens() reads any text to its end without throwing", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => {
    for (const token of tokens(text)) assert.ok(token.line >= 1);
  }));
});
