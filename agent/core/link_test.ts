/** A link against a socket server: hello, backoff, what ends it, heartbeat, answers by `_reqId`. */
import assert from "node:assert/strict";
import { MeshError } from "../../broker/api/errors.ts";
import { StillClock } from "../../tests/support/agent_clock.ts";
import { helloAckFrame, StubBroker } from "../../tests/support/stub_broker.ts";
import type { Frame } from "./frame.ts";
import { Link, type LinkStatus } from "./link.ts";
import { LocalError } from "./local_error.ts";

const NOBODY = "ws://127.0.0.1:1/ws";

class Stage {
  readonly clock: StillClock;
  readonly link: Link;
  readonly frames: Frame[] = [];
  #told: (() => void)[] = [];

  constructor(url: string, clock = new StillClock(Date.now())) {
    this.clock = clock;
    this.link = new Link({
      url,
      clock,
      hello: () => ({ type: "hello", at: clock.now() }),
      onFrame: (frame) => {
        this.frames.push(frame);
        this.#tell();
      },
      onStatus: () => this.#tell(),
    });
  }

  async until<K extends LinkStatus["kind"]>(kind: K): Promise<Extract<LinkStatus, { kind: K }>> {
    while (this.link.status.kind !== kind) await this.#event();
    return this.link.status as Extract<LinkStatus, { kind: K }>;
  }

  async frame(count: number): Promise<Frame> {
    while (this.frames.length < count) await this.#event();
    return this.frames[count - 1]!;
  }

  #event(): Promise<void> {
    return new Promise((resolve) => this.#told.push(resolve));
  }

  #tell(): void {
    for (const tell of this.#told.splice(0)) tell();
  }
}

async function withStub(
  stub: Promise<StubBroker>,
  run: (stage: Stage, broker: StubBroker) => Promise<void>,
  clock?: StillClock,
): Promise<void> {
  const broker = await stub;
  const stage = new Stage(broker.url, clock);
  try {
    await run(stage, broker);
  } finally {
    await stage.link.stop();
    await broker.close();
  }
}

Deno.test("attempts follow each other after full jitter below 1, 2, 4, 8, 16 and then 30 s", async () => {
  const stage = new Stage(NOBODY);
  stage.link.start();
  for (const capMs of [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]) {
    const { failure } = await stage.until("waiting");
    assert.equal(failure.code, "unreachable");
    assert.match(failure.reason, /cannot reach the broker at 127\.0\.0\.1:1/);
    assert.deepEqual(stage.clock.waits, [capMs * 0.5]);
    stage.clock.pass(capMs * 0.5);
    assert.equal(stage.link.status.kind, "connecting");
  }
  await stage.until("waiting");
  await stage.link.stop();
  assert.deepEqual(stage.clock.waits, []);
});

Deno.test("a connection that held is followed by a short wait, one that did not by a longer one", () =>
  withStub(StubBroker.greeting(), async (stage, broker) => {
    stage.link.start();
    for (const [heldMs, capMs] of [[0, 1_000], [0, 2_000], [5_000, 1_000]] as const) {
      await stage.until("up");
      stage.clock.pass(heldMs);
      broker.connections.at(-1)!.socket.close(1001, "shutting down");
      const { failure } = await stage.until("waiting");
      assert.equal(failure.code, "shutting_down");
      assert.deepEqual(stage.clock.waits, [capMs * 0.5]);
      stage.clock.pass(capMs);
    }
    await stage.until("up");
  }));

Deno.test("the hello is signed anew for every attempt", () =>
  withStub(StubBroker.greeting(), async (stage, broker) => {
    stage.link.start();
    await stage.until("up");
    broker.connections[0]!.socket.terminate();
    await stage.until("waiting");
    stage.clock.pass(1_000);
    await stage.until("up");
    const [first, second] = broker.connections.map((each) => each.frames[0]!.at as number);
    assert.ok(second! > first!);
  }));

for (
  const [code, reason, said] of [
    [4001, "kicked", /ended this member's sessions/],
    [4002, "banned", /banned/],
  ] as const
) {
  Deno.test(`close code ${code} ends the link until it is told to try again`, () =>
    withStub(StubBroker.greeting(), async (stage, broker) => {
      stage.link.start();
      await stage.until("up");
      broker.connections[0]!.socket.close(code, reason);
      const { failure } = await stage.until("stopped");
      assert.match(failure!.reason, said);
      assert.deepEqual(stage.clock.waits, []);
      await assert.rejects(stage.link.ready(1_000), said);
      stage.link.retry();
      await stage.until("up");
    }));
}

/** A stub that refuses every hello with `error`. */
async function refusing(error: Record<string, unknown>): Promise<StubBroker> {
  const broker = await StubBroker.start();
  broker.onConnection = (connection) => {
    void connection.next().then(({ _reqId }) => {
      connection.send({ type: "error", _reqId, ...error });
      connection.socket.close(1008, String(error.code));
    });
  };
  return broker;
}

Deno.test("a refusal that nothing but a person can change ends the link", () =>
  withStub(refusing({ code: "unauthorized", message: "no member" }), async (stage) => {
    stage.link.start();
    const { failure } = await stage.until("stopped");
    assert.equal(failure!.reason, "no member");
    assert.match(failure!.hint!, /new invite/);
  }));

Deno.test("a refusal that passes is waited for as long as the broker says", () =>
  withStub(
    refusing({ code: "rate_limited", message: "slow down", retry_after_ms: 9_000 }),
    async (stage) => {
      stage.link.start();
      await stage.until("waiting");
      assert.deepEqual(stage.clock.waits, [9_000]);
    },
  ));

Deno.test("a refused clock is told with how far it is off, and tried again", () =>
  withStub(
    refusing({ code: "timestamp_skew", message: "skew" }),
    async (stage) => {
      stage.link.start();
      const { failure } = await stage.until("waiting");
      assert.match(failure.reason, /clock is 5 min behind the broker's/);
      await assert.rejects(
        stage.link.request("ping", {}, 1_000),
        (error) => error instanceof LocalError && error.code === "bad_clock",
      );
    },
    new StillClock(Date.now() - 300_000),
  ));

Deno.test("a broker that does not answer the hello is given up after ten seconds", () =>
  withStub(StubBroker.start(), async (stage, broker) => {
    stage.link.start();
    await (await broker.connection()).next();
    stage.clock.pass(10_000);
    const { failure } = await stage.until("waiting");
    assert.match(failure.reason, /did not answer the hello/);
  }));

Deno.test("answers find their requests by _reqId alone, errors too", () =>
  withStub(StubBroker.greeting(), async (stage, broker) => {
    stage.link.start();
    await stage.until("up");
    const [connection] = broker.connections;
    const first = stage.link.request("one", { a: 1 }, 5_000);
    const second = stage.link.request("two", {}, 5_000);
    const third = stage.link.request("three", {}, 5_000);
    third.catch(() => {});
    const asked = [await connection!.next(), await connection!.next(), await connection!.next()];
    assert.deepEqual([asked[0]!.type, asked[0]!.a], ["one", 1]);
    connection!.send({ type: "answer", _reqId: "999", of: "nobody" });
    connection!.send({
      type: "error",
      code: "not_found",
      message: "gone",
      _reqId: asked[2]!._reqId,
    });
    connection!.send({ type: "answer", of: "two", _reqId: asked[1]!._reqId });
    connection!.send({ type: "answer", of: "one", _reqId: asked[0]!._reqId });
    assert.equal((await first).of, "one");
    assert.equal((await second).of, "two");
    await assert.rejects(
      third,
      (error) => error instanceof MeshError && error.code === "not_found",
    );
    assert.deepEqual(stage.frames, []);
  }));

Deno.test("answers in one frame reach their requests, and nothing else in it reaches anybody", () =>
  withStub(StubBroker.greeting(), async (stage, broker) => {
    stage.link.start();
    await stage.until("up");
    const [connection] = broker.connections;
    const requests = ["one", "two"].map((wire) => stage.link.request(wire, {}, 5_000));
    const asked = [await connection!.next(), await connection!.next()];
    const answers = asked.map(({ type, _reqId }) => ({ type: "answer", of: type, _reqId }));
    connection!.send({ type: "answer_batch", answers: [null, 7, { type: "push" }, ...answers] });
    assert.deepEqual((await Promise.all(requests)).map((answer) => answer.of), ["one", "two"]);
    assert.deepEqual(stage.frames, []);
  }));

Deno.test("a request without an answer times out, and its late answer disturbs nobody", () =>
  withStub(StubBroker.greeting(), async (stage, broker) => {
    stage.link.start();
    await stage.until("up");
    const request = stage.link.request("slow", {}, 5_000);
    const { _reqId } = await broker.connections[0]!.next();
    stage.clock.pass(5_000);
    await assert.rejects(
      request,
      (error) => error instanceof LocalError && error.code === "timeout",
    );
    broker.connections[0]!.send({ type: "slow_result", _reqId });
    broker.connections[0]!.send({ type: "push", n: 1 });
    assert.equal((await stage.frame(1)).n, 1);
  }));

Deno.test("a lost connection rejects what waits for an answer, and what is asked meanwhile", () =>
  withStub(StubBroker.greeting(), async (stage, broker) => {
    stage.link.start();
    await stage.until("up");
    const request = stage.link.request("one", {}, 5_000);
    broker.connections[0]!.socket.terminate();
    const isOffline = (error: unknown) => error instanceof LocalError && error.code === "offline";
    await assert.rejects(request, isOffline);
    await assert.rejects(stage.link.request("two", {}, 5_000), isOffline);
    assert.equal(stage.link.post("three", {}), false);
  }));

Deno.test("junk and binary frames are passed over, early pushes come after the ack", async () => {
  const stub = StubBroker.start().then((broker) => {
    broker.onConnection = (connection) => {
      void connection.next().then(({ _reqId }) => {
        connection.send({ type: "push", n: 1 });
        connection.send(helloAckFrame({ _reqId }));
        for (const junk of ["{", "[]", "1", "null", '{"type":5}']) connection.socket.send(junk);
        connection.socket.send(new Uint8Array([1, 2, 3]));
        connection.send({ type: "push", n: 2 });
      });
    };
    return broker;
  });
  await withStub(stub, async (stage) => {
    stage.link.start();
    await stage.frame(2);
    assert.deepEqual(stage.frames.map((frame) => frame.n), [1, 2]);
  });
});

Deno.test("a silent broker is pinged every 30 s and given up after 75 s", () =>
  withStub(StubBroker.greeting({ deaf: true }), async (stage, broker) => {
    stage.link.start();
    await stage.until("up");
    const pinged = new Promise<void>((resolve) =>
      broker.connections[0]!.socket.once("ping", () => resolve())
    );
    stage.clock.pass(30_000);
    await pinged;
    stage.clock.pass(44_999);
    assert.equal(stage.link.status.kind, "up");
    stage.clock.pass(1);
    const { failure } = await stage.until("waiting");
    assert.equal(failure.code, "lost");
  }));

Deno.test("whoever waits for the link hears of a failed attempt at once and may hurry the next", () =>
  withStub(StubBroker.greeting(), async (stage, broker) => {
    stage.link.start();
    await stage.link.ready(5_000);
    broker.connections[0]!.socket.close(1000, "session_replaced");
    await stage.until("waiting");
    // The last attempt was just now: nobody may hurry it.
    await assert.rejects(stage.link.ready(5_000), /another program/);
    stage.clock.pass(1_000);
    await stage.link.ready(5_000);
    assert.equal(broker.connections.length, 2);
  }));

Deno.test("another program with the same key is not fought for the connection", () =>
  withStub(StubBroker.greeting(), async (stage, broker) => {
    stage.link.start();
    await stage.until("up");
    broker.connections[0]!.socket.close(1000, "session_replaced");
    const { failure } = await stage.until("waiting");
    assert.match(failure.reason, /another program connected/);
    assert.deepEqual(stage.clock.waits, [10_000]);
  }));

Deno.test("a hello that cannot be signed stops the link with the reason", async () => {
  const broker = await StubBroker.start();
  const clock = new StillClock();
  const statuses: LinkStatus["kind"][] = [];
  const stopped = Promise.withResolvers<void>();
  const link = new Link({
    url: broker.url,
    clock,
    hello: () => {
      throw new LocalError("refused", "the key is gone", { hint: "restore it" });
    },
    onFrame: () => {},
    onStatus: ({ kind }) => {
      statuses.push(kind);
      if (kind === "stopped") stopped.resolve();
    },
  });
  link.start();
  await stopped.promise;
  assert.deepEqual(statuses, ["connecting", "stopped"]);
  await assert.rejects(link.ready(1), /the key is gone/);
  await link.stop();
  await broker.close();
});

Deno.test("an address that is none stops the link with the reason", async () => {
  const stage = new Stage("ws://127.0.0.1:99999/ws");
  stage.link.start();
  const { failure } = await stage.until("stopped");
  assert.match(failure!.reason, /99999.*no address/);
  await stage.link.stop();
});

Deno.test("a link that is stopped while it connects closes without having been up", () =>
  withStub(StubBroker.start(), async (stage) => {
    stage.link.start();
    await stage.link.stop();
    assert.equal(stage.link.status.kind, "stopped");
    await assert.rejects(stage.link.ready(1), /closed/);
  }));
