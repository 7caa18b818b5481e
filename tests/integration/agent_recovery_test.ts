/**
 * Agents when something around them is broken: a damaged inbox, a wrong clock, a second agent, a broker that restarts.
 */
import assert from "node:assert/strict";
import { systemClock } from "../../agent/core/agent_clock.ts";
import { gather, TestAgent, withAgents } from "../support/agent.ts";
import { TestBroker } from "../support/broker.ts";
import { eachDriver } from "../support/sql.ts";
import type { Sql } from "../../storage/sql/port.ts";

async function withPair(
  sql: Sql,
  run: (broker: TestBroker, ada: TestAgent, bob: TestAgent) => Promise<void>,
): Promise<void> {
  const broker = await TestBroker.start(sql);
  try {
    await withAgents(["Ada", "Bob"], async (ada, bob) => {
      await ada!.found(broker.broker.url, "team");
      await gather(ada!, bob!);
      await run(broker, ada!, bob!);
    });
  } finally {
    await broker.close();
  }
}

eachDriver(
  "a damaged inbox is set aside and told, and what was on its way arrives",
  async (open) => {
    await withPair(await open(), async (_broker, ada, bob) => {
      await ada.peer.send({ to: "Bob", body: "before" });
      await bob.texts(1);
      const path = `${bob.stateDir}/inbox.db`;
      await bob.stop();
      for (const body of ["one", "two"]) await ada.peer.send({ to: "Bob", body });
      Deno.writeTextFileSync(path, "scribble ".repeat(1_000));
      bob.start();
      assert.deepEqual(await bob.texts(3), ["before", "one", "two"]);
      const [problem] = bob.peer.state.problems;
      assert.match(problem!, /inbox was damaged.*inbox\.db\.corrupt-\d+/);
      assert.deepEqual(bob.peer.list().map((each) => each.body), ["one", "two"]);
    });
  },
);

eachDriver(
  "a clock that is off is told with how far, and works again when it is set",
  async (open) => {
    await withPair(await open(), async (_broker, _ada, bob) => {
      await bob.stop();
      let offMs = -600_000;
      const clock = { ...systemClock, now: () => Date.now() + offMs };
      const mesh = bob.home.readConfig().meshes[0]!;
      const late = TestAgent.at(bob.home, "Bob", clock);
      late.start(mesh);
      const state = await late.state("is refused", (each) => /clock/.test(each.reason ?? ""));
      assert.match(state.reason!, /clock is 10 min behind the broker's/);
      assert.equal(state.stopped, false);
      offMs = 0;
      late.peer.reconnect();
      await late.connected();
      await late.stop();
    });
  },
);

eachDriver(
  "a second agent with the same key is told, and neither fights for the place",
  async (open) => {
    await withPair(await open(), async (_broker, _ada, bob) => {
      const mesh = bob.home.readConfig().meshes[0]!;
      const copy = TestAgent.create("Bob");
      try {
        copy.home.updateConfig(() => bob.home.readConfig());
        copy.home.writeMemberKey(mesh.meshId, bob.home.readMemberKey(mesh.meshId));
        copy.start();
        await copy.connected();
        const state = await bob.state("was replaced", (each) => !each.connected);
        assert.match(state.reason!, /another program connected as this member/);
        assert.match(state.hint!, /one agent for each member key/);
      } finally {
        await copy.close();
      }
    });
  },
);

eachDriver(
  "messages in both directions survive a broker that restarts among them",
  async (open) => {
    await withPair(await open(), async (broker, ada, bob) => {
      const sent: Promise<unknown>[] = [];
      for (let index = 0; index < 20; index++) {
        sent.push(ada.peer.send({ to: "Bob", body: `a${index}`, waitMs: 0 }));
        sent.push(bob.peer.send({ to: "Ada", body: `b${index}`, waitMs: 0 }));
      }
      const restarted = broker.restart();
      await Promise.all(sent);
      await restarted;
      for (const agent of [ada, bob]) {
        await agent.stop();
        agent.home.updateConfig((config) => ({
          ...config,
          meshes: config.meshes.map((mesh) => ({ ...mesh, brokerUrl: broker.broker.url })),
        }));
        agent.start();
      }
      const numbers = Array.from({ length: 20 }, (_, index) => index);
      assert.deepEqual(await bob.texts(20), numbers.map((index) => `a${index}`));
      assert.deepEqual(await ada.texts(20), numbers.map((index) => `b${index}`));
    });
  },
);
