/** Cutting answers to what hosts let through. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { byteLength, cutText, pagedOutput, pageMarker, pageOf } from "./page.ts";

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
