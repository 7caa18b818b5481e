/** Values of Neo4j's driver, made by the driver itself. */
import assert from "node:assert/strict";
import neo4j from "neo4j-driver";
import { neo4jValue } from "./neo4j_values.ts";

Deno.test("neo4jValue() makes plain JSON of every kind of value", () => {
  const { Node, Relationship, Path, PathSegment, Integer, Date: Day, Duration } = neo4j.types;
  const int = neo4j.int;
  const ada = new Node(int(1), ["Person"], { born: int(1815) }, "4:x:1");
  const bob = new Node(int(2), [], {}, "4:x:2");
  const knows = new Relationship(
    int(3),
    int(1),
    int(2),
    "KNOWS",
    { a: [1.5] },
    "5:x:3",
    "4:x:1",
    "4:x:2",
  );
  const shownAda = { id: "4:x:1", labels: ["Person"], properties: { born: 1815 } };
  const shownBob = { id: "4:x:2", labels: [], properties: {} };
  const shownKnows = {
    id: "5:x:3",
    type: "KNOWS",
    start: "4:x:1",
    end: "4:x:2",
    properties: { a: [1.5] },
  };
  assert.deepEqual(neo4jValue([ada, knows]), [shownAda, shownKnows]);
  assert.deepEqual(neo4jValue(new Path(ada, bob, [new PathSegment(ada, knows, bob)])), {
    nodes: [shownAda, shownBob],
    relationships: [shownKnows],
  });
  assert.deepEqual(neo4jValue(Integer.fromString("9007199254740993")), "9007199254740993");
  assert.deepEqual(neo4jValue({ a: null, b: NaN, c: true, low: 1, high: 2 }), {
    a: null,
    b: "NaN",
    c: true,
    low: 1,
    high: 2,
  });
  assert.equal(neo4jValue(new Day(2026, 11, 21)), "2026-11-21");
  assert.equal(neo4jValue(new Duration(0, 1, 2, 0)), "P1DT2S");
});
