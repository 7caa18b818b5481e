/** The embedded store's promise: what was acknowledged is there, however the process ended. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { openPglite } from "../../storage/sql/pglite.ts";

const WRITER = fileURLToPath(new URL("../support/pglite_writer.ts", import.meta.url));

/** Runs the writer until it acknowledged `count` rows, kills it, and returns all acknowledged. */
async function killAfter(dataDir: string, first: number, count: number): Promise<number[]> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", WRITER, dataDir, String(first)],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const acknowledged: number[] = [];
  let unfinished = "";
  for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
    const lines = (unfinished + chunk).split("\n");
    unfinished = lines.pop() ?? "";
    acknowledged.push(...lines.map(Number));
    if (acknowledged.length >= count) child.kill("SIGKILL");
  }
  assert.equal((await child.status).signal, "SIGKILL");
  return acknowledged;
}

Deno.test("every acknowledged row survives kill -9 in the middle of commits", async () => {
  const dataDir = await Deno.makeTempDir({ prefix: "claudemesh-crash-" });
  try {
    const first = await killAfter(dataDir, 0, 200);
    const second = await killAfter(dataDir, 1_000_000, 1_000);
    const sql = await openPglite({ dataDir });
    try {
      const rows = await sql.query<{ number: number }>("SELECT number FROM written");
      const present = new Set(rows.map((row) => row.number));
      assert.deepEqual([...first, ...second].filter((number) => !present.has(number)), []);
      const halves = await sql.query(
        "SELECT number / 5 AS batch FROM written GROUP BY 1 HAVING count(*) <> 5",
      );
      assert.deepEqual(halves, []);
    } finally {
      await sql.close();
    }
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
});
