/** Tests of the page of tools. */
import assert from "node:assert/strict";
import { toolsPage } from "./tools_page.ts";

Deno.test("toolsPage() lists each tool with its parameters", () => {
  const text = toolsPage([
    {
      name: "send_message",
      description: "Deliver a text.",
      inputSchema: {
        type: "object",
        properties: { to: { type: "string", description: "Recipient." } },
        required: ["to"],
      },
    },
    { name: "list_peers", description: "Who is here.", inputSchema: { type: "object" } },
  ]);
  assert.match(text, /The 2 tools/);
  assert.ok(text.includes("## `send_message`\n\nDeliver a text."));
  assert.ok(text.includes("| `to` | string | yes | Recipient. |"));
  assert.ok(text.includes("## `list_peers`\n\nWho is here.\n\nNo parameters."));
});
