/** A home as the core uses it: keys, epochs, session identities, forgetting a mesh. */
import assert from "node:assert/strict";
import type { AgentHome } from "../core/agent_home.ts";
import { generateKeyPair } from "../../crypto/sign.ts";
import { Home } from "./home.ts";
import { HomeError } from "./home_error.ts";
import { homePaths } from "./paths.ts";

function withHome(run: (home: Home) => void): void {
  const folder = Deno.makeTempDirSync();
  try {
    run(new Home(homePaths((name) => name === "CLAUDEMESH_CONFIG_DIR" ? folder : undefined)));
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

Deno.test("a home is what the core asks for", () =>
  withHome((home) => {
    const asked: AgentHome = home;
    assert.deepEqual(asked.readConfig().meshes, []);
  }));

Deno.test("a session has the same key after a restart, and another one in another mesh", () =>
  withHome((home) => {
    const first = home.sessionKey("mesh1", "session/../x", generateKeyPair);
    assert.deepEqual(home.sessionKey("mesh1", "session/../x", generateKeyPair), first);
    assert.notDeepEqual(home.sessionKey("mesh2", "session/../x", generateKeyPair), first);
    assert.notDeepEqual(home.sessionKey("mesh1", "other", generateKeyPair), first);
  }));

Deno.test("a pending key outlives a restart and is gone when it is dropped", () =>
  withHome((home) => {
    assert.equal(home.readPendingKey("join x"), null);
    const keys = generateKeyPair();
    home.writePendingKey("join x", keys);
    assert.deepEqual(home.readPendingKey("join x"), keys);
    assert.equal(home.readPendingKey("join y"), null);
    home.dropPendingKey("join x");
    assert.equal(home.readPendingKey("join x"), null);
  }));

Deno.test("epochs and invite secrets are read again, and refused when others may read them", () =>
  withHome((home) => {
    home.writeEpochs("mesh1", new Map([[2, { key: "a2V5", proof: { by: "x" }, atMs: 5 }]]));
    home.addInviteSecret("mesh1", "Ab3dE6gH", "c2VjcmV0");
    home.addInviteSecret("mesh1", "joined", "c2VjcmV1");
    assert.deepEqual(home.readEpochs("mesh1").get(2), { key: "a2V5", proof: { by: "x" }, atMs: 5 });
    assert.deepEqual([...home.readInviteSecrets("mesh1").keys()], ["Ab3dE6gH", "joined"]);
    Deno.chmodSync(`${home.paths.keysDir}/mesh1.epochs.json`, 0o644);
    assert.throws(
      () => home.readEpochs("mesh1"),
      (error) => error instanceof HomeError && error.code === "key_mode",
    );
  }));

Deno.test("forgetting a mesh removes its keys and messages and nothing else", () =>
  withHome((home) => {
    for (const meshId of ["mesh1", "mesh2"]) {
      home.writeMemberKey(meshId, generateKeyPair());
      home.sessionKey(meshId, "s", generateKeyPair);
      Deno.writeTextFileSync(`${home.stateDir(meshId)}/inbox.db`, "x");
    }
    home.forgetMesh("mesh1");
    assert.throws(() => home.readMemberKey("mesh1"), HomeError);
    assert.equal(home.readMemberKey("mesh2").publicKey.length, 64);
    assert.deepEqual([...Deno.readDirSync(home.paths.stateDir)].map((each) => each.name), [
      "mesh2",
    ]);
    const sessions = `${home.paths.keysDir}/sessions`;
    assert.deepEqual([...Deno.readDirSync(sessions)].map((each) => each.name), ["mesh2"]);
  }));

Deno.test("a mesh id that would leave the folder is refused", () =>
  withHome((home) => {
    assert.throws(() => home.stateDir("../x"), HomeError);
    assert.throws(() => home.writeMemberKey("a/b", generateKeyPair()), HomeError);
  }));
