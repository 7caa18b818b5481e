/** A thread's priority is its own. */
import assert from "node:assert/strict";
import { getPriority } from "node:os";

Deno.test({
  name: "a worker lowers its own thread's priority, and nobody else's",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    const before = getPriority(0);
    const source = `
      import { lowerPriority } from ${JSON.stringify(import.meta.resolve("./low_priority.ts"))};
      const lowered = lowerPriority();
      const thread = Number(Deno.readLinkSync("/proc/thread-self").split("/").at(-1));
      const fields = Deno.readTextFileSync("/proc/self/task/" + thread + "/stat").split(") ")[1].split(" ");
      postMessage({ lowered, niceness: Number(fields[16]) });`;
    const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    const worker = new Worker(url, { type: "module" });
    try {
      const { promise, resolve } = Promise.withResolvers<{ lowered: boolean; niceness: number }>();
      worker.onmessage = (event) => resolve(event.data);
      assert.deepEqual(await promise, { lowered: true, niceness: 10 });
      assert.equal(getPriority(0), before);
    } finally {
      worker.terminate();
      URL.revokeObjectURL(url);
    }
  },
});
