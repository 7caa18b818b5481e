/** The agent's log file. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { FileLog } from "./agent_log.ts";

async function inFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("the log is a JSON line an event, in a file that only its owner reads", () =>
  inFolder(async (folder) => {
    const path = join(folder, "agent.log");
    await Deno.writeTextFile(path, "", { mode: 0o644 });
    const log = new FileLog(path);
    log.info("started", { pid: 7 });
    log.error("failed", { code: "internal" });
    log.close();
    const lines = (await Deno.readTextFile(path)).trimEnd().split("\n").map((each) =>
      JSON.parse(each)
    );
    assert.deepEqual(lines.map(({ level, event }) => [level, event]), [
      ["info", "started"],
      ["error", "failed"],
    ]);
    assert.equal(lines[0].pid, 7);
    const { mode } = await Deno.stat(path);
    assert.equal((mode ?? 0) & 0o777, 0o600);
  }));

Deno.test("a log that would grow beyond its limit is turned over once", () =>
  inFolder(async (folder) => {
    const path = join(folder, "agent.log");
    const log = new FileLog(path, 300);
    for (let count = 0; count < 10; count++) log.info("event", { count });
    log.close();
    const current = await Deno.readTextFile(path);
    const before = await Deno.readTextFile(`${path}.1`);
    assert.ok(current.length <= 300 && before.length <= 300);
    assert.equal(JSON.parse(current.trimEnd().split("\n").at(-1) ?? "").count, 9);
  }));
