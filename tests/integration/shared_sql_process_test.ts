/** A broker as a process makes ready, while nobody waits, what meshes' own databases begin with. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { PostgresSql } from "../../storage/sql/postgres.ts";
import { type ProgramBroker, startProgramBroker } from "../support/program.ts";
import { openTestStore } from "../support/sql.ts";
import { until } from "../support/until.ts";

const PATIENCE_MS = 60_000;
/** Much less than making the template takes. */
const STOP_LIMIT_MS = 3_000;

/** Runs `run` with a broker on a data folder that exists only for it. */
async function withBroker(
  run: (broker: ProgramBroker) => Promise<void>,
  databaseUrl?: string,
): Promise<void> {
  const dataDir = await Deno.makeTempDir({ prefix: "claudemesh-broker-" });
  try {
    const options = databaseUrl === undefined ? { dataDir } : { dataDir, databaseUrl };
    const broker = await startProgramBroker(options);
    try {
      await run(broker);
    } finally {
      await broker.close();
    }
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
}

async function names(folder: string): Promise<string[]> {
  try {
    return (await Array.fromAsync(Deno.readDir(folder), ({ name }) => name)).sort();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

async function untilBegun(meshes: string): Promise<void> {
  await until(
    "the template is begun",
    PATIENCE_MS,
    async () => (await names(meshes)).some((name) => name.startsWith("template.new")),
  );
}

Deno.test("a broker that is ready prepares the meshes' databases, whatever becomes of it", async () => {
  await withBroker(async (broker) => {
    const meshes = join(broker.dataDir, "meshes");
    await untilBegun(meshes);
    const stoppedMs = performance.now();
    assert.equal(await broker.stop(), 0);
    assert.ok(performance.now() - stoppedMs < STOP_LIMIT_MS, "its end does not wait");
    assert.deepEqual((await names(meshes)).filter((name) => name.startsWith("template")), []);
    await broker.start();
    await untilBegun(meshes);
    await broker.stop("SIGKILL");
    assert.ok(!(await names(meshes)).includes("template"), "it was killed in the middle");
    await broker.start();
    await until("it is made", PATIENCE_MS, async () => (await names(meshes)).includes("template"));
    const templates = (await names(meshes)).filter((name) => name.startsWith("template"));
    assert.deepEqual(templates, ["template"]);
    const version = await Deno.readTextFile(join(meshes, "template", "PG_VERSION"));
    assert.match(version, /^\d+\n$/);
  });
});

Deno.test({
  name: "a broker whose meshes' databases are on a server prepares no embedded ones",
  ignore: Deno.env.get("TEST_DATABASE_URL") === undefined,
  fn: async () => {
    const store = await openTestStore("postgres");
    try {
      assert.ok(store instanceof PostgresSql);
      await withBroker(async (broker) => {
        assert.equal(await broker.stop(), 0);
        assert.deepEqual(await names(join(broker.dataDir, "meshes")), []);
      }, store.databaseUrl);
    } finally {
      await store.close();
    }
  },
});
