/** Tasks: one holder each, leases, dependencies, assignees, events, limits, on both SQL drivers. */
import assert from "node:assert/strict";
import { releaseLapsedTasks } from "../../broker/core/tasks/task_releases.ts";
import { type Clock, systemClock } from "../../broker/core/clock.ts";
import { forgetClosedTasks } from "../../broker/jobs/task_upkeep.ts";
import { brokerTest, TestBroker } from "../support/broker.ts";
import type { Frame, TestPeer } from "../support/peer.ts";
import { eachDriver } from "../support/sql.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

async function create(peer: TestPeer, title: string, more: object = {}): Promise<string> {
  const answer = await peer.request("create_task", { title, ...more });
  assert.equal(answer.type, "task_created", JSON.stringify(answer));
  return answer.id as string;
}

/** Changes a task and returns it as it is then. */
async function change(peer: TestPeer, type: string, taskId: string, more: object = {}) {
  const answer = await peer.request(type, { taskId, ...more });
  assert.equal(answer.type, "task_list", JSON.stringify(answer));
  return (answer.tasks as Frame[])[0]!;
}

async function titles(peer: TestPeer, filter: object = {}): Promise<unknown[]> {
  const answer = await peer.request("list_tasks", filter);
  assert.equal(answer.type, "task_list", JSON.stringify(answer));
  return (answer.tasks as Frame[]).map(({ title }) => title);
}

/** Events about tasks that a peer got so far, as "name title". */
async function heard(peer: TestPeer): Promise<string[]> {
  await peer.settled();
  const events = peer.frames.filter(({ event }) => String(event).startsWith("task_"));
  for (const event of events) peer.frames.splice(peer.frames.indexOf(event), 1);
  return events.map(({ event, eventData }) => `${event} ${(eventData as Frame).title}`);
}

/** A broker whose clock a test can put forward. */
function timeTest(
  name: string,
  run: (broker: TestBroker, pass: (milliseconds: number) => void) => Promise<void>,
): void {
  eachDriver(name, async (open) => {
    let aheadMs = 0;
    const clock: Clock = { ...systemClock, now: () => systemClock.now() + aheadMs };
    const broker = await TestBroker.start(await open(), { clock });
    try {
      await run(broker, (milliseconds) => aheadMs += milliseconds);
    } finally {
      await broker.close();
    }
  });
}

brokerTest("a task is made, seen by others, claimed, completed with its result", async (broker) => {
  const [ada, bob] = await broker.mesh("Ada", "Bob");
  const [a, b] = [await broker.join(ada!), await broker.join(bob!)];
  const made = await a.request("create_task", {
    title: "Write",
    description: "All of it",
    priority: "high",
    tags: ["docs", "docs", "now"],
  });
  assert.deepEqual(
    [made.status, made.priority, made.tags, made.createdBy, made.claimedBy, made.hasDescription],
    ["open", "high", ["docs", "now"], "Ada", null, true],
  );
  const id = made.id as string;
  const claimed = await change(b, "claim_task", id);
  assert.deepEqual([claimed.status, claimed.claimedBy], ["claimed", "Bob"]);
  const left = Date.parse(claimed.leaseExpiresAt as string) - Date.now();
  assert.ok(left > HOUR_MS - 60_000 && left <= HOUR_MS);
  const done = await change(b, "complete_task", id, { result: "Written" });
  assert.deepEqual([done.status, done.hasResult], ["completed", true]);
  const shown = await a.request("get_task", { taskId: id.slice(0, 8) });
  assert.deepEqual(
    [shown.id, shown.description, shown.result, shown.closedBy, shown.claimedByKey],
    [id, "All of it", "Written", "Bob", bob!.keys.publicKey],
  );
  assert.deepEqual(await titles(a, { status: "done" }), ["Write"]);
  assert.deepEqual(await titles(a, { status: "open" }), []);
});

brokerTest("twenty members claim fifty tasks at once: each task has one holder", async (broker) => {
  const members = await broker.mesh(...Array.from({ length: 20 }, (_, index) => `Member ${index}`));
  const peers = await Promise.all(members.map((member) => broker.join(member)));
  const ids: string[] = [];
  for (let index = 0; index < 50; index++) ids.push(await create(peers[0]!, `Task ${index}`));
  const claims = await Promise.all(
    peers.flatMap((peer, who) =>
      ids.map(async (taskId) => ({
        taskId,
        who,
        answer: await peer.request("claim_task", { taskId }),
      }))
    ),
  );
  const winners = new Map<string, number>();
  for (const { taskId, who, answer } of claims) {
    if (answer.type === "task_list") {
      assert.ok(!winners.has(taskId), `${taskId} has two holders`);
      winners.set(taskId, who);
    } else assert.equal(answer.code, "conflict", JSON.stringify(answer));
  }
  assert.equal(winners.size, ids.length);
  for (const { taskId, who, answer } of claims) {
    const winner = winners.get(taskId)!;
    if (who === winner) continue;
    assert.match(String(answer.message), new RegExp(`held by Member ${winner} until`));
  }
  const { tasks } = await peers[0]!.request("list_tasks", { status: "claimed" });
  const holders = (tasks as Frame[]).map(({ id, claimedBy }) => [id, claimedBy]);
  const wanted = [...winners].map(([id, who]) => [id, `Member ${who}`]);
  assert.deepEqual(new Map(holders as [string, string][]), new Map(wanted as [string, string][]));
}, { limits: { requestBurst: 10_000 } });

brokerTest("two sessions of one member do not both get a task", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const [one, two] = [await broker.join(ada!), await broker.join(ada!, { sessionId: "two" })];
  const id = await create(one, "Write");
  await change(one, "claim_task", id);
  const other = await two.request("claim_task", { taskId: id });
  assert.match(String(other.message), /held by Ada in another session until/);
  const again = await one.request("claim_task", { taskId: id });
  assert.match(String(again.message), /held by you until.*renew/);
  // What one session has begun, another of the member may finish.
  assert.equal((await change(two, "complete_task", id)).status, "completed");
});

brokerTest("only the holder completes, renews and releases; admins may release", async (broker) => {
  const [owner, ada, bob] = await broker.mesh("Owner", "Ada", "Bob");
  const [o, a, b] = await Promise.all([owner!, ada!, bob!].map((each) => broker.join(each)));
  const id = await create(a!, "Write");
  for (const type of ["complete_task", "renew_task", "release_task"]) {
    const refused = await b!.request(type, { taskId: id });
    assert.equal(refused.code, "conflict", type);
    assert.match(String(refused.message), /"Write" is open: claim it/);
  }
  await change(b!, "claim_task", id);
  for (const [peer, type] of [[a!, "release_task"], [o!, "complete_task"], [o!, "renew_task"]]) {
    const refused = await (peer as TestPeer).request(type as string, { taskId: id });
    assert.equal(refused.code, "forbidden", type as string);
    assert.match(String(refused.message), /held by Bob until/);
  }
  assert.equal((await change(o!, "release_task", id, { reason: "urgent" })).claimedBy, null);
  await change(a!, "claim_task", id);
  assert.equal((await change(a!, "release_task", id)).status, "open");
});

brokerTest(
  "who made a task and admins cancel it, others not; a closed task stays closed",
  async (broker) => {
    const [owner, ada, bob] = await broker.mesh("Owner", "Ada", "Bob");
    const [o, a, b] = await Promise.all([owner!, ada!, bob!].map((each) => broker.join(each)));
    const [one, two] = [await create(a!, "One"), await create(a!, "Two")];
    await change(b!, "claim_task", one);
    const refused = await b!.request("cancel_task", { taskId: one });
    assert.equal(refused.code, "forbidden");
    assert.match(String(refused.message), /made by Ada/);
    assert.equal((await change(a!, "cancel_task", one)).status, "cancelled");
    assert.equal((await change(o!, "cancel_task", two)).status, "cancelled");
    for (
      const type of ["claim_task", "renew_task", "complete_task", "release_task", "cancel_task"]
    ) {
      const closed = await b!.request(type, { taskId: one });
      assert.equal(closed.code, "conflict", type);
      assert.match(String(closed.message), /was cancelled by Ada/);
    }
  },
);

timeTest(
  "a lease that runs out makes the task claimable, and is told by the sweep",
  async (broker, pass) => {
    const [ada, bob, cem] = await broker.mesh("Ada", "Bob", "Cem");
    const [a, b, c] = await Promise.all([ada!, bob!, cem!].map((each) => broker.join(each)));
    const [one, two] = [await create(a!, "One"), await create(a!, "Two")];
    for (const id of [one, two]) await change(b!, "claim_task", id, { leaseMs: 60_000 });
    for (const peer of [a!, b!, c!]) await heard(peer);
    pass(61_000);
    const [listed] = (await a!.request("list_tasks", { status: "open" })).tasks as Frame[];
    assert.deepEqual([listed!.claimedBy, listed!.leaseExpiresAt], [null, null]);
    const late = await b!.request("complete_task", { taskId: one });
    assert.equal(late.code, "conflict");
    assert.match(String(late.message), /your lease of "One" ran out at/);
    assert.equal((await change(c!, "claim_task", one)).claimedBy, "Cem");
    assert.deepEqual(await heard(b!), ["task_claimed One"]);
    assert.equal(await releaseLapsedTasks(broker.context), 1);
    assert.deepEqual(await heard(a!), ["task_claimed One", "task_released Two"]);
    assert.deepEqual(await heard(b!), ["task_released Two"]);
    assert.equal(await releaseLapsedTasks(broker.context), 0);
  },
);

timeTest("a lease that is renewed holds from then on", async (broker, pass) => {
  const [ada, bob] = await broker.mesh("Ada", "Bob");
  const [a, b] = [await broker.join(ada!), await broker.join(bob!)];
  const id = await create(a, "Write");
  await change(b, "claim_task", id, { leaseMs: 60_000 });
  pass(50_000);
  await change(b, "renew_task", id, { leaseMs: 120_000 });
  pass(100_000);
  assert.equal((await a.request("claim_task", { taskId: id })).code, "conflict");
  assert.equal((await change(b, "complete_task", id)).status, "completed");
});

brokerTest("a lease has a shortest and a longest length", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const a = await broker.join(ada!);
  for (
    const [leaseMs, good] of [[60_000, true], [59_999, false], [DAY_MS, true], [DAY_MS + 1, false]]
  ) {
    const answer = await a.request("claim_task", { taskId: await create(a, "Write"), leaseMs });
    assert.equal(answer.code, good ? undefined : "invalid_argument", String(leaseMs));
  }
});

brokerTest(
  "a task that waits for others cannot be claimed until the last of them is closed",
  async (broker) => {
    const [ada, bob] = await broker.mesh("Ada", "Bob");
    const [a, b] = [await broker.join(ada!), await broker.join(bob!)];
    const [one, two] = [await create(a, "One"), await create(a, "Two")];
    const third = await a.request("create_task", {
      title: "Three",
      dependsOn: [one.slice(0, 10), two, one],
      assignee: "Bob",
    });
    assert.deepEqual(third.dependsOn, [one, two].sort());
    const id = third.id as string;
    await heard(b);
    const refused = await b.request("claim_task", { taskId: id });
    assert.equal(refused.code, "conflict");
    assert.match(String(refused.message), /"Three" waits for .*"One".*when they are closed/);
    assert.deepEqual(refused.candidates, [one, two].sort());
    await change(a, "claim_task", one);
    await change(a, "complete_task", one);
    const after = await b.request("get_task", { taskId: id });
    assert.deepEqual(after.waitsFor, [two]);
    assert.equal((await b.request("claim_task", { taskId: id })).code, "conflict");
    assert.deepEqual(await heard(b), []);
    await change(a, "cancel_task", two);
    assert.deepEqual(await heard(b), ["task_unblocked Three"]);
    assert.equal((await change(b, "claim_task", id)).status, "claimed");
    assert.deepEqual((await a.request("get_task", { taskId: two })).dependents, [id]);
  },
);

brokerTest("a task can only wait for tasks of its own mesh that are there", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const [eve] = await broker.mesh("Eve");
  const [a, e] = [await broker.join(ada!), await broker.join(eve!)];
  const id = await create(a, "Ada's");
  for (const dependsOn of [[id], ["nothing1"]]) {
    const refused = await e.request("create_task", { title: "Eve's", dependsOn });
    assert.equal(refused.code, "not_found");
  }
  assert.deepEqual(await titles(e), []);
});

brokerTest(
  "an assigned task is claimed by whom it is for alone, by name, key or group",
  async (broker) => {
    const [ada, bob, cem] = await broker.mesh("Ada", "Bob", {
      name: "Cem",
      groups: [{ name: "eng/api" }],
    });
    const [a, b, c] = await Promise.all([ada!, bob!, cem!].map((each) => broker.join(each)));
    const byName = await create(a!, "By name", { assignee: "bob" });
    const byKey = await create(a!, "By key", { assignee: bob!.keys.publicKey });
    const byGroup = await create(a!, "By group", { assignee: "@Eng" });
    for (
      const [peer, taskId, assignee] of [[c!, byName, "bob"], [a!, byKey, "Bob"], [
        b!,
        byGroup,
        "@eng",
      ]]
    ) {
      const refused = await (peer as TestPeer).request("claim_task", { taskId });
      assert.equal(refused.code, "forbidden");
      assert.match(String(refused.message), new RegExp(`is for ${assignee} alone`));
    }
    assert.deepEqual(await titles(b!, { claimable: true }), ["By name", "By key"]);
    assert.deepEqual(await titles(c!, { claimable: true }), ["By group"]);
    for (const [peer, id] of [[b!, byName], [b!, byKey], [c!, byGroup]]) {
      assert.equal((await change(peer as TestPeer, "claim_task", id as string)).status, "claimed");
    }
    for (
      const [assignee, code] of [["Nobody", "not_found"], ["@nobody", "not_found"], [
        "*",
        "invalid_argument",
      ]]
    ) {
      const refused = await a!.request("create_task", { title: "x", assignee });
      assert.equal(refused.code, code, String(assignee));
    }
  },
);

brokerTest("a name that two bear is refused with both, in lists too", async (broker) => {
  const [ada] = await broker.mesh("Ada", "Sam", "Sam");
  const a = await broker.join(ada!);
  for (const [type, more] of [["create_task", { title: "x" }], ["list_tasks", {}]] as const) {
    const refused = await a.request(type, { ...more, assignee: "sam" });
    assert.equal(refused.code, "ambiguous_target", type);
    assert.equal((refused.candidates as unknown[]).length, 2);
  }
});

brokerTest(
  "lists are by importance and age, closed ones last, and narrowed by state, person and tag",
  async (broker) => {
    const [ada, bob] = await broker.mesh("Ada", { name: "Bob", groups: [{ name: "eng" }] });
    const [a, b] = [await broker.join(ada!), await broker.join(bob!)];
    await create(a, "low", { priority: "low", tags: ["x"] });
    const normal = await create(a, "normal");
    const urgent = await create(a, "urgent", {
      priority: "urgent",
      tags: ["x", "y"],
      assignee: "@eng",
    });
    await create(a, "normal too", { assignee: "Bob" });
    const done = await create(a, "done", { priority: "urgent" });
    await change(b, "claim_task", normal);
    await change(a, "claim_task", done);
    await change(a, "complete_task", done);
    assert.deepEqual(await titles(a), ["urgent", "normal", "normal too", "low", "done"]);
    assert.deepEqual(await titles(a, { status: "open" }), ["urgent", "normal too", "low"]);
    assert.deepEqual(await titles(a, { status: "claimed" }), ["normal"]);
    assert.deepEqual(await titles(a, { status: "completed" }), ["done"]);
    assert.deepEqual(await titles(a, { assignee: "BOB" }), ["normal", "normal too"]);
    assert.deepEqual(await titles(a, { assignee: "@eng" }), ["urgent"]);
    assert.deepEqual(await titles(a, { assignee: "Zoe" }), []);
    assert.deepEqual(await titles(a, { tag: "x" }), ["urgent", "low"]);
    assert.deepEqual(await titles(a, { tag: "x", status: "open", assignee: "@eng" }), ["urgent"]);
    const page = await a.request("list_tasks", { limit: 2, offset: 1 });
    assert.deepEqual([(page.tasks as Frame[]).map(({ title }) => title), page.more], [
      ["normal", "normal too"],
      true,
    ]);
    assert.equal((await a.request("list_tasks", { offset: 4 })).more, false);
    assert.equal((await a.request("get_task", { taskId: urgent })).assignee, "@eng");
  },
);

brokerTest(
  "events go to those concerned: all for a task for all, else maker, assignee and holder",
  async (broker) => {
    const [ada, bob, cem] = await broker.mesh("Ada", "Bob", "Cem");
    const [a, b, c] = await Promise.all([ada!, bob!, cem!].map((each) => broker.join(each)));
    const open = await create(a!, "Open");
    const bobs = await create(a!, "Bob's", { assignee: "Bob" });
    assert.deepEqual(await heard(b!), ["task_created Open", "task_created Bob's"]);
    assert.deepEqual(await heard(c!), ["task_created Open"]);
    await change(c!, "claim_task", open);
    const { eventData } = await a!.next(({ event }) => event === "task_claimed");
    const { by, updatedBySession, status } = eventData as Frame;
    assert.deepEqual([by, status], [{ name: "Cem", pubkey: cem!.keys.publicKey }, "claimed"]);
    assert.equal(updatedBySession, `control-${cem!.id}`);
    await change(a!, "cancel_task", open, { reason: "not needed" });
    const cancelled = await c!.nextEvent("task_cancelled");
    assert.equal(cancelled.reason, "not needed");
    await change(b!, "claim_task", bobs);
    await change(b!, "complete_task", bobs);
    assert.deepEqual(await heard(b!), ["task_claimed Bob's", "task_completed Bob's"]);
    assert.deepEqual((await heard(a!)).slice(-2), ["task_claimed Bob's", "task_completed Bob's"]);
    assert.deepEqual(await heard(c!), ["task_claimed Open"]);
  },
);

brokerTest(
  "what a member held is open again when it leaves, is banned or kicked",
  async (broker) => {
    const [owner, ...gone] = await broker.mesh("Owner", "Leaver", "Banned", "Kicked");
    const o = await broker.join(owner!);
    const peers = await Promise.all(gone.map((each) => broker.join(each)));
    for (const [index, peer] of peers.entries()) {
      const name = gone[index]!.displayName;
      await change(peer, "claim_task", await create(o, `held by ${name}`));
      await create(o, `for ${name}`, { assignee: name });
    }
    await heard(o);
    await peers[0]!.request("leave_mesh");
    await o.next(({ event, eventData }) =>
      event === "task_released" && (eventData as Frame).title === "held by Leaver"
    );
    await o.request("ban", { target: "Banned" });
    await o.request("kick", { target: "Kicked" });
    assert.deepEqual((await titles(o, { claimable: true })).sort(), [
      "for Banned",
      "for Leaver",
      "held by Banned",
      "held by Kicked",
      "held by Leaver",
    ]);
    assert.deepEqual(await titles(o, { assignee: "Kicked" }), ["for Kicked"]);
  },
);

brokerTest("a restart keeps tasks, holders and dependencies", async (broker) => {
  const [ada, bob] = await broker.mesh("Ada", "Bob");
  let [a, b] = [await broker.join(ada!), await broker.join(bob!)];
  const first = await create(a, "First");
  const second = await create(a, "Second", { dependsOn: [first] });
  await change(b, "claim_task", first);
  await broker.restart();
  [a, b] = [await broker.join(ada!), await broker.join(bob!)];
  assert.equal((await a.request("claim_task", { taskId: first })).code, "conflict");
  assert.equal((await a.request("claim_task", { taskId: second })).code, "conflict");
  await change(b, "complete_task", first);
  assert.equal((await change(a, "claim_task", second)).claimedBy, "Ada");
});

brokerTest("another mesh cannot see or change a task by its id", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const [eve] = await broker.mesh("Eve");
  const [a, e] = [await broker.join(ada!), await broker.join(eve!)];
  const id = await create(a, "Write");
  const types = ["get_task", "claim_task", "renew_task", "complete_task", "release_task"];
  for (const type of [...types, "cancel_task"]) {
    assert.equal((await e.request(type, { taskId: id })).code, "not_found", type);
  }
  assert.deepEqual(await titles(e), []);
  assert.deepEqual(await titles(a, { status: "open" }), ["Write"]);
});

brokerTest("a mesh has open tasks up to its limit; closing one makes room", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const a = await broker.join(ada!);
  const id = await create(a, "One");
  await create(a, "Two");
  const refused = await a.request("create_task", { title: "Three" });
  assert.deepEqual([refused.code, refused.limit], ["limit", 2]);
  await change(a, "cancel_task", id);
  await create(a, "Three");
}, { limits: { openTasks: 2 } });

timeTest(
  "closed tasks are forgotten after ninety days, unless an open one needs them",
  async (broker, pass) => {
    const [ada] = await broker.mesh("Ada");
    const a = await broker.join(ada!);
    const [kept, gone] = [await create(a, "kept"), await create(a, "gone")];
    await create(a, "open", { dependsOn: [kept] });
    for (const id of [kept, gone]) await change(a, "cancel_task", id);
    pass(91 * DAY_MS);
    await forgetClosedTasks(broker.context);
    assert.deepEqual(await titles(a), ["open", "kept"]);
  },
);

brokerTest("the audit names tasks, never their texts", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const a = await broker.join(ada!);
  const id = await create(a, "secret title", { description: "secret" });
  for (const type of ["claim_task", "renew_task", "release_task", "claim_task"]) {
    await change(a, type, id);
  }
  await change(a, "complete_task", id, { result: "secret" });
  const rows = await broker.sql.query<{ event: string; payload: Frame }>(
    `select event_type as event, payload from mesh.audit_log
      where mesh_id = $1 and event_type like 'task%' order by id`,
    [ada!.meshId],
  );
  assert.deepEqual(rows.map(({ event }) => event.slice("task_".length)), [
    "created",
    "claimed",
    "renewed",
    "released",
    "claimed",
    "completed",
  ]);
  assert.ok(rows.every(({ payload }) => payload.taskId === id));
  assert.ok(!JSON.stringify(rows).includes("secret"));
});
