/** Tests of the check of doc comments. */
import assert from "node:assert/strict";
import { docBreaches, type DocOutput } from "./check_docs.ts";

function output(path: string, kind: string, doc?: string, declarationKind = "export"): DocOutput {
  const declaration = {
    kind,
    declarationKind,
    location: { line: 7 },
    ...(doc && { jsDoc: { doc } }),
  };
  return {
    version: 2,
    nodes: { [`file:///p/${path}`]: { symbols: [{ name: "thing", declarations: [declaration] }] } },
  };
}

Deno.test("docBreaches() names an exported function, class or interface without a comment", () => {
  for (const kind of ["function", "class", "interface"]) {
    assert.deepEqual(docBreaches(output("crypto/a.ts", kind), "/p/"), [
      'crypto/a.ts:7: "thing" has no doc comment',
    ]);
    assert.deepEqual(docBreaches(output("crypto/a.ts", kind, "Says."), "/p/"), []);
    assert.deepEqual(docBreaches(output("crypto/a.ts", kind, undefined, "private"), "/p/"), []);
  }
});

Deno.test("docBreaches() wants constants explained in crypto, not in the self-describing contract", () => {
  assert.equal(docBreaches(output("crypto/a.ts", "variable"), "/p/").length, 1);
  assert.deepEqual(docBreaches(output("broker/api/a.ts", "variable"), "/p/"), []);
});
