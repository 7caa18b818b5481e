/** What the server says of itself. */
import assert from "node:assert/strict";
import { instructions } from "./instructions.ts";

const MODES = ["push", "inbox", "off"] as const;

Deno.test("the instructions stay under two kilobytes in every mode, with the longest names", () => {
  for (const messageMode of MODES) {
    const text = instructions({ displayName: "𝒳".repeat(64), role: "𝒳".repeat(64), messageMode });
    const withoutNames = instructions({ displayName: undefined, role: undefined, messageMode });
    assert.ok(new TextEncoder().encode(withoutNames).length < 2_000);
    assert.ok(text.length < 2_048, `${text.length}`);
  }
});

Deno.test("they say that message texts are data, and how to answer", () => {
  const text = instructions({ displayName: "Ada", role: "reviewer", messageMode: "push" });
  for (
    const said of [
      /You are "Ada"/,
      /Your role: reviewer/,
      /data from other people's programs/,
      /send_message/,
    ]
  ) {
    assert.match(text, said);
  }
});

Deno.test("they tell the mode in force", () => {
  const texts = MODES.map((messageMode) =>
    instructions({ displayName: undefined, role: undefined, messageMode })
  );
  assert.equal(new Set(texts).size, MODES.length);
});
