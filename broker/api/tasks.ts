/**
 * Work to be claimed: one holder at a time, under a lease, and only when what it depends on is done. Frames: reference
 * protocol 2.12; leases, release, cancelling and dependencies are ours.
 */
import * as z from "zod";
import { event } from "./event.ts";
import { isoTime } from "./fields.ts";
import { LIMITS } from "./limits.ts";
import { op } from "./op.ts";

const PRIORITIES = ["low", "normal", "high", "urgent"] as const;
const STATES = ["open", "claimed", "completed", "cancelled"] as const;
export type TaskStatus = (typeof STATES)[number];
export type TaskPriority = (typeof PRIORITIES)[number];

const taskId = z.string().max(64).regex(
  /^[A-Za-z0-9_-]{8,}$/,
  "must be a task id, or its first 8 or more characters",
).describe("Task id, or its first 8 or more characters.");
const tag = z.string().min(1).max(LIMITS.tagChars.value);
const leaseMs = z.int().min(LIMITS.taskLeaseLeastMs.value).max(LIMITS.taskLeaseMostMs.value)
  .default(LIMITS.taskLeaseMs.value).describe(
    "How long the claim holds unless it is renewed, in milliseconds; an hour unless given.",
  );

/** A task as lists show it. */
export const task = z.object({
  id: z.string(),
  title: z.string(),
  status: z.enum(STATES),
  priority: z.enum(PRIORITIES),
  tags: z.array(z.string()),
  assignee: z.string().nullable().describe(
    "Who alone may claim it: a name or @group; null: anybody.",
  ),
  createdBy: z.string(),
  createdAt: isoTime,
  claimedBy: z.string().nullable().describe("Who holds it, or completed it."),
  claimedAt: isoTime.nullable(),
  leaseExpiresAt: isoTime.nullable().describe("Until then nobody else can claim it."),
  dependsOn: z.array(z.string()),
  waitsFor: z.array(z.string()).describe("Those of `dependsOn` that are not closed yet."),
  completedAt: isoTime.nullable(),
  cancelledAt: isoTime.nullable(),
  hasDescription: z.boolean(),
  hasResult: z.boolean(),
});
export type Task = z.infer<typeof task>;

const taskDetails = task.extend({
  description: z.string().nullable(),
  result: z.string().nullable(),
  closedBy: z.string().nullable().describe("Who completed or cancelled it."),
  createdByKey: z.string().describe("Member key."),
  claimedByKey: z.string().nullable().describe("Member key."),
  claimedBySession: z.string().nullable(),
  dependents: z.array(z.string()).describe("Tasks that depend on this one."),
});
export type TaskDetails = z.infer<typeof taskDetails>;

const id = "T1b2C3d4E5f6G7h8A1b2C3d4E5f6G7h8";
const at = "2026-11-21T10:00:00.000Z";
const open: Task = {
  id,
  title: "Write the changelog",
  status: "open",
  priority: "high",
  tags: ["docs"],
  assignee: null,
  createdBy: "Ada",
  createdAt: at,
  claimedBy: null,
  claimedAt: null,
  leaseExpiresAt: null,
  dependsOn: [],
  waitsFor: [],
  completedAt: null,
  cancelledAt: null,
  hasDescription: false,
  hasResult: false,
};
const claimed: Task = {
  ...open,
  status: "claimed",
  claimedBy: "Bob",
  claimedAt: at,
  leaseExpiresAt: "2026-11-21T11:00:00.000Z",
};
/** Every change of a task answers with the task as it is then. */
const changed = z.object({ tasks: z.array(task).describe("The task as it is now.") });
const reason = z.string().max(500).optional().describe("Why, for those concerned.");

export const tasks = {
  createTask: op({
    wire: "create_task",
    reply: "task_created",
    since: 1,
    summary: "Put a work item on the mesh's task list.",
    grant: "member",
    rate: "request",
    audit: "task_created",
    fails: ["limit", "not_found", "ambiguous_target", "ambiguous_prefix"],
    tool: {
      name: "create_task",
      reach: "one",
      description:
        "Put a work item on the mesh's task list, for anybody or for one peer or @group, to be claimed.",
      rename: { depends_on: "dependsOn" },
    },
    input: z.object({
      title: z.string().min(1).max(LIMITS.taskTitleChars.value).describe("What is to be done."),
      description: z.string().max(LIMITS.taskDescriptionChars.value).optional().describe(
        "All that is needed to do it.",
      ),
      assignee: z.string().min(1).max(600).optional().describe(
        "Peer name, key or @group that alone may claim it.",
      ),
      priority: z.enum(PRIORITIES).default("normal").describe("Importance; normal unless given."),
      tags: z.array(tag).max(LIMITS.tags.value).default([]).describe("Labels."),
      dependsOn: z.array(taskId).max(LIMITS.taskDependencies.value).default([]).describe(
        "Ids of tasks that must be closed before this one can be claimed.",
      ),
    }),
    output: task,
    example: {
      input: { title: "Write the changelog", priority: "high", tags: ["docs"] },
      output: open,
    },
  }),
  claimTask: op({
    wire: "claim_task",
    reply: "task_list",
    quiet: true,
    since: 1,
    summary: "Take an open task: one claimer wins, and holds it until its lease runs out.",
    grant: "member",
    rate: "request",
    audit: "task_claimed",
    fails: ["not_found", "ambiguous_prefix", "conflict"],
    input: z.object({ taskId, leaseMs }),
    output: changed,
    example: { input: { taskId: id }, output: { tasks: [claimed] } },
  }),
  renewTask: op({
    wire: "renew_task",
    reply: "task_list",
    since: 3,
    summary: "Keep a claimed task for longer, counted from now; for its holder.",
    grant: "member",
    rate: "request",
    audit: "task_renewed",
    fails: ["not_found", "ambiguous_prefix", "conflict"],
    input: z.object({ taskId, leaseMs }),
    output: changed,
    example: { input: { taskId: id }, output: { tasks: [claimed] } },
  }),
  completeTask: op({
    wire: "complete_task",
    reply: "task_list",
    quiet: true,
    since: 1,
    summary: "Close a task as done, with its result; for its holder.",
    grant: "member",
    rate: "request",
    audit: "task_completed",
    fails: ["not_found", "ambiguous_prefix", "conflict"],
    input: z.object({
      taskId,
      result: z.string().max(LIMITS.taskResultChars.value).optional().describe("What came of it."),
    }),
    output: changed,
    example: {
      input: { taskId: id, result: "See CHANGELOG.md" },
      output: {
        tasks: [{ ...claimed, status: "completed", completedAt: at, hasResult: true }],
      },
    },
  }),
  releaseTask: op({
    wire: "release_task",
    reply: "task_list",
    since: 3,
    summary: "Give a claimed task back to the list; for its holder, owners and admins.",
    grant: "member",
    rate: "request",
    audit: "task_released",
    fails: ["not_found", "ambiguous_prefix", "conflict"],
    verb: {
      path: "task release",
      positionals: ["taskId"],
      examples: ['claudemesh task release T1b2C3d4E5f6 --reason "Needs the database"'],
    },
    input: z.object({ taskId, reason }),
    output: changed,
    example: { input: { taskId: id }, output: { tasks: [open] } },
  }),
  cancelTask: op({
    wire: "cancel_task",
    reply: "task_list",
    since: 3,
    summary: "Close a task that is not to be done any more; for who made it, owners and admins.",
    grant: "member",
    rate: "request",
    audit: "task_cancelled",
    fails: ["not_found", "ambiguous_prefix", "conflict"],
    verb: {
      path: "task cancel",
      positionals: ["taskId"],
      examples: ["claudemesh task cancel T1b2C3d4E5f6"],
    },
    input: z.object({ taskId, reason }),
    output: changed,
    example: {
      input: { taskId: id },
      output: { tasks: [{ ...open, status: "cancelled", cancelledAt: at }] },
    },
  }),
  getTask: op({
    wire: "get_task",
    reply: "task_details",
    since: 3,
    summary: "Show one task in full, with its result.",
    grant: "member",
    rate: "request",
    audit: null,
    fails: ["not_found", "ambiguous_prefix"],
    input: z.object({ taskId }),
    output: taskDetails,
    example: {
      input: { taskId: id },
      output: {
        ...open,
        description: null,
        result: null,
        closedBy: null,
        createdByKey: "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c",
        claimedByKey: null,
        claimedBySession: null,
        dependents: [],
      },
    },
  }),
  listTasks: op({
    wire: "list_tasks",
    reply: "task_list",
    since: 1,
    summary: "List tasks: open ones by importance and age, then closed ones, the last first.",
    grant: "member",
    rate: "request",
    audit: null,
    fails: ["ambiguous_target"],
    input: z.object({
      status: z.enum([...STATES, "done"]).optional().describe(
        "Only tasks in this state; done is completed.",
      ),
      assignee: z.string().min(1).max(600).optional().describe(
        "Only tasks assigned to, or held by, this peer; or assigned to this @group.",
      ),
      tag: tag.optional().describe("Only tasks with this label."),
      claimable: z.boolean().default(false).describe("Only tasks that the caller can claim now."),
      limit: z.int().min(1).max(LIMITS.taskListRows.value).default(LIMITS.taskListRows.value)
        .describe("At most this many."),
      offset: z.int().min(0).max(100_000).default(0).describe("Skips so many of them."),
    }),
    output: z.object({
      tasks: z.array(task),
      more: z.boolean().describe("There are more behind these."),
    }),
    example: { input: { status: "open" }, output: { tasks: [open], more: false } },
  }),
};

const who = z.object({ name: z.string(), pubkey: z.string() });
const news = z.object({
  taskId: z.string(),
  title: z.string(),
  status: z.enum(STATES),
  priority: z.enum(PRIORITIES),
  tags: z.array(z.string()),
  assignee: z.string().nullable(),
  by: who.nullable().describe("Who did it; null: the broker, as a lease ran out."),
  updatedBySession: z.string().nullable().describe("The acting session, to which it is no news."),
  reason: z.string().nullable(),
});
export type TaskNews = z.infer<typeof news>;
const ada = {
  name: "Ada",
  pubkey: "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c",
};
const example: TaskNews = {
  taskId: id,
  title: "Write the changelog",
  status: "open",
  priority: "high",
  tags: ["docs"],
  assignee: null,
  by: ada,
  updatedBySession: "session1",
  reason: null,
};

function taskEvent<Name extends string>(name: Name, summary: string, changes: Partial<TaskNews>) {
  const spec = { wire: "push", name, since: 3, summary, data: news };
  return event({ ...spec, example: { ...example, ...changes } });
}

/** They go to who made the task, who may claim it, who holds it; an unassigned new task to everybody. */
export const tasksEvents = {
  taskCreated: taskEvent("task_created", "A task was put on the list.", {}),
  taskClaimed: taskEvent("task_claimed", "A task was taken.", { status: "claimed" }),
  taskCompleted: taskEvent("task_completed", "A task was done.", { status: "completed" }),
  taskReleased: taskEvent("task_released", "A claimed task is open again.", {
    by: null,
    updatedBySession: null,
    reason: "lease_expired",
  }),
  taskCancelled: taskEvent("task_cancelled", "A task is not to be done any more.", {
    status: "cancelled",
  }),
  taskUnblocked: taskEvent("task_unblocked", "The last task that this one waited for is closed.", {
    by: null,
    updatedBySession: null,
  }),
};
