/**
 * The promise of delivery, at the level of processes: broker, senders' and recipients' agents are
 * killed with SIGKILL at random moments for 50 rounds; afterwards everything that was accepted is
 * in every inbox once and in order. On both SQL drivers. `SEED=n` plays the same choices again (the
 * moments are the machine's), `ROUNDS=n` more or fewer.
 */
import assert from "node:assert/strict";
import { SeededRandom } from "../sim/seeded_random.ts";
import { CrashRun } from "./crash/crash_run.ts";
import { freshDatabase, noServer } from "./crash/fresh_database.ts";

const ROUNDS = Number(Deno.env.get("ROUNDS") ?? 50);
const SEED = Number(Deno.env.get("SEED") ?? crypto.getRandomValues(new Uint32Array(1))[0]);

if (noServer !== null) console.log(noServer);

async function crash(driver: string, databaseUrl: string | null): Promise<void> {
  const startedMs = performance.now();
  console.log(`SEED=${SEED} (${driver})`);
  await using cleanUp = new AsyncDisposableStack();
  const run = await CrashRun.open(new SeededRandom(SEED), databaseUrl, cleanUp);
  for (let round = 0; round < ROUNDS; round++) await run.round();
  const breaches = await run.judge();
  const figures = { ...run.figures(), seconds: Math.round((performance.now() - startedMs) / 1000) };
  console.log(JSON.stringify({ driver, seed: SEED, ...figures }));
  assert.deepEqual(breaches, [], `replay with SEED=${SEED}`);
  if (ROUNDS < 50) return;
  // A run in which nothing was killed or nothing got through would prove nothing.
  assert.deepEqual(Object.keys(figures.kills).sort(), ["broker", "recipient", "sender"]);
  assert.ok((figures.fates.sent ?? 0) > ROUNDS, "hardly anything was acknowledged");
}

Deno.test("killed at random, nothing accepted is lost, doubled or out of order (embedded)", async () => {
  await crash("pglite", null);
});

Deno.test({
  name: "killed at random, nothing accepted is lost, doubled or out of order (PostgreSQL)",
  ignore: noServer !== null,
  async fn() {
    await using database = await freshDatabase();
    await crash("postgres", database.url);
  },
});
