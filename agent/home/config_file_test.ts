/** config.json: read, changed by several programs at once, refused when it is wrong. */
import assert from "node:assert/strict";
import { type Config, type ConfigMesh, readConfig, updateConfig } from "./config_file.ts";
import { HomeError } from "./home_error.ts";
import { type HomePaths, homePaths } from "./paths.ts";

const MESH: ConfigMesh = {
  meshId: "mesh1",
  slug: "team",
  name: "Team",
  memberId: "member1",
  pubkey: "a".repeat(64),
  brokerUrl: "http://127.0.0.1:8787",
  role: "owner",
  ownerPubkey: "a".repeat(64),
  custody: "members",
  displayName: "Ada",
  joinedAt: "2026-11-21T10:00:00.000Z",
};

async function withHome(run: (paths: HomePaths) => void | Promise<void>): Promise<void> {
  const folder = Deno.makeTempDirSync();
  try {
    await run(homePaths((name) => name === "CLAUDEMESH_CONFIG_DIR" ? folder : undefined));
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

function added(meshId: string): (config: Config) => Config {
  return (config) => ({ ...config, meshes: [...config.meshes, { ...MESH, meshId }] });
}

Deno.test("a home without a file has no meshes", () =>
  withHome((paths) => {
    assert.deepEqual(readConfig(paths), { version: 1, meshes: [] });
  }));

Deno.test("what is written is read again, with mode 0600 and fields of later versions kept", () =>
  withHome((paths) => {
    updateConfig(paths, (config) => ({ ...added("mesh1")(config), displayName: "Ada", later: 1 }));
    updateConfig(paths, added("mesh2"));
    const config = readConfig(paths);
    assert.deepEqual(config.meshes.map((mesh) => mesh.meshId), ["mesh1", "mesh2"]);
    assert.equal(config.displayName, "Ada");
    assert.equal((config as unknown as { later: number }).later, 1);
    assert.equal(Deno.statSync(paths.configFile).mode! & 0o777, 0o600);
  }));

Deno.test("a file that is not JSON, or of a later version, is refused by its name", () =>
  withHome((paths) => {
    for (const text of ["{", '{"version":2}', '{"meshes":{}}', '{"meshes":[{}]}', "[]"]) {
      Deno.writeTextFileSync(paths.configFile, text);
      assert.throws(
        () => readConfig(paths),
        (error) =>
          error instanceof HomeError && error.code === "bad_config" && error.exit === 3 &&
          error.message.includes(paths.configFile),
        text,
      );
    }
  }));

Deno.test("a mesh id that would leave the folder is refused", () =>
  withHome((paths) => {
    assert.throws(() => updateConfig(paths, added("../../etc/passwd")), /meshId/);
    assert.deepEqual(readConfig(paths).meshes, []);
  }));

Deno.test("a change that throws leaves the file as it was", () =>
  withHome((paths) => {
    updateConfig(paths, added("mesh1"));
    assert.throws(() =>
      updateConfig(paths, () => {
        throw new Error("no");
      }), /no/);
    assert.equal(readConfig(paths).meshes.length, 1);
  }));

Deno.test("programs that change the file at once do not undo each other's change", () =>
  withHome(async (paths) => {
    const module = new URL("./config_file.ts", import.meta.url).href;
    const script = `
      const { updateConfig } = await import(${JSON.stringify(module)});
      const [paths, mesh, name] = JSON.parse(Deno.args[0]);
      for (let index = 0; index < 10; index++) {
        updateConfig(paths, (config) => ({
          ...config,
          meshes: [...config.meshes, { ...mesh, meshId: name + index }],
        }));
      }`;
    const runs = ["a", "b", "c"].map((name) =>
      new Deno.Command(Deno.execPath(), {
        args: ["eval", script, JSON.stringify([paths, MESH, name])],
      }).output()
    );
    for (const { code } of await Promise.all(runs)) assert.equal(code, 0);
    assert.equal(readConfig(paths).meshes.length, 30);
  }));
