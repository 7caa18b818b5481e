/**
 * Verbs for tasks that show more than an operation's answer, or take what people write: a list, one task in full, leases
 * as durations, results from standard input.
 */
import type { Task, TaskDetails } from "../../broker/api/tasks.ts";
import { marks, printable, printableText, style } from "../ui/style.ts";
import { pairs, relativeTime, table } from "../ui/text.ts";
import { durationMs } from "./meshes.ts";
import { numberFlag } from "./messages.ts";
import { callOne } from "./people.ts";
import { MESH_FLAG, textArgument, textFlag, type Verb, type VerbContext } from "./verb.ts";

const ID = {
  name: "id",
  summary: "the task's id, or its first 8 or more characters",
  required: true,
};
const LEASE = {
  syntax: "--lease <duration>",
  summary: "how long it holds: 30m, 2h, at most 1d (default 1h)",
};
const SHORT_ID = 12;

/** The one task that a change answers with. */
async function change(
  context: VerbContext,
  wire: string,
  input: Record<string, unknown>,
): Promise<{ mesh: string; task: Task }> {
  const taskId = textArgument(context, 0);
  const { mesh, output } = await callOne(await context.agent(), context, wire, {
    taskId,
    ...input,
  });
  const [task] = output.tasks as Task[];
  return { mesh, task: task! };
}

function leaseOf(context: VerbContext): { leaseMs?: number } {
  const lease = textFlag(context, "lease");
  return lease === undefined ? {} : { leaseMs: durationMs(lease) };
}

function leaseLine({ id, title, leaseExpiresAt }: Task): string {
  const until = leaseExpiresAt === null ? "" : relativeTime(Date.parse(leaseExpiresAt), Date.now());
  return `${marks.done()} ${printable(title)}: yours, the lease ends ${until}  ${style.dim(id)}`;
}

/** "a, b" -> ["a", "b"]. */
function listFlag(context: VerbContext, name: string): string[] {
  const parts = (textFlag(context, name) ?? "").split(",").map((each) => each.trim());
  return parts.filter((each) => each !== "");
}

export const taskCreate: Verb = {
  path: "task create",
  summary: "Put a work item on the mesh's task list",
  args: [{ name: "title", summary: "what is to be done", required: true, variadic: true }],
  flags: [
    MESH_FLAG,
    {
      syntax: "-p, --priority <priority>",
      summary: "importance (default normal)",
      choices: ["low", "normal", "high", "urgent"],
    },
    { syntax: "--assignee <peer>", summary: "name, key or @group that alone may claim it" },
    { syntax: "--tags <a,b>", summary: "labels" },
    {
      syntax: "--depends-on <id,id>",
      summary: "tasks that must be closed before it can be claimed",
    },
    { syntax: "--description <text>", summary: "all that is needed to do it" },
  ],
  examples: [
    'claudemesh task create "Write the changelog" --priority high --tags docs',
    "claudemesh task create Review --assignee Bob --depends-on T1b2C3d4E5f6",
  ],
  json: true,
  async run(context) {
    const texts = ["priority", "assignee", "description"].flatMap((name) => {
      const value = textFlag(context, name);
      return value === undefined ? [] : [[name, value]];
    });
    const { mesh, output } = await callOne(await context.agent(), context, "create_task", {
      title: textArgument(context, 0),
      ...Object.fromEntries(texts),
      tags: listFlag(context, "tags"),
      dependsOn: listFlag(context, "dependsOn"),
    });
    const task = output as unknown as Task;
    const waits = task.waitsFor.length === 0 ? "" : `, waits for ${task.waitsFor.length}`;
    const text = `${marks.done()} ${printable(task.title)}${waits}  ${style.dim(task.id)}`;
    return { data: { mesh, task }, text };
  },
};

export const taskClaim: Verb = {
  path: "task claim",
  summary: "Take an open task; nobody else can while the lease holds",
  args: [ID],
  flags: [MESH_FLAG, LEASE],
  examples: ["claudemesh task claim T1b2C3d4E5f6", "claudemesh task claim T1b2C3d4 --lease 4h"],
  json: true,
  async run(context) {
    const { mesh, task } = await change(context, "claim_task", leaseOf(context));
    return { data: { mesh, task }, text: leaseLine(task) };
  },
};

export const taskRenew: Verb = {
  path: "task renew",
  summary: "Keep a claimed task for longer, counted from now",
  args: [ID],
  flags: [MESH_FLAG, LEASE],
  examples: ["claudemesh task renew T1b2C3d4E5f6 --lease 2h"],
  json: true,
  async run(context) {
    const { mesh, task } = await change(context, "renew_task", leaseOf(context));
    return { data: { mesh, task }, text: leaseLine(task) };
  },
};

export const taskComplete: Verb = {
  path: "task complete",
  summary: "Close a task that you hold as done, with its result",
  details: "With - the result is read from standard input.",
  args: [ID, { name: "result", summary: "what came of it", required: false, variadic: true }],
  flags: [MESH_FLAG],
  examples: [
    'claudemesh task complete T1b2C3d4E5f6 "See CHANGELOG.md"',
    "deno test 2>&1 | claudemesh task complete T1b2C3d4E5f6 -",
  ],
  json: true,
  async run(context) {
    const given = context.args[1];
    const words = given === undefined || given.length === 0 ? "" : textArgument(context, 1);
    const result = words === "-" ? await new Response(Deno.stdin.readable).text() : words;
    const input = result === "" ? {} : { result };
    const { mesh, task } = await change(context, "complete_task", input);
    const text = `${marks.done()} ${printable(task.title)}: completed  ${style.dim(task.id)}`;
    return { data: { mesh, task }, text };
  },
};

export const taskShow: Verb = {
  path: "task show",
  summary: "Show one task in full, with its result",
  args: [ID],
  flags: [MESH_FLAG],
  examples: ["claudemesh task show T1b2C3d4"],
  json: true,
  async run(context) {
    const taskId = textArgument(context, 0);
    const { mesh, output } = await callOne(await context.agent(), context, "get_task", { taskId });
    const task = output as unknown as TaskDetails;
    return { data: { mesh, task }, text: detailsOf(task) };
  },
};

function detailsOf(task: TaskDetails): string {
  const nowMs = Date.now();
  const ago = (at: string | null) => at === null ? null : relativeTime(Date.parse(at), nowMs);
  const list = (all: readonly string[]) => all.length === 0 ? null : printable(all.join(", "));
  const blocks = [
    `  ${style.bold(printable(task.title))}`,
    pairs([
      ["id", task.id],
      ["status", task.status],
      ["priority", task.priority],
      ["tags", list(task.tags)],
      ["for", task.assignee === null ? null : printable(task.assignee)],
      ["made by", `${printable(task.createdBy)}, ${ago(task.createdAt)}`],
      [
        "claimed by",
        task.claimedBy === null ? null : `${printable(task.claimedBy)}, ${ago(task.claimedAt)}`,
      ],
      ["lease ends", ago(task.leaseExpiresAt)],
      [
        "closed by",
        task.closedBy === null
          ? null
          : `${printable(task.closedBy)}, ${ago(task.completedAt ?? task.cancelledAt)}`,
      ],
      ["depends on", list(task.dependsOn)],
      ["waits for", list(task.waitsFor)],
      ["needed by", list(task.dependents)],
    ]),
  ];
  for (const [label, text] of [["Description", task.description], ["Result", task.result]]) {
    if (text === null || text === undefined) continue;
    const lines = printableText(text).split("\n").map((line) => `    ${line}`).join("\n");
    blocks.push(`  ${style.dim(label!)}\n${lines}`);
  }
  return blocks.join("\n");
}

export const taskList: Verb = {
  path: "task list",
  summary: "Show tasks, the most important first",
  args: [],
  flags: [
    MESH_FLAG,
    {
      syntax: "-s, --status <status>",
      summary: "only tasks in this state",
      choices: ["open", "claimed", "completed", "cancelled", "done"],
    },
    { syntax: "--assignee <peer>", summary: "only tasks of this peer or @group" },
    { syntax: "--tag <tag>", summary: "only tasks with this label" },
    { syntax: "--claimable", summary: "only what you could claim now" },
    { syntax: "--limit <n>", summary: "at most this many (default 100)" },
    { syntax: "--offset <n>", summary: "skip so many" },
  ],
  examples: [
    "claudemesh task list",
    "claudemesh task list --claimable",
    "claudemesh task list --status done --assignee Bob --tag docs --json",
  ],
  json: true,
  async run(context) {
    const texts = ["status", "assignee", "tag"].flatMap((name) => {
      const value = textFlag(context, name);
      return value === undefined ? [] : [[name, value]];
    });
    const limit = numberFlag(textFlag(context, "limit"), "limit", {
      least: 1,
      most: 100,
      otherwise: 100,
    });
    const offset = numberFlag(textFlag(context, "offset"), "offset", {
      least: 0,
      most: 100_000,
      otherwise: 0,
    });
    const { mesh, output } = await callOne(await context.agent(), context, "list_tasks", {
      ...Object.fromEntries(texts),
      claimable: context.flags.claimable === true,
      limit,
      offset,
    });
    const tasks = output.tasks as Task[];
    const more = output.more === true;
    const text = tasks.length === 0 ? "  No tasks." : table(tasks.map(rowOf));
    return {
      data: { mesh, tasks, more },
      text: more ? `${text}\n  ${style.dim(`More: --offset ${offset + tasks.length}`)}` : text,
    };
  },
};

function rowOf(task: Task): string[] {
  const waits = task.waitsFor.length === 0 ? "" : `waits for ${task.waitsFor.length}`;
  const who = task.claimedBy !== null
    ? `${task.status === "claimed" ? "held" : "done"} by ${printable(task.claimedBy)}`
    : task.assignee === null
    ? ""
    : `for ${printable(task.assignee)}`;
  return [
    style.dim(task.id.slice(0, SHORT_ID)),
    task.status,
    task.priority === "normal" ? "" : task.priority,
    style.bold(printable(task.title)),
    who || waits,
    style.dim(printable(task.tags.join(" "))),
  ];
}
