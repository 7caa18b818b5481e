/** Tests that each rule of the lint plugin fires where it should and nowhere else. */
import assert from "node:assert/strict";
import plugin from "./lint_plugin.ts";

/** Names of the rules that fire on `source` as the module at `path`. */
function fired(path: string, source: string): string[] {
  return Deno.lint.runPlugin(plugin, path, source).map((found) =>
    found.id.replace("claudemesh/", "")
  );
}

function lines(count: number): string {
  return "  step();\n".repeat(count);
}

Deno.test("function-length fires past 70 lines, for functions, methods and arrows", () => {
  assert.deepEqual(fired("agent/core/a.ts", `function a() {\n${lines(68)}}`), []);
  assert.deepEqual(fired("agent/core/a.ts", `function a() {\n${lines(69)}}`), ["function-length"]);
  assert.deepEqual(fired("agent/core/a.ts", `class A { m() {\n${lines(69)}} }`), [
    "function-length",
  ]);
  assert.deepEqual(fired("agent/core/a.ts", `run(() => {\n${lines(69)}});`), ["function-length"]);
});

Deno.test("injected-clock fires on ambient time and randomness in the core alone", () => {
  for (
    const call of [
      "Date.now()",
      "Math.random()",
      "globalThis.setTimeout(a, 1)",
      "setInterval(a, 1)",
      "crypto.randomUUID()",
      "new Date()",
    ]
  ) {
    assert.deepEqual(fired("broker/core/route.ts", `use(${call});`), ["injected-clock"], call);
    assert.deepEqual(fired("broker/core/clock.ts", `use(${call});`), [], call);
    assert.deepEqual(fired("agent/core/link.ts", `use(${call});`), [], call);
  }
  assert.deepEqual(fired("broker/core/route.ts", "use(new Date(time), clock.now());"), []);
});

Deno.test("no-console fires outside the places that print", () => {
  assert.deepEqual(fired("broker/server.ts", "console.log(1);"), ["no-console"]);
  assert.deepEqual(fired("agent/ui/table.ts", "console.log(1);"), []);
  assert.deepEqual(fired("scripts/ok.ts", "console.log(1);"), []);
});

Deno.test("hash-private fires on the keyword in its three places", () => {
  const source =
    "class A { private a = 1; private b() {} constructor(private c: number) {} #d = 2; }";
  assert.deepEqual(fired("agent/core/a.ts", source), [
    "hash-private",
    "hash-private",
    "hash-private",
  ]);
});

Deno.test("hash-private lets a class keep its constructor to itself", () => {
  assert.deepEqual(fired("agent/core/a.ts", "class A { private constructor() {} }"), []);
});

Deno.test("top-level-function fires on arrows at the top level, exported or not", () => {
  assert.deepEqual(fired("agent/core/a.ts", "const a = () => 1;"), ["top-level-function"]);
  assert.deepEqual(fired("agent/core/a.ts", "export const a = () => 1;"), ["top-level-function"]);
  assert.deepEqual(fired("agent/core/a.ts", "export const a = [1].map((x) => x + 1);"), []);
});

Deno.test("no-sleep-in-test fires on a promise that a timer resolves", () => {
  const sleep = "await new Promise((resolve) => setTimeout(resolve, 50));";
  assert.deepEqual(fired("agent/core/a_test.ts", sleep), ["no-sleep-in-test"]);
  assert.deepEqual(fired("agent/core/a.ts", sleep), []);
  assert.deepEqual(
    fired("agent/core/a_test.ts", "new Promise((_, reject) => setTimeout(reject, 50));"),
    [],
  );
});
