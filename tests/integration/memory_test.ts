/** What a mesh remembers: who may change it, how it is found, what limits it, and when it ends. */
import assert from "node:assert/strict";
import { type Clock, systemClock } from "../../broker/core/clock.ts";
import { keepMemories } from "../../broker/jobs/memory_upkeep.ts";
import { startBroker } from "../../broker/server.ts";
import { brokerTest, TestBroker, testSettings } from "../support/broker.ts";
import type { Frame, TestPeer } from "../support/peer.ts";
import { eachDriver } from "../support/sql.ts";

interface Memory {
  readonly id: string;
  readonly content: string;
  readonly [field: string]: unknown;
}

async function remember(peer: TestPeer, content: string, more: object = {}): Promise<string> {
  const answer = await peer.request("remember", { content, ...more });
  assert.equal(answer.type, "memory_stored", JSON.stringify(answer));
  return String(answer.id);
}

async function recall(peer: TestPeer, query: string, more: object = {}): Promise<Memory[]> {
  const answer = await peer.request("recall", { query, ...more });
  assert.equal(answer.type, "memory_results", JSON.stringify(answer));
  return answer.memories as Memory[];
}

async function contents(peer: TestPeer, query: string): Promise<string[]> {
  return (await recall(peer, query)).map(({ content }) => content);
}

/** A clock that can be put forward. */
function movableClock(): { clock: Clock; move(byMs: number): void } {
  let aheadMs = 0;
  return {
    clock: { ...systemClock, now: () => systemClock.now() + aheadMs },
    move: (byMs) => aheadMs += byMs,
  };
}

brokerTest(
  "what one member remembers, another recalls after a restart, with its origin",
  async (broker) => {
    const [ada, bob] = await broker.mesh("Ada", "Bob");
    const [stranger] = await broker.mesh("Stranger");
    const writer = await broker.join(ada!, { sessionId: "session-of-ada" });
    const id = await remember(writer, "The staging database is reset on Mondays.", {
      tags: ["staging", "Database", "database"],
    });
    await broker.restart();
    const reader = await broker.join(bob!);
    const [memory, ...others] = await recall(reader, "staging");
    assert.deepEqual(others, []);
    const { rememberedAt, ...rest } = memory!;
    assert.deepEqual(rest, {
      id,
      content: "The staging database is reset on Mondays.",
      tags: ["staging", "Database"],
      rememberedBy: "Ada",
      memberId: ada!.id,
      sessionId: "session-of-ada",
    });
    assert.ok(Math.abs(Date.parse(String(rememberedAt)) - Date.now()) < 60_000);
    const outside = await broker.join(stranger!);
    for (const query of ["staging", "tag:staging", ""]) {
      assert.deepEqual(await recall(outside, query), [], query);
    }
    assert.equal((await outside.request("forget", { memoryId: id })).code, "not_found");
    const [row] = await broker.sql.query<{ payload: object }>(
      "select payload from mesh.audit_log where event_type = 'memory_stored'",
    );
    assert.deepEqual(row?.payload, { memoryId: id, characters: 41, tags: 2 });
  },
);

const DEPLOY = "We deploy to production on Thursdays, never on Fridays.";
const ROLLBACK = "A rollback of production needs two people.";
const RUNNERS = "The running jobs were moved to new runners in October.";
const FRIDAY = "Fridays are for maintenance of the runners.";

/** Query -> what it finds, in this order where more than one. */
const FINDS: readonly (readonly [string, readonly string[]])[] = [
  ["rollback", [ROLLBACK]],
  ["ROLLBACKS", [ROLLBACK]],
  ["run", [RUNNERS]],
  ["production thursday", [DEPLOY]],
  ['"never on Fridays"', [DEPLOY]],
  ['"on never Fridays"', []],
  ['"deploy to production" -friday', []],
  ["production -rollback", [DEPLOY]],
  ["production -tag:ops", [DEPLOY]],
  ["tag:ops", [ROLLBACK]],
  ["tag:OPS production", [ROLLBACK]],
  ["tag:op", []],
  ["-production", [FRIDAY, RUNNERS]],
  ["mainten*", [FRIDAY]],
  ["nothing-like-this", []],
  ["we to on", [DEPLOY]],
  ["", [FRIDAY, RUNNERS, ROLLBACK, DEPLOY]],
];

brokerTest("words, phrases, beginnings, exclusions and tags are looked for", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const peer = await broker.join(ada!);
  await remember(peer, DEPLOY);
  await remember(peer, ROLLBACK, { tags: ["ops"] });
  await remember(peer, RUNNERS);
  await remember(peer, FRIDAY);
  for (const [query, found] of FINDS) assert.deepEqual(await contents(peer, query), found, query);
});

brokerTest(
  "where nothing has all words, what has some of them is found, best first",
  async (broker) => {
    const [ada] = await broker.mesh("Ada");
    const peer = await broker.join(ada!);
    for (const content of [DEPLOY, ROLLBACK, RUNNERS, FRIDAY]) await remember(peer, content);
    const answer = await peer.request("recall", { query: "fridays maintenance kubernetes" });
    assert.equal(answer.matched, "any");
    assert.equal(answer.matches, 2);
    assert.deepEqual((answer.memories as Memory[]).map(({ content }) => content), [FRIDAY, DEPLOY]);
    assert.equal((await peer.request("recall", { query: "fridays" })).matched, "all");
    assert.equal((await peer.request("recall", { query: "" })).matched, "newest");
  },
);

brokerTest(
  "a word among the tags counts more than one in the text, and the newer of equals comes first",
  async (broker) => {
    const [ada] = await broker.mesh("Ada");
    const peer = await broker.join(ada!);
    const texts = ["billing first", "billing second", "third", "billing fourth"];
    for (const text of texts) {
      await remember(peer, text, { tags: text === "third" ? ["billing"] : [] });
    }
    assert.deepEqual(await contents(peer, "billing"), [
      "third",
      "billing fourth",
      "billing second",
      "billing first",
    ]);
    const page = await peer.request("recall", { query: "billing", limit: 2, offset: 1 });
    assert.deepEqual((page.memories as Memory[]).map(({ content }) => content), [
      "billing fourth",
      "billing second",
    ]);
    assert.equal(page.matches, 4);
    const past = await peer.request("recall", { query: "billing", offset: 4 });
    assert.deepEqual([past.memories, past.matches], [[], 4]);
  },
);

brokerTest("text is text: nothing that stands in it is taken for syntax", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const peer = await broker.join(ada!);
  const odd = `It's O'Brien's \\ "quoted" <-> 'x' & !y | (z):* %_; drop table mesh.memory --`;
  await remember(peer, odd, { tags: ["o'tag", "<b>", "a b"] });
  const queries = [
    "O'Brien's",
    "brien*",
    "\\",
    "'x' & !y",
    "drop;",
    "(z):*",
    "tag:o'tag",
    'tag:"a b"',
  ];
  for (const query of queries) {
    const found = await contents(peer, query);
    assert.deepEqual(found, [odd], query);
  }
  assert.deepEqual(await contents(peer, "tag:a"), []);
});

brokerTest(
  "a memory is changed and forgotten by its author and by admins, by nobody else",
  async (broker) => {
    const [ada, bob, cyd] = await broker.mesh("Ada", "Bob", { name: "Cyd", role: "admin" });
    const [owner, author, admin] = [
      await broker.join(ada!),
      await broker.join(bob!),
      await broker.join(cyd!),
    ];
    const mine = await remember(author, "Bob prefers tabs.");
    const theirs = await remember(owner, "Ada prefers spaces.");
    assert.equal((await author.request("forget", { memoryId: theirs })).code, "forbidden");
    const content = "nobody prefers anything";
    const overwrite = { content, memoryId: theirs };
    assert.equal((await author.request("remember", overwrite)).code, "forbidden");
    assert.deepEqual(await contents(author, "spaces"), ["Ada prefers spaces."]);

    const replaced = await author.request("remember", {
      content: "Bob prefers tabs since 2020.",
      memoryId: mine.slice(0, 10),
    });
    assert.deepEqual([replaced.id, replaced.replaced], [mine, true]);
    const [changed, ...others] = await recall(owner, "tabs");
    assert.deepEqual(others, []);
    assert.equal(changed?.content, "Bob prefers tabs since 2020.");
    assert.deepEqual([changed?.rememberedBy, changed?.updatedBy], ["Bob", "Bob"]);
    assert.equal((await recall(owner, ""))[0]?.id, mine, "what was changed is the newest");

    const forgotten = await admin.request("forget", { memoryId: mine.slice(0, 8) });
    assert.deepEqual([forgotten.type, forgotten.id], ["ack", mine]);
    assert.deepEqual(await contents(author, "tabs"), []);
    for (const type of ["forget", "remember"]) {
      assert.equal((await author.request(type, { content, memoryId: mine })).code, "not_found");
    }
    await broker.restart();
    assert.deepEqual(await contents(await broker.join(bob!), ""), ["Ada prefers spaces."]);
  },
);

brokerTest(
  "the beginning of an id that several have is refused with what they are",
  async (broker) => {
    const [ada] = await broker.mesh("Ada");
    const peer = await broker.join(ada!);
    for (const [index, content] of ["one thing", "another thing"].entries()) {
      const id = await remember(peer, content);
      await broker.sql.query("update mesh.memory set id = $2 where id = $1", [
        id,
        `same${index}end`,
      ]);
    }
    const refused = await peer.request("forget", { memoryId: "same" });
    assert.equal(refused.code, "ambiguous_prefix");
    assert.deepEqual(refused.candidates, ["same0end (one thing)", "same1end (another thing)"]);
    assert.equal((await peer.request("forget", { memoryId: "same1" })).id, "same1end");
    assert.equal((await peer.request("forget", { memoryId: "SAME" })).code, "not_found");
    assert.deepEqual(await contents(peer, ""), ["one thing"]);
  },
);

eachDriver("a memory with an end is gone at that time, and erased later", async (open) => {
  const { clock, move } = movableClock();
  const sql = await open();
  const broker = await TestBroker.start(sql, { clock });
  try {
    const [ada] = await broker.mesh("Ada");
    const peer = await broker.join(ada!);
    const stored = await peer.request("remember", { content: "ends soon", expiresInMs: 3_600_000 });
    assert.ok(Math.abs(Date.parse(String(stored.expiresAt)) - clock.now() - 3_600_000) < 60_000);
    const lasting = await remember(peer, "lasts");
    assert.equal((await recall(peer, "ends"))[0]?.expiresAt, stored.expiresAt);
    await keepMemories(broker.context);
    const ids = async () => (await sql.query("select id from mesh.memory")).map(({ id }) => id);
    assert.equal((await ids()).length, 2);
    move(3_600_000);
    assert.deepEqual(await contents(peer, ""), ["lasts"]);
    assert.equal((await peer.request("forget", { memoryId: stored.id })).code, "not_found");
    await keepMemories(broker.context);
    assert.deepEqual(await ids(), [lasting]);
    await peer.request("forget", { memoryId: lasting });
    await keepMemories(broker.context);
    assert.deepEqual(await ids(), [lasting], "what was forgotten by mistake is there for a while");
    move(broker.context.settings.limits.forgottenMemoryMs);
    await keepMemories(broker.context);
    assert.deepEqual(await ids(), []);
  } finally {
    await broker.close();
  }
});

brokerTest("a memory is good at its size and refused one byte past it", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const peer = await broker.join(ada!);
  const limit = broker.context.settings.limits.memoryBytes;
  const full = `needle ${"é".repeat((limit - 8) / 2)} `;
  await remember(peer, full);
  const refused = await peer.request("remember", { content: `${full}x` });
  assert.deepEqual([refused.code, refused.limit], ["too_large", limit]);
  assert.deepEqual(await contents(peer, "needle"), [full]);
  const tags = Array.from({ length: 33 }, (_, index) => `tag${index}`);
  assert.equal((await peer.request("remember", { content: "x", tags })).code, "invalid_argument");
  await remember(peer, "tagged", { tags: tags.slice(1) });
  const words = tags.join(" ");
  assert.equal((await peer.request("recall", { query: words })).code, "invalid_argument");
  assert.deepEqual(await contents(peer, tags.slice(1).join(" ")), ["tagged"]);
});

brokerTest(
  "a mesh that is full takes another memory when one was forgotten, and others are not concerned",
  async (broker) => {
    const [ada] = await broker.mesh("Ada");
    const [other] = await broker.mesh("Other");
    const peer = await broker.join(ada!);
    await remember(peer, "one");
    const two = await remember(peer, "two");
    const refused = await peer.request("remember", { content: "three" });
    assert.deepEqual([refused.code, refused.limit], ["limit", 2]);
    await remember(peer, "two, again", { memoryId: two });
    await remember(await broker.join(other!), "elsewhere");
    await peer.request("forget", { memoryId: two });
    await remember(peer, "three");
    await broker.restart();
    const again = await broker.join(ada!);
    assert.equal((await again.request("remember", { content: "four" })).code, "limit");
  },
  { limits: { memoriesPerMesh: 2 } },
);

eachDriver(
  "every configured language finds its forms, also in memories from before it was configured",
  async (open) => {
    const sql = await open();
    const before = await TestBroker.start(sql, { settings: { memoryLanguages: ["simple"] } });
    const [ada] = await before.mesh("Ada");
    const found = async (peer: TestPeer) => [
      await contents(peer, "Haus"),
      await contents(peer, "house"),
    ];
    try {
      const peer = await before.join(ada!);
      await remember(peer, "Die Häuser stehen an der Straße.");
      await remember(peer, "The houses stand at the street.");
      assert.deepEqual(await found(peer), [[], []]);
    } finally {
      await before.close();
    }
    const settings = { memoryLanguages: ["simple", "english", "german"] };
    const after = await TestBroker.start(sql, { settings });
    try {
      await keepMemories(after.context);
      const peer = await after.join(ada!);
      assert.deepEqual(await found(peer), [
        ["Die Häuser stehen an der Straße."],
        ["The houses stand at the street."],
      ]);
    } finally {
      await after.close();
    }
  },
);

eachDriver(
  "a language that the database does not have stops the start with those that it has",
  async (open) => {
    const dataDir = await Deno.makeTempDir({ prefix: "claudemesh-test-" });
    try {
      const settings = testSettings(dataDir, {
        settings: { memoryLanguages: ["simple", "klingon"] },
      });
      await assert.rejects(
        startBroker(settings, { sql: await open() }),
        /MEMORY_LANGUAGES has klingon,.*choose from .*\bdanish\b.*\bsimple\b/,
      );
    } finally {
      await Deno.remove(dataDir, { recursive: true });
    }
  },
);

brokerTest("many who remember at once are each given a place of their own", async (broker) => {
  const [ada, bob] = await broker.mesh("Ada", "Bob");
  const peers = [await broker.join(ada!), await broker.join(bob!)];
  const answers: Promise<Frame>[] = [];
  for (let index = 0; index < 60; index++) {
    answers.push(peers[index % 2]!.request("remember", { content: `note ${index}` }));
  }
  for (const answer of await Promise.all(answers)) assert.equal(answer.type, "memory_stored");
  const numbers = await broker.sql.query<{ number: number }>(
    "select number from mesh.memory order by number",
  );
  assert.deepEqual(numbers.map(({ number }) => number), [...Array(60).keys()]);
});
