/** When the client hears that its lists have changed. */
import assert from "node:assert/strict";
import { ListChanges } from "./list_changes.ts";

const BOTH = ["notifications/prompts/list_changed", "notifications/resources/list_changed"];

/** Collects what is sent; `told` settles when so many notifications have gone out. */
function listener(fails = false) {
  const methods: string[] = [];
  let wake = () => {};
  const lists = new ListChanges({
    gatherMs: 1,
    notify(method) {
      methods.push(method);
      wake();
      return fails ? Promise.reject(new Error("the client is gone")) : Promise.resolve();
    },
  });
  const told = (count: number) =>
    new Promise<void>((resolve) => {
      wake = () => {
        if (methods.length >= count) resolve();
      };
      wake();
    });
  return { lists, methods, told };
}

Deno.test("many changes of one moment are told once, later ones again", async () => {
  const { lists, methods, told } = listener();
  lists.clientReady();
  for (let count = 0; count < 10; count++) lists.changed();
  await told(2);
  assert.deepEqual(methods, BOTH);
  lists.changed();
  await told(4);
  assert.deepEqual(methods, [...BOTH, ...BOTH]);
  lists.close();
});

Deno.test("a change before the end of the handshake is told after it", async () => {
  const { lists, methods, told } = listener();
  lists.changed();
  assert.deepEqual(methods, []);
  lists.clientReady();
  await told(2);
  assert.deepEqual(methods, BOTH);
  lists.close();
});

Deno.test("nothing is told to a client that is gone", async () => {
  const { lists, methods, told } = listener(true);
  lists.clientReady();
  lists.changed();
  await told(2);
  // Where its failure is heard of.
  await Promise.resolve();
  await Promise.resolve();
  // A timer that it leaves behind would fail the test.
  lists.changed();
  assert.deepEqual(methods, BOTH);
});
