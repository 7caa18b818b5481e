/** The outbox: on disk before it is said to be, in order, through restarts and crashes. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { LocalError } from "./local_error.ts";
import { Outbox, type OutboxEntry } from "./outbox.ts";
import { openStore, type StoreFile } from "./store_file.ts";

function entry(id: string, target = "*"): OutboxEntry {
  return {
    id,
    target,
    priority: "next",
    type: "text",
    replyTo: null,
    sessionId: null,
    createdAtMs: 1,
    content: { kind: "text", body: `body of ${id}` },
  };
}

async function withFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = Deno.makeTempDirSync();
  try {
    await run(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

function open(folder: string): Outbox {
  return new Outbox(folder, () => 1);
}

Deno.test("messages wait in the order they were added, through a restart, word for word", () =>
  withFolder(async (folder) => {
    const outbox = open(folder);
    const sealed: OutboxEntry = {
      ...entry("b", "a".repeat(64)),
      replyTo: "m1",
      sessionId: "s1",
      content: { kind: "sealed", bodyVersion: 1, nonce: "bm9uY2U=", ciphertext: "Y2lwaGVy" },
    };
    await Promise.all([outbox.add(entry("a")), outbox.add(sealed), outbox.add(entry("c"))]);
    outbox.close();
    const again = open(folder);
    assert.deepEqual(again.queue.map((each) => each.id), ["a", "b", "c"]);
    assert.deepEqual(again.queue.map((each) => again.read(each.seq)), [
      entry("a"),
      sealed,
      entry("c"),
    ]);
    again.close();
  }));

Deno.test("a refused message stays with its reason until it is dismissed", () =>
  withFolder(async (folder) => {
    const outbox = open(folder);
    for (const id of ["a", "b", "c"]) await outbox.add(entry(id));
    const [a, b] = outbox.queue;
    await outbox.refuse(a!.seq, "not_found", "nobody");
    await outbox.settle([b!.seq]);
    assert.deepEqual(outbox.queue.map((each) => each.id), ["c"]);
    assert.equal(outbox.refusedCount(), 1);
    const [refused, waiting] = outbox.list();
    assert.deepEqual([refused!.state, refused!.errorCode, refused!.error], [
      "refused",
      "not_found",
      "nobody",
    ]);
    assert.equal(waiting!.state, "queued");
    assert.equal(outbox.dismiss(["c"]), 0);
    assert.equal(outbox.dismiss(), 1);
    outbox.close();
    const again = open(folder);
    assert.deepEqual(again.queue.map((each) => each.id), ["c"]);
    again.close();
  }));

Deno.test("any history of adding, settling and reopening keeps exactly what was not settled, in order", () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(fc.constant("add"), fc.constant("reopen"), fc.nat({ max: 9 })), {
        maxLength: 30,
      }),
      (steps) =>
        withFolder(async (folder) => {
          let outbox = open(folder);
          let expected: string[] = [];
          let next = 0;
          for (const step of steps) {
            if (step === "add") {
              const id = `m${next++}`;
              await outbox.add(entry(id));
              expected.push(id);
            } else if (step === "reopen") {
              outbox.close();
              outbox = open(folder);
            } else {
              const found = outbox.queue[step as number];
              if (found === undefined) continue;
              await outbox.settle([found.seq]);
              expected = expected.filter((id) => id !== found.id);
            }
            assert.deepEqual(outbox.queue.map((each) => each.id), expected);
          }
          outbox.close();
        }),
    ),
    { numRuns: 25 },
  ));

Deno.test("a full disk refuses the message and keeps the others", () =>
  withFolder(async (folder) => {
    let store: StoreFile | null = null;
    const outbox = new Outbox(folder, () => 1, (options) => store = openStore(options));
    await outbox.add(entry("a"));
    const big = { ...entry("b"), content: { kind: "text" as const, body: "x".repeat(1 << 20) } };
    store!.all("pragma max_page_count = 12");
    await assert.rejects(
      outbox.add(big),
      (error) => error instanceof LocalError && error.code === "disk_full",
    );
    assert.deepEqual(outbox.queue.map((each) => each.id), ["a"]);
    assert.match(outbox.problems[0]!, /disk is full/);
    store!.all("pragma max_page_count = 1000000");
    await outbox.add(big);
    assert.deepEqual(outbox.queue.map((each) => each.id), ["a", "b"]);
    assert.deepEqual(outbox.problems, []);
    outbox.close();
  }));

Deno.test("every message that was confirmed before the process was killed is there", () =>
  withFolder(async (folder) => {
    const module = new URL("./outbox.ts", import.meta.url).href;
    const script = `
      const { Outbox } = await import(${JSON.stringify(module)});
      const outbox = new Outbox(Deno.args[0], () => 1);
      for (let round = 0; ; round++) {
        await Promise.all([0, 1, 2].map((lane) => outbox.add({
          id: round + "-" + lane, target: "*", priority: "next", type: "text", replyTo: null,
          sessionId: null, createdAtMs: 1, content: { kind: "text", body: "x".repeat(2000) },
        })));
        Deno.stdout.writeSync(new TextEncoder().encode(round + "\\n"));
      }`;
    for (const killAfter of [1, 7, 40]) {
      const child = new Deno.Command(Deno.execPath(), {
        args: ["eval", script, `${folder}`],
        stdout: "piped",
      }).spawn();
      const confirmed = await killWhenConfirmed(child, killAfter);
      const outbox = open(folder);
      const ids = outbox.queue.map((each) => each.id);
      const wanted = Array.from(
        { length: confirmed + 1 },
        (_, round) => [0, 1, 2].map((lane) => `${round}-${lane}`),
      ).flat();
      assert.deepEqual(ids.slice(0, wanted.length), wanted);
      await outbox.settle(outbox.queue.map((each) => each.seq));
      outbox.close();
    }
  }));

/** Kills the child after it has confirmed `rounds`; returns the last one that it confirmed. */
async function killWhenConfirmed(child: Deno.ChildProcess, rounds: number): Promise<number> {
  let text = "";
  for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (text.split("\n").length > rounds) child.kill("SIGKILL");
  }
  await child.status;
  return text.split("\n").length - 2;
}
