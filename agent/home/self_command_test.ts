/** The program starts itself again the way it runs now. */
import assert from "node:assert/strict";
import { selfCommand } from "./self_command.ts";

Deno.test("a compiled program is its own command", () => {
  const source = {
    executable: "/usr/bin/claudemesh",
    standalone: true,
    mainUrl: "file:///x/main.ts",
  };
  assert.deepEqual(selfCommand(["agent"], source), ["/usr/bin/claudemesh", "agent"]);
});

Deno.test("from a checkout it is run by the same Deno with the project's configuration", () => {
  const source = { executable: "/bin/deno", standalone: false, mainUrl: "file:///a%20b/main.ts" };
  assert.deepEqual(selfCommand(["agent"], source), [
    "/bin/deno",
    "run",
    "-A",
    "--no-prompt",
    "--v8-flags=--max-semi-space-size=1,--expose-gc",
    "--config=/a b/deno.json",
    "/a b/main.ts",
    "agent",
  ]);
  assert.ok(!selfCommand(["serve"], source).some((arg) => arg.startsWith("--v8-flags")));
});

Deno.test("the command of this very program starts it", async () => {
  const [executable, ...args] = selfCommand(["--version"]);
  const { stdout, code } = await new Deno.Command(executable, { args, cwd: "/" }).output();
  assert.equal(code, 0);
  assert.match(new TextDecoder().decode(stdout), /^claudemesh \d+\.\d+\.\d+/);
});
