/**
 * Rounds of sending and killing: two people send to one, to a group, to everyone and to somebody
 * who is mostly away, while the broker and the agents are killed with SIGKILL at seeded moments and
 * started again.
 */
import type { SeededRandom } from "../../sim/seeded_random.ts";
import { readInboxFile } from "../../support/inbox_file.ts";
import { Person } from "../../support/person.ts";
import { type ProgramBroker, startProgramBroker } from "../../support/program.ts";
import { Account } from "./account.ts";
import { type Cast, planBatch, type Planned, sendBatch } from "./batch.ts";
import { connected, hasMeshKey, inboxWhole, outboxEmpty } from "./settle.ts";

/** Rates would only slow the test down: what is tested is loss. */
const LIMITS = {
  MAX_SENDS_PER_MINUTE: "1000000",
  MAX_SEND_BURST: "100000",
  MAX_REQUESTS_PER_MINUTE: "1000000",
  MAX_REQUEST_BURST: "100000",
  MAX_CLAIMS_PER_MINUTE: "1000",
  MAX_FAILED_HELLOS_PER_MINUTE: "100000",
};
const SENDERS = ["Ada", "Bob"];
/** Away in most rounds, back for some. */
const AWAY = "Dora";
const CAST: Cast = { everybody: [...SENDERS, "Cleo", AWAY], crew: ["Bob", "Cleo", AWAY] };
const LATEST_KILL_MS = 150;

/** What a run did, for the report. */
export interface CrashFigures {
  readonly rounds: number;
  readonly kills: Readonly<Record<string, number>>;
  readonly fates: Readonly<Record<string, number>>;
  readonly arrived: number;
}

export class CrashRun {
  readonly #random: SeededRandom;
  readonly #broker: ProgramBroker;
  readonly #people: ReadonlyMap<string, Person>;
  readonly #meshId: string;
  readonly #account = new Account();
  readonly #kills: Record<string, number> = {};
  #rounds = 0;
  #brokerRuns = true;

  private constructor(
    random: SeededRandom,
    broker: ProgramBroker,
    people: ReadonlyMap<string, Person>,
    meshId: string,
  ) {
    this.#random = random;
    this.#broker = broker;
    this.#people = people;
    this.#meshId = meshId;
  }

  /**
   * Starts the broker, makes the mesh and lets everybody join.
   * @param cleanUp gets what must be closed in the end, also when opening fails.
   */
  static async open(
    random: SeededRandom,
    databaseUrl: string | null,
    cleanUp: AsyncDisposableStack,
  ): Promise<CrashRun> {
    const broker = await startProgramBroker({
      environment: LIMITS,
      ...(databaseUrl === null ? {} : { databaseUrl }),
    });
    cleanUp.defer(() => broker.close());
    const people = new Map<string, Person>();
    for (const name of CAST.everybody) {
      const person = await Person.create(name);
      cleanUp.defer(() => person.close());
      people.set(name, person);
      person.launchAgent();
    }
    const ada = people.get("Ada")!;
    await ada.ask("new", "crash", "--broker", broker.url);
    const { url } = await ada.ask("invite", "--uses", String(CAST.everybody.length - 1));
    const others = [...people.values()].filter((person) => person !== ada);
    await Promise.all(others.map((person) => person.ask("join", String(url))));
    const crew = others.filter((person) => CAST.crew.includes(person.name));
    await Promise.all(crew.map((person) => person.ask("groups", "join", "crew")));
    for (const person of others) await hasMeshKey(person);
    const { meshes } = await ada.ask("list") as { meshes: { mesh_id: string }[] };
    return new CrashRun(random, broker, people, meshes[0]!.mesh_id);
  }

  /**
   * One round: both senders send while what the seed says is killed; everything but Dora is started
   * again.
   */
  async round(): Promise<void> {
    this.#rounds += 1;
    this.#startMissing();
    // A kill while something starts proves something too, but not when nothing ever gets to work.
    if (this.#random.chance(0.75)) await this.#connected(SENDERS);
    const victims = this.#victims();
    const batches = SENDERS.map((name) => planBatch(this.#random, name, CAST));
    await Promise.all([
      ...SENDERS.map((name, index) => this.#send(name, batches[index]!)),
      ...victims.map(({ name, afterMs }) => this.#kill(name, afterMs)),
    ]);
  }

  /**
   * Starts everything, waits until nothing is on its way any more, stops everything in order and
   * reads every inbox.
   * @returns the breaches of the promise, none when it was kept.
   */
  async judge(): Promise<string[]> {
    this.#startMissing({ everybody: true });
    await this.#connected(CAST.everybody);
    for (const name of SENDERS) await outboxEmpty(this.#people.get(name)!);
    for (const person of this.#people.values()) {
      await inboxWhole(person, this.#meshId, this.#account.promisedTo(person.name));
    }
    for (const person of this.#people.values()) await person.stopAgent("SIGTERM");
    await this.#broker.stop("SIGTERM");
    return [...this.#people.values()].flatMap((person) =>
      this.#account.breaches(person.name, readInboxFile(person, this.#meshId))
    );
  }

  figures(): CrashFigures {
    const inboxes = [...this.#people.values()].map((each) => readInboxFile(each, this.#meshId));
    return {
      rounds: this.#rounds,
      kills: this.#kills,
      fates: this.#account.tally(),
      arrived: inboxes.reduce((sum, inbox) => sum + inbox.length, 0),
    };
  }

  /** An agent may be killed before it listens: then the batch is not given to anybody. */
  async #send(name: string, batch: readonly Planned[]): Promise<void> {
    const client = await this.#people.get(name)!.agentUnlessEnded();
    if (client === null) return;
    try {
      await sendBatch(client, name, batch, this.#account);
    } finally {
      await client.close();
    }
  }

  #startMissing(options: { everybody?: boolean } = {}): void {
    if (!this.#brokerRuns) {
      this.#broker.launch();
      this.#brokerRuns = true;
    }
    const comesBack = options.everybody === true || this.#random.chance(0.2);
    for (const person of this.#people.values()) {
      if (person.agentRuns || (person.name === AWAY && !comesBack)) continue;
      person.launchAgent();
    }
  }

  /** Who is killed in this round, and when; at least one, and Dora whenever she is there. */
  #victims(): { name: string; afterMs: number }[] {
    const chances: readonly [string, number][] = [
      ["broker", 0.45],
      ["Ada", 0.3],
      ["Bob", 0.25],
      ["Cleo", 0.25],
      [AWAY, this.#people.get(AWAY)!.agentRuns ? 0.6 : 0],
    ];
    const chosen = chances.filter(([, chance]) => this.#random.chance(chance));
    const names = chosen.length === 0 ? ["broker"] : chosen.map(([name]) => name);
    return names.map((name) => ({ name, afterMs: this.#random.between(0, LATEST_KILL_MS) }));
  }

  async #kill(name: string, afterMs: number): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, afterMs));
    const what = name === "broker" ? "broker" : SENDERS.includes(name) ? "sender" : "recipient";
    this.#kills[what] = (this.#kills[what] ?? 0) + 1;
    if (name === "broker") {
      await this.#broker.stop("SIGKILL");
      this.#brokerRuns = false;
    } else {
      await this.#people.get(name)!.stopAgent("SIGKILL");
    }
  }

  async #connected(names: readonly string[]): Promise<void> {
    await this.#broker.untilReady();
    await Promise.all(names.map((name) => connected(this.#people.get(name)!)));
  }
}
