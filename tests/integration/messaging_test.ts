/** The way of a message through a real broker: sent, acknowledged, pushed, closed. */
import assert from "node:assert/strict";
import { TestBroker } from "../support/broker.ts";
import { eachDriver } from "../support/sql.ts";

/** Any nonce and ciphertext: the broker cannot tell. */
const SEALED = { nonce: "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH", ciphertext: "c2VhbGVk" };

eachDriver(
  "a direct message is acknowledged, pushed once, and closed by its client_ack",
  async (open) => {
    const broker = await TestBroker.start(await open());
    try {
      const [ada, bob] = await broker.mesh("Ada", "Bob");
      const sender = await broker.join(ada!);
      const recipient = await broker.join(bob!);
      sender.send({ type: "send", id: "1", targetSpec: "Bob", priority: "now", ...SEALED });
      const ack = await sender.nextOf("ack");
      assert.equal(ack.id, "1");
      assert.equal(ack.queued, true);
      assert.equal(ack.recipients, 1);
      const push = await recipient.nextMessage();
      assert.equal(push.messageId, ack.messageId);
      assert.equal(push.ciphertext, SEALED.ciphertext);
      const acked = await recipient.request("client_ack", { brokerMessageId: push.messageId });
      assert.equal(acked.closed, 1);
      const status = await sender.request("message_status", { messageId: ack.messageId });
      assert.equal(status.delivered, true);
    } finally {
      await broker.close();
    }
  },
);
