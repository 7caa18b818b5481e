/**
 * Plays one seed: agents, a network and brokers with everything going wrong for a while, then a
 * quiet time until all is delivered. Nothing in it depends on anything but the seed and the store.
 */
import assert from "node:assert/strict";
import type { Priority } from "../../broker/api/fields.ts";
import type { MessageRow, MessageStore } from "../../storage/sql/queries/message_store.ts";
import { FakeClock, settle } from "./fake_clock.ts";
import { SeededRandom } from "./seeded_random.ts";
import { SimAgent } from "./sim_agent.ts";
import { SimBroker } from "./sim_broker.ts";
import type { SimLink } from "./sim_link.ts";
import { type SimPlan, simPlan, simTarget } from "./sim_plan.ts";

const QUIET_MS = 1_500_000;
const PRIORITIES: readonly Priority[] = ["now", "next", "next", "low"];

export class Simulation {
  readonly seed: number;
  readonly clock = new FakeClock();
  readonly random: SeededRandom;
  readonly plan: SimPlan;
  readonly store: MessageStore;
  readonly agents: SimAgent[];
  readonly hidden = new Set<string>();
  /** Every message that was ever stored, in the order of the log. */
  readonly log: MessageRow[] = [];
  /** By the sender's id: whom the broker had to reach, each time it got the message. */
  readonly expectations = new Map<string, string[]>();
  /** Members of which a send was refused: what they had sent after it went before it. */
  readonly refused = new Set<number>();
  readonly failures: unknown[] = [];
  broker: SimBroker;
  #troubled = true;
  readonly #work = new Set<Promise<unknown>>();

  constructor(seed: number, store: MessageStore) {
    this.seed = seed;
    this.random = new SeededRandom(seed);
    this.plan = simPlan(this.random);
    this.store = store;
    this.broker = this.#newBroker();
    this.agents = this.plan.agents.map((plan) =>
      new SimAgent(plan, {
        clock: this.clock,
        random: this.random,
        ackLossRate: () => this.#troubled ? 0.02 : 0,
        connect: (number, session, link) => this.#connect(number, session, link),
      })
    );
  }

  /** Plays all of it; rejects when it does not come to rest. */
  async run(): Promise<void> {
    this.#planTrouble();
    const endOfTroubleMs = this.clock.now() + this.plan.troubleMs;
    await this.#playUntil(() => this.clock.now() >= endOfTroubleMs);
    this.#troubled = false;
    // Half of the time holds run out by themselves first.
    this.clock.after(this.random.chance(0.5) ? 0 : 650_000, () => this.#everyoneIdle());
    const deadlineMs = this.clock.now() + QUIET_MS;
    await this.#playUntil(() => this.isQuiet() || this.clock.now() > deadlineMs);
    assert.ok(this.isQuiet(), "everything comes to rest");
    // The last receipts are written.
    const restedMs = this.clock.now() + 2_000;
    await this.#playUntil(() => this.clock.now() > restedMs);
  }

  /** Returns whether all that was sent is answered and all mail delivered. */
  isQuiet(): boolean {
    const { delivery, members } = this.broker;
    if (delivery === null || !this.broker.loaded) return false;
    const answered = this.agents.every(({ outbox }) =>
      outbox.every(({ state }) => state === "acked" || state === "refused")
    );
    return answered && members.every((member) => delivery.openCount(member) === 0);
  }

  /** Lets a promise of the broker's come true. */
  async finish<T>(promise: Promise<T>): Promise<T> {
    let done = false;
    const watched = promise.finally(() => done = true);
    watched.catch(() => {});
    await this.#playUntil(() => done);
    return await watched;
  }

  #connect(memberNumber: number, sessionId: string, link: SimLink): boolean {
    return this.broker.connect(memberNumber, sessionId, link);
  }

  #newBroker(): SimBroker {
    return new SimBroker({
      clock: this.clock,
      random: this.random,
      store: this.store,
      limits: this.plan.limits,
      payloadCacheBytes: this.plan.payloadCacheBytes,
      plans: this.plan.agents,
      hidden: this.hidden,
      faultRate: () => this.#troubled ? this.plan.storeFaultRate : 0,
      track: (work) => this.#track(work),
      stored: (rows) => this.log.push(...rows),
      expected: (id, recipients) => {
        const text = [...recipients].sort((one, other) => one - other).join();
        this.expectations.set(id, [...this.expectations.get(id) ?? [], text]);
      },
      refused: (memberNumber) => this.refused.add(memberNumber),
      failure: (error) => this.failures.push(error),
    });
  }

  #track(work: Promise<unknown>): void {
    const settled = work.catch((error) => this.failures.push(error))
      .finally(() => this.#work.delete(settled));
    this.#work.add(settled);
  }

  async #playUntil(done: () => boolean): Promise<void> {
    await settle();
    while (!done() && this.clock.nextAtMs !== null) {
      this.clock.step();
      await settle();
      while (this.#work.size > 0) {
        await Promise.all(this.#work);
        await settle();
      }
      this.#checkBounds();
    }
  }

  /** A crash loses the last acks: then more may be open for a while. */
  #checkBounds(): void {
    const { delivery, members } = this.broker;
    if (delivery === null || this.plan.crashes > 0) return;
    for (const member of members) {
      assert.ok(delivery.openCount(member) <= this.plan.limits.queuedMessages, "bounds hold");
    }
  }

  /** Puts everything that will happen on the clock. */
  #planTrouble(): void {
    const { agents, crashes, troubleMs } = this.plan;
    for (const agent of this.agents) {
      for (let index = 0; index < agent.plan.messages; index++) {
        // Bursts: several messages of an agent go out together.
        const atMs = Math.floor(this.random.between(0, troubleMs) / 5_000) * 5_000;
        this.clock.after(atMs, () => this.#sendSome(agent, index));
      }
      this.#often(troubleMs / 4, () => agent.cut());
      this.#often(troubleMs / 2, () => agent.crash());
      for (const { id } of agent.plan.sessions) {
        this.#often(15_000, () => this.#change(agent.plan.number, id));
      }
    }
    for (let index = 0; index < crashes; index++) {
      this.clock.after(this.random.between(0, troubleMs), () => this.#crashBroker());
    }
    this.#sweepAgain();
    assert.ok(agents.length > 0);
  }

  #often(meanMs: number, run: () => void): void {
    this.clock.after(this.random.between(0, 2 * meanMs), () => {
      if (!this.#troubled) return;
      run();
      this.#often(meanMs, run);
    });
  }

  #sendSome(agent: SimAgent, index: number): void {
    const length = this.random.pick([8, 40, 400]);
    agent.send({
      clientMessageId: `c${agent.plan.number}-${index}`,
      targetSpec: simTarget(this.random, this.plan.agents),
      priority: this.random.pick(PRIORITIES),
      text: "A".repeat(length),
    });
  }

  #change(memberNumber: number, sessionId: string): void {
    this.broker.setStatus(memberNumber, sessionId, this.random.pick(["idle", "working", "dnd"]));
    if (!this.random.chance(0.1)) return;
    // Seen by the next life of the broker only, as if it had been set while it was down.
    const name = `${memberNumber} ${sessionId}`;
    if (!this.hidden.delete(name)) this.hidden.add(name);
  }

  /** From now on nobody is busy. */
  #everyoneIdle(): void {
    for (const { number, sessions } of this.plan.agents) {
      for (const { id } of sessions) this.broker.setStatus(number, id, "idle");
    }
    this.clock.after(10_000, () => this.#everyoneIdle());
  }

  #crashBroker(): void {
    this.broker.crash();
    this.clock.after(this.random.between(10, 3_000), () => {
      // Another crash may have replaced it meanwhile.
      this.broker.crash();
      this.broker = this.#newBroker();
    });
  }

  #sweepAgain(): void {
    this.clock.after(5_000, () => {
      this.broker.sweep();
      this.#sweepAgain();
    });
  }
}
