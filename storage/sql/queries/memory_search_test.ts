/** The search is answered by its index, whatever is asked for and however large the mesh and its neighbours are. */
import assert from "node:assert/strict";
import { eachDriver } from "../../../tests/support/sql.ts";
import type { Sql, SqlExecutor } from "../port.ts";
import {
  type MemorySearch,
  searchMemories,
  searchQuery,
  type SearchTerm,
} from "./memory_search.ts";
import { LEVELS, placesSql } from "./memory.ts";
import { insertMember, insertMesh } from "./mesh_creation.ts";

const LANGUAGES = ["simple", "english"];
const BIG = 10_000;
const SMALL = 3_000;
/** The newest span and the one before, of which one is needed for 500 matches. */
const MOST_READ = 2_048;

const SEARCH: Omit<MemorySearch, "query"> = {
  excluded: null,
  tags: [],
  excludedTags: [],
  nowMs: Date.now(),
  examined: 500,
  ranked: 200,
  limit: 20,
  offset: 0,
};

/** A mesh with an owner. */
async function found(sql: Sql, meshId: string): Promise<void> {
  await sql.transaction(async (tx) => {
    const ownerPubkey = meshId.padEnd(64, "0");
    const mesh = { id: meshId, slug: meshId, name: meshId, ownerPubkey, createdAtMs: 0 };
    await insertMesh(tx, { ...mesh, custody: "members" });
    await insertMember(tx, {
      id: `${meshId}owner`,
      meshId,
      pubkey: ownerPubkey,
      displayName: "Owner",
      role: "owner",
      roleTag: null,
      defaultGroups: [],
      messageMode: "push",
      proven: true,
      joinedAtMs: 0,
    });
  });
}

/** Writes memories with these numbers: all have "common", one in 1,000 has "rare", the first two have a phrase. */
async function write(sql: Sql, meshId: string, numbers: readonly number[]): Promise<void> {
  await sql.query(
    `insert into mesh.memory (mesh_id, id, number, content, tags, remembered_by,
        remembered_by_name, remembered_session, remembered_at, languages, search, places)
      select $1, 'id' || n, n, content, array['notes'], $1 || 'owner', 'Owner', 's', now(),
        'simple,english', to_tsvector('simple', content) || to_tsvector('english', content),
        ${placesSql("$1", "n", "array['notes']")}
      from unnest($2::int8[]) as n cross join lateral (
        select 'common words of note ' || n || case when n % 1000 = 0 then ' rare' else '' end ||
          case when n < 2 then ' exactly this order' else ' this order exactly' end as content
      ) as made`,
    [meshId, numbers],
  );
}

/** A mesh with `count` memories without a gap. */
async function fill(sql: Sql, meshId: string, count: number): Promise<void> {
  await found(sql, meshId);
  await write(sql, meshId, [...Array(count).keys()]);
}

/** The nodes of a plan. */
function nodesOf(plan: Record<string, unknown>): Record<string, unknown>[] {
  const children = (plan.Plans ?? []) as Record<string, unknown>[];
  return [plan, ...children.flatMap(nodesOf)];
}

/** Runs the statements of `sql` and keeps the plan of each. */
function explaining(sql: Sql): { executor: SqlExecutor; plans: Record<string, unknown>[] } {
  const plans: Record<string, unknown>[] = [];
  return {
    plans,
    executor: {
      async query<Row extends object>(text: string, params?: readonly unknown[]) {
        const [row] = await sql.query<{ "QUERY PLAN": { Plan: Record<string, unknown> }[] }>(
          `explain (analyze, format json) ${text}`,
          params,
        );
        plans.push(row!["QUERY PLAN"][0]!.Plan);
        return await sql.query<Row>(text, params);
      },
    },
  };
}

function term(text: string, kind: SearchTerm["kind"] = "word", excluded = false): SearchTerm {
  return { kind, text, excluded };
}

/** What is asked -> how many match, at most `ranked`. */
const CASES: readonly (readonly [string, readonly SearchTerm[], Partial<MemorySearch>, number])[] =
  [
    ["a word of every memory", [term("common")], {}, 200],
    ["a rare word", [term("rare")], {}, 10],
    ["the beginning of a word", [term("comm", "prefix")], {}, 200],
    ["a word that is nowhere", [term("nowhere")], {}, 0],
    ["a word and a tag", [term("rare")], { tags: ["notes"] }, 10],
    ["a tag", [], { tags: ["notes"] }, 200],
    ["nothing", [], {}, 200],
    ["a phrase of common words", [term("this order exactly", "phrase")], {}, 200],
    // Among the 500 newest with these words none has them in this order: no more are read.
    ["a phrase that only the oldest have", [term("exactly this order", "phrase")], {}, 0],
    ["a word without a word of every memory", [term("rare"), term("common", "word", true)], {}, 0],
    ["what has no tag", [term("common")], { excludedTags: ["notes"] }, 0],
  ];

eachDriver(
  "the index finds the newest matches of one mesh, and no more are read than are wanted",
  async (open) => {
    const sql = await open();
    await fill(sql, "big", BIG);
    await fill(sql, "small", SMALL);
    await sql.query("analyze mesh.memory");
    for (const [name, terms, asked, matches] of CASES) {
      const { executor, plans } = explaining(sql);
      const { all, excluded } = await searchQuery(sql, terms, LANGUAGES);
      const search = { ...SEARCH, query: all, excluded, ...asked };
      const found = await searchMemories(executor, "big", search);
      assert.equal(found.matches, matches, name);
      const nodes = plans.flatMap(nodesOf);
      assert.ok(nodes.some((node) => node["Index Name"] === "memory_search"), `${name}: no index`);
      for (const node of nodes) {
        assert.notEqual(node["Node Type"], "Seq Scan", `${name}: reads the whole table`);
      }
      const heap = nodes.find((node) => node["Node Type"] === "Bitmap Heap Scan");
      const read = Number(heap?.["Actual Rows"]) * Number(heap?.["Actual Loops"]);
      assert.ok(read <= MOST_READ, `${name}: reads ${read} memories`);
    }
  },
);

eachDriver("what another mesh has in front changes nothing", async (open) => {
  const sql = await open();
  await fill(sql, "small", SMALL);
  await fill(sql, "big", BIG);
  const search = { ...SEARCH, query: "'rare'" };
  assert.equal((await searchMemories(sql, "small", search)).matches, 3);
  assert.equal((await searchMemories(sql, "nobody", search)).matches, 0);
  const newest = await searchMemories(sql, "small", { ...search, query: null, limit: 2 });
  assert.deepEqual(newest.rows.map(({ id }) => id), ["id2999", "id2998"]);
});

eachDriver("every memory is found once, whatever the number of the newest is", async (open) => {
  const sql = await open();
  const edges = LEVELS.flatMap((span) => [1, 2, 3, 4, 5, 7, 8, 9].map((times) => span * times))
    .flatMap((edge) => [edge - 1, edge]);
  const numbers = [...new Set([0, ...edges])].toSorted((a, b) => a - b);
  await found(sql, "mesh");
  for (const [index, number] of numbers.entries()) {
    await write(sql, "mesh", [number]);
    for (const query of ["'common'", "'comm':*", null]) {
      const { matches } = await searchMemories(sql, "mesh", { ...SEARCH, query });
      assert.equal(matches, index + 1, `${query} up to ${number}`);
    }
  }
});
