/**
 * The promise of delivery under crashes, a bad network and a failing store. `SEED=n` plays one seed
 * alone, `SEEDS=n` as many.
 */
import { auditRows } from "../../storage/sql/queries/audit.ts";
import { SqlMessageStore } from "../../storage/sql/queries/messages.ts";
import { eachDriver } from "../support/sql.ts";
import { checkInvariants } from "./invariants.ts";
import { MemoryMessageStore } from "./memory_message_store.ts";
import { Simulation } from "./simulation.ts";
import { insertMembers } from "./sql_members.ts";

const SEEDS_PER_TEST = 25;
const SEEDS_ON_SQL = 3;
const only = Deno.env.get("SEED");
const seedCount = Number(Deno.env.get("SEEDS") ?? 250);

async function playInMemory(seed: number): Promise<void> {
  const store = new MemoryMessageStore();
  const simulation = new Simulation(seed, store);
  await named(seed, async () => {
    await simulation.run();
    await checkInvariants(simulation, store.audits);
  });
}

/** Lets a failure tell how to play it again. */
async function named(seed: number, play: () => Promise<void>): Promise<void> {
  try {
    await play();
  } catch (error) {
    throw new Error(`seed ${seed} (SEED=${seed} deno test -A tests/sim)`, { cause: error });
  }
}

if (only !== undefined) {
  Deno.test(`no message is lost, doubled or out of order: seed ${only}`, () =>
    playInMemory(Number(only)));
} else {
  for (let first = 1; first <= seedCount; first += SEEDS_PER_TEST) {
    const last = Math.min(seedCount, first + SEEDS_PER_TEST - 1);
    Deno.test(`no message is lost, doubled or out of order: seeds ${first} to ${last}`, async () => {
      for (let seed = first; seed <= last; seed++) await playInMemory(seed);
    });
  }
}

eachDriver("no message is lost, doubled or out of order on SQL", async (open) => {
  for (let index = 1; index <= SEEDS_ON_SQL; index++) {
    const seed = only === undefined ? index : Number(only);
    const sql = await open();
    await insertMembers(sql, "mesh1", [1, 2, 3, 4, 5, 6]);
    const simulation = new Simulation(seed, new SqlMessageStore(sql));
    await named(seed, async () => {
      await simulation.run();
      await checkInvariants(simulation, await auditRows(sql, "mesh1", 0, 100_000));
    });
    if (only !== undefined) return;
  }
});
