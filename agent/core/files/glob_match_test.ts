/** Tests of wildcards in names. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { globMatches } from "./glob_match.ts";

Deno.test("stars and question marks match what people expect", () => {
  const matching = [["*", ""], ["*.ts", "a.ts"], ["a?c", "abc"], ["*a*b*", "xxaxxbxx"], ["", ""]];
  const failing = [["?", ""], ["*.ts", "a.tsx"], ["a?c", "ac"], ["a", "ab"], ["*ab", "abc"]];
  for (const [pattern, name] of matching) assert.ok(globMatches(pattern!, name!), `${pattern}`);
  for (const [pattern, name] of failing) assert.ok(!globMatches(pattern!, name!), `${pattern}`);
});

Deno.test("case does not matter, characters of regular expressions mean themselves", () => {
  assert.ok(globMatches("READ*.MD", "readme.md"));
  assert.ok(globMatches("a.(b)[c]+", "a.(b)[c]+"));
  assert.ok(!globMatches("a.c", "abc"));
});

Deno.test("it agrees with a regular expression made from the pattern", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "b", "*", "?"), maxLength: 8 });
  const name = fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 8 });
  fc.assert(fc.property(text, name, (pattern, given) => {
    const expression = pattern.replaceAll("*", "[^]*").replaceAll("?", "[^]");
    assert.equal(globMatches(pattern, given), new RegExp(`^${expression}$`).test(given));
  }));
});

Deno.test("a pattern made to take long does not", () => {
  assert.ok(!globMatches("*a".repeat(100) + "b", "a".repeat(255)));
});
