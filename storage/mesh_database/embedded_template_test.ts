/** The template is made once, by another process, and only a whole one is used. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { until } from "../../tests/support/until.ts";
import { EmbeddedTemplate } from "./embedded_template.ts";
import { PgliteMeshDatabases } from "./pglite.ts";

const PATIENCE_MS = 60_000;
const WORK = { timeoutMs: 20_000 };

async function inFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "claudemesh-template-" });
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function names(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}

/** Waits until PostgreSQL has begun to write its files. */
async function untilHalfMade(folder: string): Promise<void> {
  await until("the making has begun", PATIENCE_MS, () => {
    const unfinished = names(folder).find((name) => name.startsWith("template.new"));
    return unfinished !== undefined && names(join(folder, unfinished)).includes("base");
  });
}

Deno.test("a call that comes while the template is made waits for it, and makes no other", async () => {
  await inFolder(async (folder) => {
    const databases = new PgliteMeshDatabases({ folder });
    const prepared = databases.prepare();
    await untilHalfMade(folder);
    const asked = databases.batch("mesh0", [{ text: "SELECT 1 AS n" }], WORK);
    const unfinished = names(folder).filter((name) => name.startsWith("template.new"));
    assert.equal(unfinished.length, 1);
    await prepared;
    assert.deepEqual(await asked, [[{ n: 1 }]]);
    await databases.prepare();
    await databases.close();
    assert.deepEqual(names(folder), ["broker.lock", "broker.pid", "mesh0", "template"]);
  });
});

Deno.test("closing does not wait for the template, and nothing of it is left", async () => {
  await inFolder(async (folder) => {
    const databases = new PgliteMeshDatabases({ folder });
    const prepared = databases.prepare();
    const asked = assert.rejects(
      databases.batch("mesh0", [{ text: "SELECT 1" }], WORK),
      /closed|stopping/,
    );
    await untilHalfMade(folder);
    await databases.close();
    await Promise.all([prepared, asked]);
    assert.deepEqual(names(folder).filter((name) => name.startsWith("template")), []);
  });
});

Deno.test("what a killed broker left unfinished is never used", async () => {
  await inFolder(async (folder) => {
    await Deno.mkdir(join(folder, "template.new123", "global"), { recursive: true });
    const template = new EmbeddedTemplate(folder);
    const making = template.path();
    await untilHalfMade(folder);
    assert.ok(!names(folder).includes("template.new123"));
    await template.close();
    await assert.rejects(making, /closed/);
    await assert.rejects(template.path(), /stopping/);
    assert.deepEqual(names(folder), []);
  });
});
