/** Tests of message ids. */
import assert from "node:assert/strict";
import { FakeClock } from "../../../tests/sim/fake_clock.ts";
import { systemRandom } from "../clock.ts";
import { messageId } from "./message_id.ts";

Deno.test("ids have 32 base62 characters, of which a second shares three and no more", async () => {
  const clock = new FakeClock(1_795_000_000_000);
  const ids = [messageId(clock, systemRandom), messageId(clock, systemRandom)];
  await clock.advance(1_000);
  ids.push(messageId(clock, systemRandom));
  for (const id of ids) assert.match(id, /^[0-9A-Za-z]{32}$/);
  const [one, two, later] = ids.map((id) => id.slice(0, 3));
  assert.equal(one, two);
  assert.ok(later! > one!, "later ids come later");
  assert.notEqual(ids[0]!.slice(3), ids[1]!.slice(3));
});
