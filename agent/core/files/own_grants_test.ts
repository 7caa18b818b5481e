/** Tests of the agent's own record of what it granted. */
import assert from "node:assert/strict";
import { generateKeyPair } from "../../../crypto/sign.ts";
import { OwnGrants } from "./own_grants.ts";

const ada = generateKeyPair().publicKey;
const bob = generateKeyPair().publicKey;

function withFolder(run: (folder: string) => void): void {
  const folder = Deno.makeTempDirSync();
  try {
    run(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

Deno.test("nobody may read files until it is granted, and a grant is remembered", () =>
  withFolder((folder) => {
    const grants = new OwnGrants(folder);
    assert.ok(!grants.includes(ada, "file-read"));
    grants.note({ [ada]: ["dm", "file-read"], [bob]: ["dm"] });
    const again = new OwnGrants(folder);
    assert.ok(again.includes(ada, "file-read"));
    assert.ok(!again.includes(bob, "file-read"));
  }));

Deno.test("a grant that is taken back, or set to the defaults, is gone", () =>
  withFolder((folder) => {
    const grants = new OwnGrants(folder);
    grants.note({ [ada]: ["file-read"], [bob]: ["file-read"] });
    grants.note({ [ada]: null });
    grants.note({ [bob]: [] });
    for (const each of [grants, new OwnGrants(folder)]) {
      assert.ok(!each.includes(ada, "file-read") && !each.includes(bob, "file-read"));
    }
  }));

Deno.test("a damaged record grants nothing, nor do names of an object's own", () =>
  withFolder((folder) => {
    for (const text of ["{", "[]", '{"grants":3}', `{"grants":{"${ada}":"file-read"}}`]) {
      Deno.writeTextFileSync(`${folder}/grants.json`, text);
      assert.ok(!new OwnGrants(folder).includes(ada, "file-read"), text);
    }
    assert.ok(!new OwnGrants(folder).includes("constructor", "file-read"));
  }));
