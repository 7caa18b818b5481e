/** Values as Apache AGE writes them. */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { readAgtype } from "./agtype.ts";

Deno.test("readAgtype() reads whatever JSON can say", () => {
  fc.assert(fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
    const text = JSON.stringify(value);
    // Whole numbers beyond 2^53 are told as text.
    fc.pre(!/\d{16}/.test(text));
    const plain = JSON.parse(text);
    assert.deepEqual(readAgtype(text), plain);
  }));
});

Deno.test("readAgtype() throws TypeError or SyntaxError for junk, and nothing else", () => {
  fc.assert(fc.property(fc.string(), (text) => {
    try {
      readAgtype(text);
    } catch (error) {
      assert.ok(error instanceof TypeError || error instanceof SyntaxError, String(error));
    }
  }));
});

Deno.test("readAgtype() keeps what a number would lose as text", () => {
  const text = "[1, -2.50, 1.5::numeric, 9007199254740993, NaN, Infinity, -Infinity, 1e+300]";
  assert.deepEqual(readAgtype(text), [
    1,
    -2.5,
    1.5,
    "9007199254740993",
    "NaN",
    "Infinity",
    "-Infinity",
    1e300,
  ]);
});

Deno.test("readAgtype() makes plain JSON of nodes, relationships and paths", () => {
  const node =
    `{"id": 9007199254740993, "label": "", "properties": {"text": "a\n\\"b\\""}}::vertex`;
  const edge = `{"id": 3, "label": "R", "end_id": 2, "start_id": 1, "properties": {}}::edge`;
  const ada = { id: "9007199254740993", labels: [], properties: { text: 'a\n"b"' } };
  const knows = { id: "3", type: "R", start: "1", end: "2", properties: {} };
  assert.deepEqual(readAgtype(node), ada);
  assert.deepEqual(readAgtype(`[${node}, ${edge}, ${node}]::path`), {
    nodes: [ada, ada],
    relationships: [knows],
  });
  assert.throws(() => readAgtype("{}::unheard"), TypeError);
  assert.throws(() => readAgtype("[".repeat(600) + "]".repeat(600)), /nested too deep/);
});
