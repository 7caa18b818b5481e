/** Following streams: order, slow connections, gaps, lost announcements and a store that fails. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { StreamEventRow } from "../../../storage/sql/queries/streams.ts";
import { FakeClock, settle } from "../../../tests/sim/fake_clock.ts";
import { FakeConnection, fakeMember, fakeMesh, fakeSession } from "../../../tests/sim/fake_mesh.ts";
import { defaultLimits } from "../../api/limits.ts";
import type { Mesh } from "../model.ts";
import { StreamHub } from "./stream_hub.ts";

const BUFFER_BYTES = 1_000;
const PAGE = 3;

/** One stream "s" in memory, its hub, and connections that follow it. */
class Stage {
  readonly clock = new FakeClock();
  readonly mesh: Mesh = fakeMesh();
  readonly hub: StreamHub;
  rows: StreamEventRow[] = [];
  lastSeq = 0;
  isDown = false;

  constructor() {
    this.hub = new StreamHub({
      clock: this.clock,
      limits: { ...defaultLimits(), streamBufferBytes: BUFFER_BYTES },
      store: {
        find: (_, name) => {
          const firstSeq = this.rows[0]?.seq ?? this.lastSeq + 1;
          const row = { id: "id", firstSeq, lastSeq: this.lastSeq };
          return Promise.resolve(name === "s" ? row : null);
        },
        read: async (_, from) => {
          await null;
          if (this.isDown) throw new Error("down");
          return this.rows.filter((row) => row.seq >= from).slice(0, PAGE);
        },
      },
    });
  }

  connect(number: number): FakeConnection {
    return new FakeConnection(fakeSession(fakeMember(this.mesh, number), `session-${number}`));
  }

  async follow(connection: FakeConnection, from?: number): Promise<void> {
    await this.hub.subscribe(connection, "s", { from, includeOwn: false });
    await this.clock.advance(0);
  }

  /** Commits `count` events of nobody here; unannounced ones are those whose answer was lost. */
  commit(count: number, { announced = true, by = "nobody" } = {}): void {
    const rows = Array.from({ length: count }, () => ({
      seq: ++this.lastSeq,
      data: JSON.stringify(this.lastSeq),
      memberId: by,
      sessionId: "session-1",
      publishedBy: by,
      publishedByKey: "a".repeat(64),
      publishedAtMs: 0,
    }));
    this.rows.push(...rows);
    if (announced) this.hub.published(this.mesh, "s", rows);
  }

  /** Keeps only the newest. */
  forget(keep: number): void {
    this.rows = keep === 0 ? [] : this.rows.slice(-keep);
  }
}

/** What a connection was sent: numbers, and gaps as pairs. */
function told(connection: FakeConnection): (number | [number, number])[] {
  return connection.frames.map((text) => {
    const frame = JSON.parse(text);
    if (frame.type === "stream_gap") return [frame.from, frame.to];
    assert.equal(frame.data, frame.seq);
    return frame.seq;
  });
}

Deno.test("a slow connection is skipped, and served from the store once it has read", async () => {
  const stage = new Stage();
  const [slow, quick] = [stage.connect(1), stage.connect(2)];
  await stage.follow(slow);
  await stage.follow(quick);
  slow.unsentBytes = BUFFER_BYTES + 1;
  for (let count = 0; count < 8; count++) stage.commit(1);
  await stage.clock.advance(500);
  assert.deepEqual([told(slow), told(quick).length], [[], 8]);
  slow.unsentBytes = 0;
  await stage.clock.advance(500);
  assert.deepEqual(told(slow), [1, 2, 3, 4, 5, 6, 7, 8]);
  stage.commit(1);
  assert.equal(told(slow).at(-1), 9);
  stage.hub.close();
});

Deno.test("a connection that was slow for too long is told what it missed, once", async () => {
  const stage = new Stage();
  const slow = stage.connect(1);
  await stage.follow(slow);
  stage.commit(2);
  slow.unsentBytes = BUFFER_BYTES + 1;
  stage.commit(10);
  stage.forget(4);
  slow.unsentBytes = 0;
  await stage.clock.advance(500);
  assert.deepEqual(told(slow), [1, 2, [3, 8], 9, 10, 11, 12]);
  stage.hub.close();
});

Deno.test("events whose announcement was lost come with the next one, in order", async () => {
  const stage = new Stage();
  const connection = stage.connect(1);
  await stage.follow(connection);
  stage.commit(1);
  stage.commit(2, { announced: false });
  stage.commit(1);
  await settle();
  assert.deepEqual(told(connection), [1, 2, 3, 4]);
  stage.hub.close();
});

Deno.test("while the store fails nothing is sent, and nothing is left out after it", async () => {
  const stage = new Stage();
  const connection = stage.connect(1);
  stage.commit(5);
  stage.isDown = true;
  await stage.follow(connection, 1);
  stage.commit(1);
  await stage.clock.advance(1_000);
  assert.deepEqual(told(connection), []);
  stage.isDown = false;
  await stage.clock.advance(1_000);
  assert.deepEqual(told(connection), [1, 2, 3, 4, 5, 6]);
  stage.hub.close();
});

Deno.test("a session's own events are left out wherever they come from", async () => {
  const stage = new Stage();
  const connection = stage.connect(1);
  const by = connection.member.id;
  stage.commit(1);
  stage.commit(1, { by });
  await stage.follow(connection, 1);
  stage.commit(1, { by });
  stage.commit(1);
  await settle();
  assert.deepEqual(told(connection), [1, 4]);
  stage.hub.close();
});

Deno.test("nothing goes out before the answer to the subscription, or after its connection's end", async () => {
  const stage = new Stage();
  const connection = stage.connect(1);
  stage.commit(2);
  await stage.hub.subscribe(connection, "s", { from: 1, includeOwn: false });
  stage.commit(1);
  await settle();
  assert.deepEqual(told(connection), []);
  await stage.clock.advance(0);
  assert.deepEqual(told(connection), [1, 2, 3]);
  stage.hub.connectionClosed(connection);
  stage.commit(1);
  await stage.clock.advance(1_000);
  assert.deepEqual(told(connection), [1, 2, 3]);
  assert.equal(stage.hub.countOf(stage.mesh, "s"), 0);
});

Deno.test("a stream that is deleted during the look-up is not there", async () => {
  const stage = new Stage();
  const connection = stage.connect(1);
  const subscribing = stage.hub.subscribe(connection, "s", { includeOwn: false });
  stage.hub.ended(stage.mesh, "s", "id");
  await assert.rejects(subscribing, { code: "not_found" });
  assert.equal(stage.hub.countOf(stage.mesh, "s"), 0);
});

Deno.test("whatever happens, numbers and gaps together leave nothing out and repeat nothing", async () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("commit" as const), count: fc.integer({ min: 1, max: 6 }) }),
    fc.record({ kind: fc.constant("lost" as const), count: fc.integer({ min: 1, max: 3 }) }),
    fc.record({ kind: fc.constant("forget" as const), keep: fc.integer({ min: 1, max: 4 }) }),
    fc.record({ kind: fc.constant("slow" as const), who: fc.nat(1) }),
    fc.record({ kind: fc.constant("quick" as const), who: fc.nat(1) }),
    fc.record({ kind: fc.constant("store" as const), isDown: fc.boolean() }),
    fc.record({ kind: fc.constant("time" as const), ms: fc.integer({ min: 0, max: 250 }) }),
    fc.constant({ kind: "turn" as const }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const stage = new Stage();
      const connections = [stage.connect(1), stage.connect(2)];
      for (const connection of connections) {
        await stage.follow(connection);
        // What is sent has to be read before there is room again.
        connection.onFrame = () => connection.unsentBytes += BUFFER_BYTES / 2;
      }
      for (const each of steps) {
        if (each.kind === "commit") stage.commit(each.count);
        if (each.kind === "lost") stage.commit(each.count, { announced: false });
        if (each.kind === "forget") stage.forget(each.keep);
        if (each.kind === "slow") connections[each.who]!.unsentBytes = 10 * BUFFER_BYTES;
        if (each.kind === "quick") connections[each.who]!.unsentBytes = 0;
        if (each.kind === "store") stage.isDown = each.isDown;
        if (each.kind === "time") await stage.clock.advance(each.ms);
        if (each.kind === "turn") await null;
      }
      stage.isDown = false;
      stage.commit(1);
      for (const connection of connections) {
        connection.onFrame = () => {};
        connection.unsentBytes = 0;
      }
      await stage.clock.advance(1_000);
      for (const connection of connections) {
        let next = 1;
        for (const item of told(connection)) {
          const [from, to] = Array.isArray(item) ? item : [item, item];
          assert.equal(from, next);
          next = to + 1;
        }
        assert.equal(next, stage.lastSeq + 1);
      }
      stage.hub.close();
    }),
    { numRuns: 300 },
  );
});
