/** Tests of the page of verbs. */
import assert from "node:assert/strict";
import { verbsPage } from "./verbs_page.ts";

Deno.test("verbsPage() shows usage, arguments and examples", () => {
  const text = verbsPage([{
    path: "groups join",
    summary: "Join a group.",
    args: [
      { name: "name", required: true, summary: "Group." },
      { name: "mesh", required: false, summary: "Mesh." },
    ],
    flags: [{ syntax: "--role <text>", summary: "Role in it." }],
    examples: ["claudemesh groups join frontend"],
  }]);
  assert.ok(text.includes("## `groups join`"));
  assert.ok(text.includes("claudemesh groups join <name> [mesh] [flags]"));
  assert.ok(text.includes("| `--role <text>` | Role in it. |"));
  assert.ok(text.includes("Examples:\n\n```sh\nclaudemesh groups join frontend\n```"));
});
