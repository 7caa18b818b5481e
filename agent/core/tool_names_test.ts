/** Tests of which tools a host may call without asking. */
import assert from "node:assert/strict";
import { allowedToolNames, toolNames } from "./tool_names.ts";

Deno.test("every tool is allowed at once but those that open any path of this machine", () => {
  const asked = toolNames().filter((name) => !allowedToolNames().includes(name));
  assert.deepEqual(asked.sort(), ["get_file", "read_peer_file", "share_file"]);
});
