/** What counts as base64: as the pattern has it, whichever way it is found out. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { BASE64_PATTERN, isBase64Text } from "./base64_text.ts";

const pattern = new RegExp(BASE64_PATTERN);

Deno.test("every text counts as the pattern has it", () => {
  const characters = fc.constantFrom(..."AQz09+/=", " ", "\n", "\t", "-", "_", '"', "\\", "é");
  const nearlyBase64 = fc.array(characters, { maxLength: 24 }).map((all) => all.join(""));
  const encoded = fc.uint8Array({ maxLength: 64 }).map((bytes) =>
    btoa(String.fromCharCode(...bytes))
  );
  fc.assert(
    fc.property(fc.oneof(nearlyBase64, encoded, fc.string()), (text) => {
      assert.equal(isBase64Text(text), pattern.test(text));
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("long texts count alike, and one wrong character anywhere shows", () => {
  const long = "QUJD".repeat(20_000);
  for (const text of [long, long.slice(0, 4_000)]) {
    assert.ok(isBase64Text(text));
    for (const wrong of ['"', " ", "\n", "="]) {
      assert.ok(!isBase64Text(text.slice(0, 100) + wrong + text.slice(101)));
      assert.ok(!isBase64Text(text.slice(0, 100) + wrong.repeat(4) + text.slice(104)));
    }
  }
});
