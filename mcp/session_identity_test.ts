/** Which session an MCP server belongs to. */
import assert from "node:assert/strict";
import { sessionIdentity } from "./session_identity.ts";

function identity(env: Record<string, string>, parentPid = 7, cwd = "/work here/a_b") {
  return sessionIdentity({ env: (name) => env[name], parentPid, cwd });
}

Deno.test("the host's own id names the session and its transcript", () => {
  const found = identity({ CLAUDE_CODE_SESSION_ID: "623f9f71-206d", HOME: "/home/ada" });
  assert.equal(found.sessionId, "623f9f71-206d");
  assert.equal(found.pid, 7);
  assert.equal(
    found.transcriptPath,
    "/home/ada/.claude/projects/-work-here-a-b/623f9f71-206d.jsonl",
  );
});

Deno.test("CLAUDEMESH_SESSION_ID goes before the host's", () => {
  const env = { CLAUDEMESH_SESSION_ID: "mine", CLAUDE_CODE_SESSION_ID: "theirs" };
  assert.equal(identity(env).sessionId, "mine");
});

Deno.test("without an id, host process and folder make one that stays the same", () => {
  const { sessionId, transcriptPath } = identity({});
  assert.match(sessionId, /^host-[0-9a-f]{24}$/);
  assert.equal(transcriptPath, undefined);
  assert.equal(identity({}).sessionId, sessionId);
  assert.notEqual(identity({}, 8).sessionId, sessionId);
  assert.notEqual(identity({}, 7, "/other").sessionId, sessionId);
  assert.notEqual(identity({ CLAUDEMESH_CONFIG_DIR: "/second" }).sessionId, sessionId);
});

Deno.test("what the environment says wrongly is not taken over", () => {
  const found = identity({
    CLAUDE_CODE_SESSION_ID: "../../etc/passwd",
    CLAUDEMESH_DISPLAY_NAME: "a\nb",
    CLAUDEMESH_MESSAGE_MODE: "loud",
  });
  assert.match(found.sessionId, /^host-/);
  assert.deepEqual([found.displayName, found.messageMode], [undefined, undefined]);
});

Deno.test("name, mode, model and folder come from the environment", () => {
  const found = identity({
    CLAUDEMESH_DISPLAY_NAME: "Ada lab",
    CLAUDEMESH_MESSAGE_MODE: "inbox",
    CLAUDE_MODEL: "opus",
    CLAUDE_PROJECT_DIR: "/project",
    CLAUDE_PID: "99",
  });
  assert.deepEqual(
    [found.displayName, found.messageMode, found.model, found.cwd, found.pid],
    ["Ada lab", "inbox", "opus", "/project", 99],
  );
});
