/** The conformance suite: what every driver of the `Vectors` port does, and does alike. */
import assert from "node:assert/strict";
import { randomId } from "../../crypto/random.ts";
import { eachVectors, pointAt, ROOMY } from "../../tests/support/vectors.ts";
import { type Point, type Vectors, VectorsError } from "./port.ts";

const KIND = { embedding: "test", dimensions: 4 };
const EAST = [1, 0, 0, 0];
const NORTH = [0, 1, 0, 0];
const NORTH_EAST = [1, 1, 0, 0];
const WEST = [-1, 0, 0, 0];

async function failureOf(promise: Promise<unknown>): Promise<VectorsError> {
  try {
    await promise;
  } catch (error) {
    assert.ok(error instanceof VectorsError, `not a VectorsError: ${error}`);
    return error;
  }
  return assert.fail("nothing was thrown");
}

/** A collection of the points, with a name of its own. */
async function filled(vectors: Vectors, meshId: string, points: readonly Point[]): Promise<string> {
  const name = randomId();
  assert.equal(await vectors.store(meshId, name, KIND, points, ROOMY), points.length);
  return name;
}

function query(vector: readonly number[], more: object = {}) {
  return { vector: Float32Array.from(vector), limit: 10, skip: 0, filter: null, ...more };
}

async function foundIds(...[vectors, meshId, name, asked]: [Vectors, string, string, object]) {
  const found = await vectors.search(meshId, name, asked as ReturnType<typeof query>);
  return found.map(({ id }) => id);
}

eachVectors(
  "points come back whole, nearest first, with the cosine as score",
  async (vectors, meshId) => {
    const metadata = { lang: "en", tags: ["a", 'quote " and \\'], deep: { n: 1.5, none: null } };
    const name = await filled(vectors, meshId, [
      pointAt("east", EAST, { text: "Größe 🧵\n'; drop table", metadata, storedBy: "Bob" }),
      pointAt("between", [100, 100, 0, 0]),
      pointAt("north", NORTH),
      pointAt("west", WEST),
    ]);
    const found = await vectors.search(meshId, name, query([1e-6, 0, 0, 0]));
    assert.deepEqual(found.map(({ id }) => id), ["east", "between", "north", "west"]);
    const scores = [1, Math.SQRT1_2, 0, -1];
    found.forEach(({ score }, index) => {
      assert.ok(Math.abs(score - scores[index]!) < 0.002, `${score} is not ${scores[index]}`);
    });
    const { score: _score, ...east } = found[0]!;
    assert.deepEqual(east, {
      id: "east",
      text: "Größe 🧵\n'; drop table",
      metadata,
      storedBy: "Bob",
      storedAtMs: 1_790_000_000_000,
    });
  },
);

eachVectors("limit and skip choose among the nearest", async (vectors, meshId) => {
  const name = await filled(
    vectors,
    meshId,
    [0, 10, 20, 30].map((x) => pointAt(`p${x}`, [10, x, 0, 0])),
  );
  assert.deepEqual(await foundIds(vectors, meshId, name, query(EAST, { limit: 2 })), ["p0", "p10"]);
  assert.deepEqual(
    await foundIds(vectors, meshId, name, query(EAST, { limit: 2, skip: 1 })),
    ["p10", "p20"],
  );
  assert.deepEqual(await foundIds(vectors, meshId, name, query(EAST, { skip: 4 })), []);
});

eachVectors("a point of a known id takes the place of the old one", async (vectors, meshId) => {
  const name = await filled(vectors, meshId, [pointAt("a", EAST), pointAt("b", NORTH)]);
  const again = [pointAt("b", WEST, { text: "new", metadata: { v: 2 } }), pointAt("c", NORTH_EAST)];
  assert.equal(await vectors.store(meshId, name, KIND, again, ROOMY), 1);
  const found = await vectors.search(meshId, name, query(WEST));
  assert.deepEqual(found.map(({ id, text }) => [id, text]), [
    ["b", "new"],
    ["c", "text of c"],
    ["a", "text of a"],
  ]);
  assert.equal((await vectors.collection(meshId, name))?.points, 3);
});

const FILTERED: readonly (readonly [filter: object, ids: string[]])[] = [
  [{}, ["doc", "list", "deep", "bare"]],
  [{ lang: "en" }, ["doc", "list"]],
  [{ lang: "EN" }, []],
  [{ lang: "en", n: 1 }, ["doc"]],
  [{ n: 1.0 }, ["doc"]],
  [{ n: "1" }, ["deep"]],
  [{ flag: true }, ["doc"]],
  [{ flag: false }, ["list"]],
  [{ none: null }, ["deep"]],
  [{ tags: ["b", "a"] }, ["list"]],
  [{ tags: ["c", "x"] }, []],
  [{ tags: "a" }, []],
  [{ tags: [] }, ["list", "deep"]],
  [{ lang: ["en"] }, []],
  [{ at: { x: { y: 2 } } }, ["deep"]],
  [{ at: { x: {} } }, ["deep"]],
  [{ at: {} }, ["deep"]],
  [{ "at.x": 1 }, ["bare"]],
  [{ 'we"ird[]': "'" }, ["bare"]],
  [{ missing: 1 }, []],
];

eachVectors("a filter lets through what contains it, and nothing else", async (vectors, meshId) => {
  const name = await filled(vectors, meshId, [
    pointAt("doc", [10, 1, 0, 0], { metadata: { lang: "en", n: 1, flag: true } }),
    pointAt("list", [10, 2, 0, 0], { metadata: { lang: "en", flag: false, tags: ["a", "b", 3] } }),
    pointAt("deep", [10, 3, 0, 0], {
      metadata: { n: "1", none: null, tags: [], at: { x: { y: 2, z: 3 } } },
    }),
    pointAt("bare", [10, 4, 0, 0], { metadata: { "at.x": 1, 'we"ird[]': "'" } }),
  ]);
  for (const [filter, ids] of FILTERED) {
    const found = await foundIds(vectors, meshId, name, query(EAST, { filter }));
    assert.deepEqual(found, ids, JSON.stringify(filter));
  }
});

eachVectors(
  "points that are removed are gone, and the collection with the last",
  async (vectors, meshId) => {
    const name = await filled(vectors, meshId, [
      pointAt("a", EAST),
      pointAt("b", NORTH),
      pointAt("c", WEST),
    ]);
    assert.equal(await vectors.remove(meshId, name, ["a", "nobody"]), 1);
    assert.equal(await vectors.remove(meshId, name, ["a"]), 0);
    assert.deepEqual(await foundIds(vectors, meshId, name, query(NORTH)), ["b", "c"]);
    assert.equal((await vectors.collection(meshId, name))?.points, 2);
    assert.equal(await vectors.remove(meshId, name, ["b", "c"]), 2);
    assert.equal(await vectors.collection(meshId, name), null);
    const absent = [
      () => vectors.search(meshId, name, query(EAST)),
      () => vectors.remove(meshId, name, ["b"]),
      () => vectors.count(meshId, name, ["b"]),
      () => vectors.drop(meshId, name),
    ];
    for (const call of absent) assert.equal((await failureOf(call())).kind, "absent");
    // Its name is free for another kind.
    const other = { embedding: "other", dimensions: 2 };
    await vectors.store(meshId, name, other, [pointAt("z", [1, 2])], ROOMY);
    assert.equal((await vectors.collection(meshId, name))?.dimensions, 2);
  },
);

eachVectors("a dropped collection is gone with all its points", async (vectors, meshId) => {
  const name = await filled(vectors, meshId, [pointAt("a", EAST), pointAt("b", NORTH)]);
  assert.equal(await vectors.drop(meshId, name), 2);
  assert.equal(await vectors.collection(meshId, name), null);
  assert.equal(await vectors.store(meshId, name, KIND, [pointAt("a", EAST)], ROOMY), 1);
  assert.deepEqual(await foundIds(vectors, meshId, name, query(NORTH)), ["a"]);
});

eachVectors(
  "a collection keeps to the embedding and dimensions of its first point",
  async (vectors, meshId) => {
    const name = await filled(vectors, meshId, [pointAt("a", EAST)]);
    const attempts = [
      () => vectors.store(meshId, name, { ...KIND, embedding: "x" }, [pointAt("b", EAST)], ROOMY),
      () => vectors.store(meshId, name, { ...KIND, dimensions: 2 }, [pointAt("b", [1, 0])], ROOMY),
      () => vectors.search(meshId, name, query([1, 0])),
    ];
    for (const attempt of attempts) assert.equal((await failureOf(attempt())).kind, "mismatch");
    assert.equal((await vectors.collection(meshId, name))?.points, 1);
  },
);

eachVectors(
  "names that look alike, and any characters, are collections of their own",
  async (vectors, meshId) => {
    const unique = randomId();
    const names = ["Notes", "notes", "no tes", "no_tes", 'n"; drop schema', "ノート", "a.b"]
      .map((name) => `${unique} ${name}`);
    for (const name of names) {
      await vectors.store(meshId, name, KIND, [pointAt(name, EAST)], ROOMY);
    }
    for (const name of names) {
      assert.deepEqual(await foundIds(vectors, meshId, name, query(EAST)), [name]);
    }
    const listed = (await vectors.collections(meshId)).filter(({ name }) =>
      name.startsWith(unique)
    );
    assert.deepEqual(listed.map(({ name }) => name), [...names].sort());
    for (const each of listed) {
      assert.equal(each.points, 1);
      assert.equal(each.embedding, "test");
      assert.ok(Math.abs(each.createdAtMs - Date.now()) < 60_000);
    }
  },
);

eachVectors("ids are told apart exactly", async (vectors, meshId) => {
  const ids = ["a", "A", "a ", "á", "b/c?d=1#e", "0", "00"];
  const name = await filled(vectors, meshId, ids.map((id) => pointAt(id, EAST)));
  assert.equal(await vectors.remove(meshId, name, ["A"]), 1);
  const left = await foundIds(vectors, meshId, name, query(EAST));
  assert.deepEqual(left.sort(), ids.filter((id) => id !== "A").sort());
});

eachVectors("nothing of one mesh is seen from another", async (vectors, meshId) => {
  const name = await filled(vectors, meshId, [pointAt("a", EAST)]);
  const other = randomId();
  assert.deepEqual(await vectors.collections(other), []);
  assert.equal((await failureOf(vectors.search(other, name, query(EAST)))).kind, "absent");
  assert.equal((await failureOf(vectors.remove(other, name, ["a"]))).kind, "absent");
  await vectors.store(other, name, { ...KIND, dimensions: 2 }, [pointAt("z", [1, 0])], ROOMY);
  assert.deepEqual(await foundIds(vectors, meshId, name, query(EAST)), ["a"]);
  await vectors.drop(other, name);
  assert.equal((await vectors.collection(meshId, name))?.points, 1);
});

eachVectors(
  "a mesh keeps as many points and collections as it may, and not one more",
  async (vectors) => {
    const meshId = randomId();
    const tight = { collections: 2, points: 3 };
    const store = (name: string, ...ids: string[]) =>
      vectors.store(meshId, name, KIND, ids.map((id) => pointAt(id, EAST)), tight);
    await store("one", "a", "b");
    await store("two", "c");
    assert.equal((await failureOf(store("three", "d"))).kind, "collections");
    assert.equal((await failureOf(store("two", "d"))).kind, "points");
    assert.equal((await failureOf(store("one", "a", "d"))).kind, "points");
    assert.equal(await store("one", "a", "b"), 0);
    assert.equal(await vectors.remove(meshId, "two", ["c"]), 1);
    assert.equal(await store("three", "d"), 1);
    for (const name of ["one", "three"]) await vectors.drop(meshId, name);
  },
);

eachVectors("stores at the same time all count", async (vectors, meshId) => {
  const name = randomId();
  const ids = Array.from({ length: 12 }, (_, index) => `p${index}`);
  const fresh = await Promise.all(
    ids.map((id) => vectors.store(meshId, name, KIND, [pointAt(id, EAST)], ROOMY)),
  );
  assert.deepEqual(fresh, ids.map(() => 1));
  assert.equal((await vectors.collection(meshId, name))?.points, ids.length);
});

eachVectors(
  "directions of a few and of thousands of dimensions are told apart",
  async (vectors, meshId) => {
    for (const dimensions of [1, 3, 1_000, 4_096]) {
      const name = randomId();
      const kind = { embedding: "test", dimensions };
      const axis = (at: number) =>
        Array.from({ length: dimensions }, (_, index) => +(index === at));
      const points = [pointAt("first", axis(0)), pointAt("last", axis(dimensions - 1))].slice(
        0,
        dimensions,
      );
      await vectors.store(meshId, name, kind, points, ROOMY);
      const found = await foundIds(vectors, meshId, name, query(axis(0)));
      assert.deepEqual(found, points.map(({ id }) => id), `${dimensions} dimensions`);
    }
  },
);

/** A direction near one of 20 corners, made from its number alone. */
function scattered(number: number): number[] {
  return Array.from(
    { length: 32 },
    (_, axis) => 3 * Math.sin((number % 20 + 1) * (axis + 1) * 1.7) + Math.sin(number * (axis + 3)),
  );
}

eachVectors(
  "among thousands the nearest are found, with and without a filter",
  async (vectors, meshId) => {
    const name = randomId();
    const kind = { embedding: "test", dimensions: 32 };
    const points = Array.from(
      { length: 4_000 },
      (_, number) =>
        pointAt(`p${number}`, scattered(number), {
          // "rare" are few and lie together, far from what is searched for.
          metadata: {
            half: number % 2 === 0,
            eleventh: number % 11 === 3,
            rare: number % 400 === 7,
          },
        }),
    );
    for (let start = 0; start < points.length; start += 500) {
      await vectors.store(meshId, name, kind, points.slice(start, start + 500), ROOMY);
    }
    const asked = scattered(40.3);
    const exact = (kept: readonly Point[]) =>
      kept.map(({ id, vector }) => ({ id, score: cosine(vector, asked) }))
        .sort((a, b) => b.score - a.score).slice(0, 10).map(({ id }) => id);
    const cases = [
      [null, points],
      [{ half: true }, points.filter((_, number) => number % 2 === 0)],
      [{ eleventh: true }, points.filter((_, number) => number % 11 === 3)],
      [{ rare: true }, points.filter((_, number) => number % 400 === 7)],
    ] as const;
    for (const [filter, kept] of cases) {
      const found = new Set(await foundIds(vectors, meshId, name, query(asked, { filter })));
      const nearest = exact(kept);
      const hits = nearest.filter((id) => found.has(id)).length;
      assert.equal(found.size, nearest.length);
      assert.ok(hits >= 0.9 * nearest.length, `${hits} of ${nearest.length} found`);
    }
  },
);

function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [product, squareA, squareB] = [0, 0, 0];
  for (let at = 0; at < a.length; at++) {
    product += a[at]! * b[at]!;
    squareA += a[at]! ** 2;
    squareB += b[at]! ** 2;
  }
  return product / Math.sqrt(squareA * squareB);
}
