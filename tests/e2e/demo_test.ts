/** `claudemesh demo --json`: keeps the promise in under a minute, and leaves nothing behind. */
import assert from "node:assert/strict";
import { selfCommand } from "../../agent/home/self_command.ts";
import { homeEnvironment, runCommand } from "../support/program.ts";

const LIMIT_MS = 60_000;

interface DemoMessage {
  readonly what: string;
  readonly text: string;
  readonly expected: readonly string[];
  readonly received: Readonly<Record<string, number>>;
  readonly receipts: readonly { readonly name: string; readonly state: string }[];
}

/** Processes that were started with this folder for temporary files, by id; Linux alone tells. */
async function processesIn(folder: string): Promise<number[]> {
  const found: number[] = [];
  for await (const entry of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(entry.name)) continue;
    try {
      const environment = await Deno.readTextFile(`/proc/${entry.name}/environ`);
      if (environment.includes(`TMPDIR=${folder}\0`)) found.push(Number(entry.name));
    } catch {
      // It ended meanwhile, or belongs to somebody else.
    }
  }
  return found;
}

Deno.test("the demo delivers every message once in under a minute and leaves nothing", async () => {
  const folder = await Deno.makeTempDir({ prefix: "claudemesh-home-" });
  // Short, because the path of a socket may not be long.
  const temporary = await Deno.makeTempDir({ prefix: "cm-" });
  try {
    const environment = { ...await homeEnvironment(folder), TMPDIR: temporary };
    const startedMs = performance.now();
    const output = await runCommand(selfCommand(["demo", "--json"]), environment, {
      cwd: folder,
      timeoutMs: LIMIT_MS,
    });
    const tookMs = performance.now() - startedMs;
    assert.equal(output.code, 0, `${output.stdout}${output.stderr}`);
    assert.ok(tookMs < LIMIT_MS, `${tookMs} ms`);
    const { messages } = JSON.parse(output.stdout) as { messages: DemoMessage[] };
    for (const { text, expected, received, receipts } of messages) {
      const once = Object.fromEntries(expected.map((name) => [name, 1]));
      assert.deepEqual(received, once, text);
      assert.deepEqual(receipts.map(({ name }) => name).sort(), [...expected].sort(), text);
    }
    const kinds = new Set(messages.map(({ what }) => what));
    assert.deepEqual([...kinds].sort(), ["broadcast", "burst", "direct", "group", "offline"]);
    if (Deno.build.os === "linux") assert.deepEqual(await processesIn(temporary), []);
    assert.deepEqual([...Deno.readDirSync(temporary)].map(({ name }) => name), []);
    console.log(`demo: ${messages.length} messages in ${Math.round(tookMs)} ms`);
  } finally {
    if (Deno.build.os === "linux") {
      for (const pid of await processesIn(temporary)) Deno.kill(pid, "SIGKILL");
    }
    await Deno.remove(temporary, { recursive: true });
    await Deno.remove(folder, { recursive: true });
  }
});
