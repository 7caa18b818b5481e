/** Where the broker's settings come from, and what is wrong with bad ones. */
import assert from "node:assert/strict";
import { LIMITS } from "../api/limits.ts";
import { ConfigError, loadSettings } from "./config.ts";

/** Runs `run` with a folder that is removed afterwards. */
async function inFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "claudemesh-test-" });
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function problems(
  env: Record<string, string>,
  flags: Record<string, string> = {},
): Promise<string> {
  const error = await loadSettings({ env, flags }).then(() => null, (error) => error);
  assert.ok(error instanceof ConfigError, String(error));
  return error.message;
}

Deno.test("without configuration the broker is for this machine alone", async () => {
  const settings = await loadSettings({ flags: {}, env: { HOME: "/nowhere" } });
  assert.deepEqual(
    [settings.host, settings.port, settings.dataDir, settings.publicUrl, settings.databaseUrl],
    ["127.0.0.1", 8787, "/nowhere/.claudemesh/broker", null, null],
  );
  assert.deepEqual([settings.compat, settings.meshCreation], [false, "operator"]);
  assert.deepEqual([settings.statusTtlMs, settings.hookFreshMs], [60_000, 60_000]);
});

Deno.test("flags beat the environment, which beats the file", async () => {
  await inFolder(async (folder) => {
    const file = { PORT: 1, HOST: "10.0.0.1", MAX_CONNECTIONS: 7, CLAUDEMESH_COMPAT: true };
    await Deno.writeTextFile(`${folder}/claudemesh.json`, JSON.stringify(file));
    const env = { CLAUDEMESH_DATA_DIR: folder, PORT: "2", HOST: "10.0.0.2" };
    const settings = await loadSettings({ flags: { port: "3" }, env });
    assert.deepEqual([settings.port, settings.host], [3, "10.0.0.2"]);
    assert.deepEqual([settings.limits.connections, settings.compat], [7, true]);
  });
});

Deno.test("every value may come from a file of its own, without its line end", async () => {
  await inFolder(async (folder) => {
    const token = "t".repeat(32);
    await Deno.writeTextFile(`${folder}/token`, `${token}\n`);
    const env = { CLAUDEMESH_DATA_DIR: folder, CLAUDEMESH_OPERATOR_TOKEN_FILE: `${folder}/token` };
    assert.equal((await loadSettings({ flags: {}, env })).operatorToken, token);
    const both = { ...env, CLAUDEMESH_OPERATOR_TOKEN: token };
    assert.match(await problems(both), /CLAUDEMESH_OPERATOR_TOKEN and .*_FILE are both set/);
    const missing = { ...env, CLAUDEMESH_OPERATOR_TOKEN_FILE: `${folder}/gone` };
    assert.match(await problems(missing), /_FILE names .*gone, which cannot be read \(NotFound\)/);
  });
});

Deno.test("every limit with a variable can be changed by it", async () => {
  const named = Object.entries(LIMITS).filter(([, spec]) => "env" in spec);
  const env = Object.fromEntries(named.map(([, spec], index) => [
    (spec as { env: string }).env,
    String(index + 1),
  ]));
  const { limits } = await loadSettings({ flags: {}, env: { HOME: "/nowhere", ...env } });
  const found = named.map(([name]) => limits[name as keyof typeof limits]);
  assert.deepEqual(found, named.map((_, index) => index + 1));
});

Deno.test("a bad value is named with its shape and never shown", async () => {
  const cases: [string, string[]][] = [
    ["PORT", ["eighty", "-1", "65536", "1.5", "0x50"]],
    ["HOST", ["a b", "http://x"]],
    ["BROKER_PUBLIC_URL", ["mesh.example.net", "ftp://x", "https://u:p@x", "https://x/?q=1"]],
    ["DATABASE_URL", ["mysql://u:p@h/d", "host=localhost"]],
    ["CLAUDEMESH_OPERATOR_TOKEN", ["short", "x".repeat(31), `${"x".repeat(32)} y`]],
    ["BROKER_ENCRYPTION_KEY", ["hunter2", "g".repeat(64)]],
    ["MESH_CREATION", ["everybody"]],
    ["TRUSTED_PROXY", ["proxy.example", "10.0.0.0/33", "1.2.3.4/8/8"]],
    ["CLAUDEMESH_COMPAT", ["yes"]],
    ["STATUS_TTL_SECONDS", ["0", "soon"]],
    ["LOG_LEVEL", ["verbose"]],
    ["MAX_MESSAGE_BYTES", ["0", "1e6"]],
  ];
  for (const [name, values] of cases) {
    for (const value of values) {
      const text = await problems({ HOME: "/nowhere", [name]: value });
      assert.match(text, new RegExp(`^${name} must be .*; the \\d+ characters it has are not`));
      if (value.length > 4) assert.equal(text.includes(value), false, `${name} shows ${value}`);
    }
  }
});

Deno.test("all that is wrong is told at once, flags by their names", async () => {
  const text = await problems({ HOME: "/nowhere", LOG_LEVEL: "x" }, { port: "x", publicUrl: "x" });
  assert.deepEqual(
    text.split("\n").map((line) => line.split(" must be ")[0]).sort(),
    ["--port", "--public-url", "LOG_LEVEL"],
  );
});

Deno.test("the file must be one JSON object of settings", async () => {
  await inFolder(async (folder) => {
    const env = { CLAUDEMESH_DATA_DIR: folder };
    const cases: [string, RegExp][] = [
      ['{"PORT": "secret', /is not JSON/],
      ["[]", /must be one JSON object/],
      ['{"PROT": 1}', /"PROT" is no setting/],
      ['{"CLAUDEMESH_DATA_DIR": "/x"}', /is no setting of this file/],
      ['{"PORT": [1]}', /"PORT" must be a text/],
      ['{"PORT": 99999}', /claudemesh\.json: PORT must be a whole number/],
    ];
    for (const [text, expected] of cases) {
      await Deno.writeTextFile(`${folder}/claudemesh.json`, text);
      const message = await problems(env);
      assert.match(message, expected);
      assert.equal(message.includes("secret"), false);
    }
    assert.match(await problems(env, { config: `${folder}/other.json` }), /--config names/);
  });
});

Deno.test("a file with a secret is for its owner alone", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/claudemesh.json`;
    await Deno.writeTextFile(path, JSON.stringify({ DATABASE_URL: "postgres://u:p@h/d" }));
    const env = { CLAUDEMESH_DATA_DIR: folder };
    await Deno.chmod(path, 0o644);
    assert.match(await problems(env), /others can read it\. Fix: chmod 600/);
    await Deno.chmod(path, 0o600);
    assert.equal((await loadSettings({ flags: {}, env })).databaseUrl, "postgres://u:p@h/d");
  });
});

Deno.test("a trailing slash of the public url is left out, a path stays", async () => {
  const env = { HOME: "/nowhere", BROKER_PUBLIC_URL: "https://example.org/mesh/" };
  const { publicUrl } = await loadSettings({ flags: {}, env });
  assert.equal(publicUrl, "https://example.org/mesh");
});
