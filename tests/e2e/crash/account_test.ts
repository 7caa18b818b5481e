/** A judge that cannot find a breach would make the crash test worthless. */
import assert from "node:assert/strict";
import type { Arrived } from "../../support/inbox_file.ts";
import { Account } from "./account.ts";

function account() {
  const book = new Account();
  const texts = ["direct", "group", "unanswered", "queued"].map((what) => {
    const given = book.give("Ada", ["Bob"], "next", what);
    if (what !== "unanswered") given.fate = what === "queued" ? "queued_locally" : "sent";
    return given.text;
  });
  return { book, arrived: texts.map((text): Arrived => ({ from: "Ada", text })) };
}

Deno.test("an inbox with every accepted message in order has no breach, whatever became of the unanswered", () => {
  const { book, arrived } = account();
  assert.deepEqual(book.breaches("Bob", arrived), []);
  assert.deepEqual(book.breaches("Bob", arrived.filter((_, index) => index !== 2)), []);
});

Deno.test("a lost message is a breach, also one that was only queued", () => {
  const { book, arrived } = account();
  assert.match(book.breaches("Bob", arrived.slice(1)).join(), /never got: "Ada 1 next direct"/);
  assert.match(book.breaches("Bob", arrived.slice(0, 3)).join(), /never got: "Ada 4 next queued"/);
});

Deno.test("a doubled message is a breach, also an unanswered one", () => {
  const { book, arrived } = account();
  assert.match(book.breaches("Bob", [...arrived, arrived[2]!]).join(), /got 2 times: "Ada 3/);
});

Deno.test("two messages in the wrong order are a breach", () => {
  const { book, arrived } = account();
  const [first, second, ...others] = arrived;
  assert.match(book.breaches("Bob", [second!, first!, ...others]).join(), /out of order: "Ada 1/);
});

Deno.test("what is urgent may overtake what is not, and never the other way round", () => {
  const book = new Account();
  const early = book.give("Ada", ["Bob"], "next", "early").text;
  const urgent = book.give("Ada", ["Bob"], "now", "urgent").text;
  const late = book.give("Ada", ["Bob"], "next", "late").text;
  const inbox = (...texts: string[]) => texts.map((text): Arrived => ({ from: "Ada", text }));
  assert.deepEqual(book.breaches("Bob", inbox(urgent, early, late)), []);
  assert.match(book.breaches("Bob", inbox(early, late, urgent)).join(), /out of order: "Ada 2 now/);
});

Deno.test("a message for somebody else, or under a false name, is a breach", () => {
  const { book, arrived } = account();
  assert.match(book.breaches("Cleo", arrived).join(), /not for them/);
  assert.match(book.breaches("Bob", [{ ...arrived[0]!, from: "Cleo" }]).join(), /not for them/);
});
