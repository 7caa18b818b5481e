/** A process's priority is lowered from outside, a thread's by itself. */
import assert from "node:assert/strict";
import { getPriority } from "node:os";
import { threadNiceness } from "../../tests/support/thread_niceness.ts";
import { lowerPriority } from "./low_priority.ts";

/** Says that it is up; told to go on, makes a thread and says so; ends with its input. */
const WITH_A_LATER_THREAD = `
  console.log("up");
  const input = Deno.stdin.readable.getReader();
  await input.read();
  const worker = new Worker("data:text/javascript,postMessage(1)", { type: "module" });
  await new Promise((resolve) => worker.onmessage = resolve);
  console.log("more");
  while (!(await input.read()).done);
  Deno.exit(0);`;

Deno.test({
  name: "all threads of a process get a low priority, the later ones too, and nobody else's",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    const before = getPriority(0);
    const child = new Deno.Command(Deno.execPath(), {
      args: ["eval", WITH_A_LATER_THREAD],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const reader = child.stdout.getReader();
    await reader.read();
    const lowered = lowerPriority(7, child.pid);
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode("go\n"));
    await reader.read();
    const found = threadNiceness(child.pid);
    await writer.close();
    await reader.cancel();
    await child.status;
    assert.equal(lowered, true);
    assert.ok(found.length > 1, "a runtime has several threads");
    assert.deepEqual(new Set(found), new Set([7]));
    assert.equal(getPriority(0), before);
  },
});

Deno.test("a process that is gone has no priority to lower", async () => {
  const child = new Deno.Command(Deno.execPath(), { args: ["--version"], stdout: "null" }).spawn();
  await child.status;
  assert.equal(lowerPriority(7, child.pid), false);
});

Deno.test({
  name: "a worker lowers its own thread's priority, and nobody else's",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    const before = threadNiceness(Deno.pid);
    const source = `
      import { lowerPriority } from ${JSON.stringify(import.meta.resolve("./low_priority.ts"))};
      postMessage(lowerPriority(9));`;
    const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    const worker = new Worker(url, { type: "module" });
    try {
      const { promise, resolve } = Promise.withResolvers<boolean>();
      worker.onmessage = (event) => resolve(event.data);
      assert.equal(await promise, true);
      const lowered = threadNiceness(Deno.pid).filter((niceness) => niceness === 9);
      assert.equal(lowered.length, 1 + before.filter((niceness) => niceness === 9).length);
    } finally {
      worker.terminate();
      URL.revokeObjectURL(url);
    }
  },
});
