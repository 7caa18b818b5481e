/** Tests of the protocol page on a contract of one operation and two events. */
import assert from "node:assert/strict";
import * as z from "zod";
import { event } from "../broker/api/event.ts";
import { op } from "../broker/api/op.ts";
import { protocolPage } from "./protocol_page.ts";

const claim = op({
  wire: "claim_task",
  reply: "task_claimed",
  since: 3,
  summary: "Take a task that nobody owns.",
  grant: "member",
  rate: "request",
  audit: "task_claimed",
  fails: ["conflict"],
  verb: { path: "task claim", positionals: ["id"], examples: [] },
  tool: { name: "claim_task", reach: "one", description: "Take a task." },
  input: z.object({ id: z.string().describe("Names the task | exactly.") }),
  output: z.object({}),
  example: { input: { id: "t1" }, output: {} },
});

const text = protocolPage({
  handshake: { hello: z.object({ pubkey: z.string() }) },
  features: { taskBoard: [claim] },
  events: [
    event({
      wire: "push",
      name: "task_taken",
      since: 3,
      summary: "Somebody took a task.",
      data: z.object({ id: z.string() }),
      example: { id: "t1" },
    }),
  ],
  errors: { conflict: { http: 409, exit: 6, retry: true, summary: "Changed meanwhile" } },
  commonFails: ["internal"],
  limits: { tasks: { value: 1000, unit: "tasks", env: "MAX_TASKS", summary: "open tasks" } },
  revisions: [{ revision: 3, date: "2026-01-01", summary: "Tasks." }],
});

Deno.test("protocolPage() shows an operation's wire, fields, failures and example", () => {
  for (
    const part of [
      "## Operations: task board",
      "### `claim_task`",
      "Audited as `task_claimed`.",
      "Offered as verb `claudemesh task claim`, tool `claim_task`.",
      "| `id` | string | yes | Names the task \\| exactly. |",
      "The reply `task_claimed` has no fields.",
      "Fails with `conflict`, beside the common codes.",
      '"type": "claim_task",\n  "_reqId": "1",\n  "id": "t1"',
    ]
  ) assert.ok(text.includes(part), part);
});

Deno.test("protocolPage() shows a system event inside the frame that carries it", () => {
  assert.ok(text.includes("### `task_taken`"));
  assert.match(
    text,
    /"type": "push",\s+"subtype": "system",\s+"event": "task_taken",\s+"eventData"/,
  );
});

Deno.test("protocolPage() has the tables of errors, limits and revisions", () => {
  assert.ok(text.includes("| `conflict` | Changed meanwhile | 409 | 6 | yes |"));
  assert.ok(text.includes("| `tasks` | 1,000 tasks | open tasks | `MAX_TASKS` |"));
  assert.ok(text.includes("| 3 | 2026-01-01 | Tasks. |"));
});
