/** Cutting answers to what hosts let through. */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  ANSWER_BYTES,
  byteLength,
  cutRow,
  cutText,
  jsonText,
  pagedOutput,
  pageMarker,
  pageOf,
} from "./page.ts";

Deno.test("reading on from each offset gives every row once, in order", () => {
  const rows = fc.array(fc.string({ maxLength: 40 }), { maxLength: 60 });
  fc.assert(fc.property(rows, fc.integer({ min: 1, max: 300 }), (all, budget) => {
    const read: string[] = [];
    let offset: number | null = 0;
    while (offset !== null) {
      const page: ReturnType<typeof pageOf<string>> = pageOf(all, offset, budget);
      read.push(...page.rows);
      offset = page.nextOffset;
    }
    assert.deepEqual(read, all);
  }));
});

Deno.test("a page stays within its budget unless a single row does not", () => {
  const page = pageOf(["aaaa", "bbbb", "cccc"], 0, 14);
  assert.deepEqual([page.rows, page.nextOffset, page.total], [["aaaa", "bbbb"], 2, 3]);
  assert.match(pageMarker(page), /2 of 3 shown; call again with offset: 2/);
  assert.equal(pageMarker(pageOf(["a"], 0, 100)), "");
  assert.deepEqual(pageOf(["x".repeat(99), "y"], 0, 5).rows.length, 1);
});

Deno.test("a text is cut at a character, within its budget, and says so", () => {
  fc.assert(fc.property(fc.string({ unit: "grapheme", maxLength: 400 }), (text) => {
    const cut = cutText(text, 200);
    assert.ok(byteLength(cut) <= 200);
    assert.ok(cut === text || cut.includes("[cut:"));
    assert.ok(!cut.includes("\ufffd") || text.includes("\ufffd"));
  }));
});

Deno.test("the longest list of an output is what is cut, and the output says where to go on", () => {
  const output = { name: "x", few: [1], many: Array.from({ length: 100 }, (_, index) => index) };
  const paged = pagedOutput(output, { offset: 10, budgetBytes: 120 });
  assert.deepEqual([paged.name, paged.few, paged.total], ["x", [1], 100]);
  const many = paged.many as number[];
  assert.equal(many[0], 10);
  assert.equal(paged.nextOffset, 10 + many.length);
  const skipped = pagedOutput(output, { offset: 0, skipped: 10, budgetBytes: 120 });
  assert.equal(skipped.nextOffset, 10 + (skipped.many as number[]).length);
  assert.equal(skipped.total, 110);
  assert.deepEqual(pagedOutput({ a: 1 }, { offset: 0, budgetBytes: 10 }), { a: 1 });
});

/** Reads an output to its end, as a client that follows the offsets; each page must fit. */
function pagesOf(output: Record<string, unknown>, budgetBytes: number): Record<string, unknown>[] {
  const pages: Record<string, unknown>[] = [];
  for (let offset: unknown = 0; typeof offset === "number";) {
    const page = pagedOutput(output, { offset, budgetBytes });
    const { nextOffset, total: _, ...shown } = page;
    assert.ok(byteLength(JSON.stringify(shown)) <= budgetBytes, JSON.stringify(page));
    pages.push(page);
    offset = nextOffset;
  }
  return pages;
}

Deno.test("a long text is read on by characters, wherever in the output it lies", () => {
  const texts = fc.string({ unit: "grapheme", minLength: 300, maxLength: 900 });
  fc.assert(fc.property(texts, (text) => {
    const pages = pagesOf({ key: "k", skill: { name: "n", text }, revision: 3 }, 200);
    const parts = pages.map((page) => (page.skill as { text: string }).text);
    assert.equal(parts.join(""), text);
    assert.deepEqual(pages.map(({ revision }) => revision), pages.map(() => 3));
  }));
});

Deno.test("a value of many small fields is read on as its JSON", () => {
  const value = Object.fromEntries(
    Array.from({ length: 90 }, (_, index) => [`key${index}`, index]),
  );
  const pages = pagesOf({ key: "k", value }, 200);
  assert.deepEqual(JSON.parse(pages.map((page) => page.value).join("")), value);
});

Deno.test("a single row that is too long is read on inside, one among others is cut", () => {
  const all = Array.from({ length: 80 }, (_, index) => `node ${index}`);
  const pages = pagesOf({ records: [{ all }] }, 200);
  assert.deepEqual(pages.flatMap(({ records }) => (records as { all: string[] }[])[0]!.all), all);
  const mixed = pagesOf({ records: ["short", "x".repeat(500), "end"] }, 200);
  const rows = mixed.flatMap(({ records }) => records as unknown[]);
  assert.deepEqual([rows[0], rows[2]], ["short", "end"]);
  assert.match((rows[1] as { cut: string }).cut, /^"x+\n\[cut:/);
  assert.deepEqual(cutRow({ a: 1 }, 7), { a: 1 });
});

Deno.test("the text of an answer has every row that its data have", () => {
  const rows = Array.from({ length: 9_000 }, (_, index) => ({ n: { id: index, tags: [] } }));
  const data = pagedOutput({ rows }, { offset: 0, budgetBytes: ANSWER_BYTES });
  const text = jsonText(data);
  assert.deepEqual(JSON.parse(text), data);
  assert.ok(byteLength(text) <= ANSWER_BYTES + 100, `${byteLength(text)} bytes`);
  assert.equal(jsonText({ a: 1 }), '{\n "a": 1\n}');
});
