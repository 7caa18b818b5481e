/** Paths follow the environment; a socket path always fits the kernel's limit. */
import assert from "node:assert/strict";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { homePaths } from "./paths.ts";

function pathsFor(variables: Record<string, string>) {
  return homePaths((name) => variables[name]);
}

Deno.test("without variables everything is below ~/.claudemesh", () => {
  const paths = pathsFor({});
  assert.equal(paths.configDir, join(homedir(), ".claudemesh"));
  assert.equal(paths.socketPath, join(homedir(), ".claudemesh", "run", "agent.sock"));
});

Deno.test("the socket is in XDG_RUNTIME_DIR, the lock and the log beside it", () => {
  const paths = pathsFor({ XDG_RUNTIME_DIR: "/run/user/1000" });
  assert.equal(paths.socketPath, "/run/user/1000/claudemesh/agent.sock");
  assert.equal(paths.lockFile, "/run/user/1000/claudemesh/agent.lock");
  assert.equal(paths.logFile, "/run/user/1000/claudemesh/agent.log");
});

Deno.test("CLAUDEMESH_CONFIG_DIR moves the socket too, whatever XDG_RUNTIME_DIR says", () => {
  const paths = pathsFor({ CLAUDEMESH_CONFIG_DIR: "/tmp/a", XDG_RUNTIME_DIR: "/run/user/1000" });
  assert.equal(paths.configFile, "/tmp/a/config.json");
  assert.equal(paths.socketPath, "/tmp/a/run/agent.sock");
});

Deno.test("a path too long for a socket falls back to a folder of its own in the temporary folder", () => {
  const long = pathsFor({ CLAUDEMESH_CONFIG_DIR: `/tmp/${"x".repeat(90)}` });
  const other = pathsFor({ CLAUDEMESH_CONFIG_DIR: `/tmp/${"y".repeat(90)}` });
  assert.ok(long.socketPath.startsWith(tmpdir()));
  assert.ok(long.socketPath.length <= 100);
  assert.notEqual(long.socketPath, other.socketPath);
  assert.equal(pathsFor({ CLAUDEMESH_CONFIG_DIR: `/tmp/${"x".repeat(90)}` }).runDir, long.runDir);
});
