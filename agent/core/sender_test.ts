/** Sending from the outbox: order, window, refusals that pass and those that do not, pacing. */
import assert from "node:assert/strict";
import { MeshError } from "../../broker/api/errors.ts";
import { StillClock } from "../../tests/support/agent_clock.ts";
import type { Frame } from "./frame.ts";
import { LocalError } from "./local_error.ts";
import { Outbox, type OutboxEntry } from "./outbox.ts";
import { Sender } from "./sender.ts";

interface Asked {
  readonly id: string;
  accept(): void;
  refuse(error: Error): void;
}

/** A connection whose answers the test gives. */
class ScriptedLink {
  readonly asked: Asked[] = [];
  #told: (() => void) | null = null;

  request(_wire: string, input: Readonly<Record<string, unknown>>): Promise<Frame> {
    return new Promise((resolve, reject) => {
      const id = String(input.id);
      this.asked.push({
        id,
        accept: () => resolve({ type: "ack", id, messageId: `broker-${id}`, recipients: 1 }),
        refuse: reject,
      });
      this.#told?.();
    });
  }

  get ids(): string[] {
    return this.asked.map((each) => each.id);
  }

  /** Resolves when so many have been asked. */
  async until(count: number): Promise<void> {
    while (this.asked.length < count) {
      await new Promise<void>((resolve) => this.#told = resolve);
    }
  }
}

interface Stage {
  readonly clock: StillClock;
  readonly outbox: Outbox;
  readonly link: ScriptedLink;
  readonly sender: Sender;
  /** Adds a message; resolves when it is on disk. */
  add(id: string, target?: string, sessionId?: string | null): Promise<void>;
}

function entryOf(id: string, target: string, sessionId: string | null): OutboxEntry {
  return {
    id,
    target,
    priority: "next",
    type: "text",
    replyTo: null,
    sessionId,
    createdAtMs: 1,
    content: { kind: "text", body: id },
  };
}

async function onStage(
  run: (stage: Stage) => Promise<void>,
  options: {
    links?: (sessionId: string | null) => ScriptedLink | null;
    hasKey?: () => boolean;
    refreshKeys?: () => Promise<void>;
  } = {},
): Promise<void> {
  const folder = Deno.makeTempDirSync();
  const clock = new StillClock();
  const outbox = new Outbox(folder, () => 1);
  const link = new ScriptedLink();
  const sender = new Sender({
    outbox,
    clock,
    link: options.links ?? (() => link),
    prepare: (entry) =>
      entry.target.startsWith("@") && options.hasKey?.() === false ? null : { id: entry.id },
    refreshKeys: options.refreshKeys ?? (() => Promise.resolve()),
    onChange: () => {},
  });
  try {
    await run({
      clock,
      outbox,
      link,
      sender,
      add: (id, target = "bob", sessionId = null) => outbox.add(entryOf(id, target, sessionId)),
    });
  } finally {
    sender.stop();
    outbox.close();
    Deno.removeSync(folder, { recursive: true });
  }
}

async function addAll(stage: Stage, count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, (_, index) => `m${index}`);
  await Promise.all(ids.map((id) => stage.add(id)));
  return ids;
}

/** Lets answers be taken in. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 4; turn++) await Promise.resolve();
}

Deno.test("at most 64 are on their way, in the order they were added", () =>
  onStage(async (stage) => {
    const ids = await addAll(stage, 70);
    stage.sender.pump();
    assert.deepEqual(stage.link.ids, ids.slice(0, 64));
    stage.link.asked[0]!.accept();
    await stage.link.until(65);
    assert.equal(stage.link.ids[64], "m64");
  }));

Deno.test("an answer settles the message that it is for, and tells who waits for it", () =>
  onStage(async (stage) => {
    await addAll(stage, 2);
    const second = stage.sender.committed("m1");
    stage.sender.pump();
    stage.link.asked[1]!.accept();
    assert.deepEqual(await second, { messageId: "broker-m1", recipients: 1 });
    assert.deepEqual(stage.outbox.queue.map((each) => each.id), ["m0"]);
  }));

Deno.test("a refusal that will pass stops everything until it is time, then repeats in order", () =>
  onStage(async (stage) => {
    await addAll(stage, 3);
    stage.sender.pump();
    const data = { retry_after_ms: 700 };
    stage.link.asked[0]!.refuse(new MeshError("rate_limited", "slow down", { data }));
    stage.link.asked[1]!.refuse(new MeshError("rate_limited", "slow down", { data }));
    stage.link.asked[2]!.refuse(new MeshError("rate_limited", "slow down", { data }));
    await settled();
    stage.sender.pump();
    assert.equal(stage.link.asked.length, 3);
    stage.clock.pass(699);
    assert.equal(stage.link.asked.length, 3);
    stage.clock.pass(60_000);
    assert.deepEqual(stage.link.ids.slice(3), ["m0", "m1", "m2"]);
  }));

Deno.test("what was refused goes again only when everything on its way has been answered", () =>
  onStage(async (stage) => {
    await addAll(stage, 2);
    stage.sender.pump();
    stage.link.asked[0]!.refuse(new MeshError("unavailable", "no store"));
    await settled();
    stage.clock.pass(10_000);
    assert.equal(stage.link.asked.length, 2);
    stage.link.asked[1]!.accept();
    await stage.link.until(3);
    assert.deepEqual(stage.link.ids, ["m0", "m1", "m0"]);
  }));

Deno.test("a refusal for good keeps the message with its reason and goes on", () =>
  onStage(async (stage) => {
    await addAll(stage, 2);
    const first = stage.sender.committed("m0");
    stage.sender.pump();
    stage.link.asked[0]!.refuse(new MeshError("not_found", "nobody"));
    await assert.rejects(first, /nobody/);
    assert.equal(stage.outbox.list()[0]!.errorCode, "not_found");
    assert.deepEqual(stage.outbox.queue.map((each) => each.id), ["m1"]);
  }));

Deno.test("a full queue holds up only messages to the same recipient", () =>
  onStage(async (stage) => {
    await stage.add("a1", "ann");
    await stage.add("b1", "bob");
    stage.sender.pump();
    stage.link.asked[0]!.refuse(new MeshError("queue_full", "full"));
    stage.link.asked[1]!.accept();
    await settled();
    await stage.add("a2", "ann");
    await stage.add("b2", "bob");
    stage.sender.pump();
    assert.deepEqual(stage.link.ids, ["a1", "b1", "b2"]);
    stage.clock.pass(5_000);
    assert.deepEqual(stage.link.ids, ["a1", "b1", "b2", "a1", "a2"]);
  }));

Deno.test("a group whose key is missing waits for it while direct messages go", () => {
  let hasKey = false;
  return onStage(async (stage) => {
    await stage.add("g1", "@eng");
    await stage.add("d1", "bob");
    stage.sender.pump();
    assert.deepEqual(stage.link.ids, ["d1"]);
    hasKey = true;
    stage.sender.keysChanged();
    assert.deepEqual(stage.link.ids, ["d1", "g1"]);
  }, { hasKey: () => hasKey });
});

Deno.test("after a stale epoch the keys are fetched and the message is sent again", () => {
  let fetched = 0;
  return onStage(async (stage) => {
    await stage.add("g1", "@eng");
    stage.sender.pump();
    stage.link.asked[0]!.refuse(new MeshError("stale_epoch", "rotated"));
    await stage.link.until(2);
    assert.equal(fetched, 1);
    assert.deepEqual(stage.link.ids, ["g1", "g1"]);
  }, {
    refreshKeys: () => {
      fetched += 1;
      return Promise.resolve();
    },
  });
});

Deno.test("a lost connection leaves messages in their places for the next one", () =>
  onStage(async (stage) => {
    await addAll(stage, 2);
    stage.sender.pump();
    for (const asked of [...stage.link.asked]) asked.refuse(new LocalError("offline", "lost"));
    await stage.link.until(4);
    assert.deepEqual(stage.link.ids, ["m0", "m1", "m0", "m1"]);
  }));

Deno.test("a bug of the broker is tried five times, then the message is kept as refused", () =>
  onStage(async (stage) => {
    await stage.add("m0");
    const committed = stage.sender.committed("m0");
    stage.sender.pump();
    for (let tries = 1; tries <= 5; tries++) {
      assert.equal(stage.link.asked.length, tries);
      stage.link.asked[tries - 1]!.refuse(new MeshError("internal", "reference 1"));
      await settled();
      stage.clock.pass(1_000);
    }
    await assert.rejects(committed, /reference 1/);
    assert.equal(stage.outbox.refusedCount(), 1);
  }));

Deno.test("the broker's rate is kept: a burst, then one at a time", () =>
  onStage(async (stage) => {
    stage.sender.setPace(60, 3);
    await addAll(stage, 5);
    stage.sender.pump();
    assert.equal(stage.link.asked.length, 3);
    stage.clock.pass(1_000);
    assert.equal(stage.link.asked.length, 4);
    stage.clock.pass(1_000);
    assert.equal(stage.link.asked.length, 5);
  }));

Deno.test("a message of another session waits until the first connection has answered all", () => {
  const first = new ScriptedLink();
  const second = new ScriptedLink();
  return onStage(async (stage) => {
    await stage.add("m0", "bob", null);
    await stage.add("m1", "bob", "s1");
    await stage.add("m2", "bob", null);
    stage.sender.pump();
    assert.deepEqual([first.ids, second.ids], [["m0"], []]);
    first.asked[0]!.accept();
    await second.until(1);
    assert.deepEqual([first.ids, second.ids], [["m0"], ["m1"]]);
    second.asked[0]!.accept();
    await first.until(2);
    assert.deepEqual(first.ids, ["m0", "m2"]);
  }, { links: (sessionId) => sessionId === null ? first : second });
});
