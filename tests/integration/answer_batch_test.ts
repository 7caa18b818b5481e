/** Answers of one commit, for clients that take them in one frame. */
import assert from "node:assert/strict";
import { TestBroker } from "../support/broker.ts";
import type { Frame } from "../support/peer.ts";
import { eachDriver } from "../support/sql.ts";

/** Any nonce and ciphertext: the broker cannot tell. */
const SEALED = { nonce: "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH", ciphertext: "c2VhbGVk" };
const SENDS = 40;

function answersOf(frames: readonly Frame[]): Frame[] {
  return frames.flatMap((frame) =>
    frame.type === "answer_batch" ? frame.answers as Frame[] : frame.type === "ack" ? [frame] : []
  );
}

eachDriver("a burst of sends is answered in fewer frames, each send once", async (open) => {
  const broker = await TestBroker.start(await open());
  try {
    const [ada, bob] = await broker.mesh("Ada", "Bob");
    await broker.join(bob!);
    const capabilities = ["acks", "batch", "answer_batch", "body2"];
    const sender = await broker.join(ada!, { capabilities });
    const ids = Array.from({ length: SENDS }, (_, index) => `s${index}`);
    for (const _reqId of ids) {
      sender.send({ type: "send", _reqId, targetSpec: "Bob", priority: "next", ...SEALED });
    }
    const frames: Frame[] = [];
    while (answersOf(frames).length < SENDS) {
      frames.push(await sender.next(({ type }) => type === "answer_batch" || type === "ack"));
    }
    assert.deepEqual(answersOf(frames).map(({ _reqId }) => _reqId), ids);
    assert.ok(frames.length < SENDS, `${frames.length} frames`);
  } finally {
    await broker.close();
  }
});
