/** What of other people's text reaches the terminal. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { printable, printableText } from "./style.ts";

// deno-lint-ignore no-control-regex -- what must not reach a terminal
const DANGEROUS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;

Deno.test("no text that goes through here moves the cursor or colours the terminal", () => {
  const text = fc.string({ unit: "binary" });
  fc.assert(fc.property(text, (each) => {
    assert.doesNotMatch(printableText(each), DANGEROUS);
    assert.doesNotMatch(printable(each), DANGEROUS);
    assert.doesNotMatch(printable(each), /[\t\n]/);
  }));
});

Deno.test("a name or summary stays on its line, a message keeps its lines", () => {
  const forged = "red\x1b[31m\n  ●  Ada  idle";
  assert.equal(printable(forged), "red�[31m   ●  Ada  idle");
  assert.equal(printableText(forged), "red�[31m\n  ●  Ada  idle");
  assert.equal(printableText("one\r\ntwo\rthree"), "one\ntwo�three");
});
