/** What the broker forgets after its time. */
import assert from "node:assert/strict";
import { type Clock, systemClock } from "../../broker/core/clock.ts";
import { forgetOldSessions } from "../../broker/jobs/retention.ts";
import { TestBroker } from "../support/broker.ts";
import { eachDriver } from "../support/sql.ts";
import { until } from "../support/until.ts";

const DAY_MS = 86_400_000;

eachDriver("sessions are forgotten after 30 days, their presences after one", async (open) => {
  let aheadMs = 0;
  const clock: Clock = { ...systemClock, now: () => systemClock.now() + aheadMs };
  const sql = await open();
  const broker = await TestBroker.start(sql, { clock, limits: { leaseMs: 20 } });
  try {
    const [ada, bob] = await broker.mesh("Ada", "Bob");
    const count = async (table: string) =>
      (await sql.query<{ n: number }>(`select count(*)::int4 as n from mesh.${table}`))[0]?.n;
    await broker.join(ada!);
    const leaves = await broker.join(bob!);
    await leaves.close();
    await until("its presence has ended", 10_000, async () => {
      const ended = "select 1 from mesh.presence where disconnected_at is not null";
      return (await sql.query(ended)).length === 1;
    });
    await forgetOldSessions(broker.context);
    assert.deepEqual([await count("presence"), await count("peer_state")], [2, 2]);
    aheadMs = 2 * DAY_MS;
    await forgetOldSessions(broker.context);
    assert.deepEqual([await count("presence"), await count("peer_state")], [1, 2]);
    aheadMs = 31 * DAY_MS;
    // Who is here stays, however long it says nothing.
    await forgetOldSessions(broker.context);
    assert.deepEqual([await count("presence"), await count("peer_state")], [1, 1]);
    const mesh = await broker.context.meshes.find(bob!.meshId);
    assert.equal(mesh?.membersById.get(bob!.id)?.sessions.size, 0);
    assert.equal(mesh?.membersById.get(ada!.id)?.sessions.size, 1);
  } finally {
    await broker.close();
  }
});
