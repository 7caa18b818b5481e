/** Tests of the import reader. */
import assert from "node:assert/strict";
import { moduleShape } from "./module_imports.ts";

function edges(source: string): [string, string | null, boolean][] {
  return moduleShape(source).imports.map((edge) => [edge.kind, edge.specifier, edge.typeOnly]);
}

Deno.test("moduleShape() reads every form of static import", () => {
  const source = `
    import "./a.ts";
    import b from "./b.ts";
    import c, { d as e } from './c.ts';
    import * as f from "f";
    import g from "./g.json" with { type: "json" };
  `;
  assert.deepEqual(
    edges(source).map((edge) => edge[1]),
    ["./a.ts", "./b.ts", "./c.ts", "f", "./g.json"],
  );
});

Deno.test("moduleShape() tells type imports from value imports", () => {
  assert.deepEqual(edges(`import type { A } from "a"`), [["import", "a", true]]);
  assert.deepEqual(edges(`import { type A, type B } from "a"`), [["import", "a", true]]);
  assert.deepEqual(edges(`import { type A, b } from "a"`), [["import", "a", false]]);
  assert.deepEqual(edges(`import type from "a"`), [["import", "a", false]]);
});

Deno.test("moduleShape() reads re-exports and leaves plain exports alone", () => {
  const source = `export * from "a"; export { b } from "b"; export type { C } from "c";
    export const from = "d"; export { from as e };`;
  assert.deepEqual(edges(source), [["reexport", "a", false], ["reexport", "b", false], [
    "reexport",
    "c",
    true,
  ]]);
  assert.equal(moduleShape(source).imports[0]?.everything, true);
});

Deno.test("moduleShape() reads dynamic imports and marks those without a literal", () => {
  const source = "const a = await import('./a.ts'); const b = await import(`./${x}.ts`);";
  assert.deepEqual(edges(source), [["dynamic", "./a.ts", false], ["dynamic", null, false]]);
});

Deno.test("moduleShape() ignores what only looks like an import", () => {
  const source = `// import "a"
    const text = 'import "b" from "c"'; const other = \`import "d"\`;
    const url = import.meta.url; thing.import("e");`;
  assert.deepEqual(edges(source), []);
});

Deno.test("moduleShape() says whether a module has anything of its own", () => {
  assert.equal(moduleShape(`/** x */ export { a } from "./a.ts";`).declaresNothing, true);
  assert.equal(
    moduleShape(`import j from "./j.json" with { type: "json" }; export { j };`).declaresNothing,
    false,
  );
});

Deno.test("moduleShape() does not join a declaration with the re-export after it", () => {
  const source = `export interface A {} export { b } from "./b.ts";`;
  assert.equal(moduleShape(source).declaresNothing, false);
  assert.deepEqual(edges(source), [["reexport", "./b.ts", false]]);
});
