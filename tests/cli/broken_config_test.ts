/** A damaged configuration: the verb itself says which file and what to do. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { selfCommand } from "../../agent/home/self_command.ts";

Deno.test("a configuration that is no JSON is named by the verb that meets it", async () => {
  const home = await Deno.makeTempDir({ prefix: "claudemesh-config-" });
  try {
    await Deno.writeTextFile(join(home, "config.json"), "{ broken");
    const [program, ...args] = selfCommand(["list", "--json"]);
    const env = { CLAUDEMESH_CONFIG_DIR: home };
    const { code, stdout } = await new Deno.Command(program, { args, env }).output();
    const { ok, error } = JSON.parse(new TextDecoder().decode(stdout));
    assert.equal(ok, false);
    assert.equal(error.code, "bad_config");
    assert.match(error.message, /config\.json: it is not JSON/);
    assert.match(error.hint, /correct the file/);
    assert.notEqual(code, 0);
    await assert.rejects(
      Deno.stat(join(home, "run")),
      Deno.errors.NotFound,
      "no agent was started",
    );
  } finally {
    await Deno.remove(home, { recursive: true });
  }
});
