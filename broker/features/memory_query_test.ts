/** What each way of writing a query means, and that none of them fails. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { parseMemoryQuery } from "./memory_query.ts";

/** Terms in short: kind and text, a minus in front of what is left out. */
function termsOf(query: string): string[] {
  return parseMemoryQuery(query).terms.map(({ kind, text, excluded }) =>
    `${excluded ? "-" : ""}${kind}:${text}`
  );
}

const MEANINGS: readonly (readonly [string, readonly string[]])[] = [
  ["", []],
  ["  deploy   staging ", ["word:deploy", "word:staging"]],
  ['"goes live" Thursday', ["phrase:goes live", "word:Thursday"]],
  ["deploy* x*", ["prefix:deploy", "word:x*"]],
  ["-draft deploy", ["-word:draft", "word:deploy"]],
  ['-"not yet"', ["-phrase:not yet"]],
  ['before"phrase"after', ["word:before", "phrase:phrase", "word:after"]],
  ['"never closed', ["phrase:never closed"]],
  ['... - -- * ? "" -""', []],
  ["well-known a_b c++ user@example.org", [
    "word:well-known",
    "word:a_b",
    "word:c++",
    "word:user@example.org",
  ]],
  ["größe Über* 東京", ["word:größe", "prefix:Über", "word:東京"]],
];

for (const [query, terms] of MEANINGS) {
  Deno.test(`the query ${JSON.stringify(query)} looks for ${JSON.stringify(terms)}`, () => {
    assert.deepEqual(termsOf(query), terms);
  });
}

Deno.test("tags are asked for in any case, with quotes where they have blanks, and left out with a minus", () => {
  const query = 'tag:Release tag:release -tag:draft TAG:"code review" tag: words';
  assert.deepEqual(parseMemoryQuery(query), {
    terms: [
      { kind: "word", text: "tag:", excluded: false },
      { kind: "word", text: "words", excluded: false },
    ],
    tags: ["release", "code review"],
    excludedTags: ["draft"],
  });
});

Deno.test("any text is a query, of terms that can be looked up", () => {
  fc.assert(fc.property(fc.string({ unit: "grapheme", maxLength: 200 }), (text) => {
    const { terms, tags, excludedTags } = parseMemoryQuery(text);
    for (const term of terms) assert.match(term.text, /[\p{L}\p{N}]/u);
    for (const tag of [...tags, ...excludedTags]) assert.equal(tag, tag.trim().toLowerCase());
  }));
});

Deno.test("every word of a query of plain words is looked for", () => {
  const word = fc.stringMatching(/^[a-z0-9]{1,12}$/);
  fc.assert(fc.property(fc.array(word, { maxLength: 30 }), (words) => {
    assert.deepEqual(termsOf(words.join(" ")), words.map((each) => `word:${each}`));
  }));
});
