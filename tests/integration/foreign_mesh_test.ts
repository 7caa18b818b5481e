/**
 * What belongs to one mesh never reaches another: every operation of the catalog, called with whatever another mesh's rows
 * hold, tells nothing of it and changes nothing there.
 */
import assert from "node:assert/strict";
import { ops } from "../../broker/api/catalog.ts";
import type { Op } from "../../broker/api/op.ts";
import { randomId } from "../../crypto/random.ts";
import type { TestBroker } from "../support/broker.ts";
import { misleading, type Place, placesOf, replaced } from "../support/foreign_inputs.ts";
import { asked, furnish, type FurnishedMesh, withRoomyBroker } from "../support/furnished_mesh.ts";
import { changedTables, LAZY_TABLES, type MeshRows, meshRows } from "../support/mesh_rows.ts";
import type { Frame } from "../support/peer.ts";
import { eachDriver } from "../support/sql.ts";
import {
  answerTo,
  stableReads,
  texts,
  type ValidCall,
  validCall,
  validCalls,
} from "../support/valid_calls.ts";

/** These end the caller's own membership, so nothing could be asked after them. */
const LAST_WORDS: ReadonlySet<string> = new Set(["leave_mesh"]);
const AT_ONCE = 16;
/** The broker writes these by itself as time goes on. */
const BROKERS_OWN: ReadonlySet<string> = new Set(["presence", "peer_state", "member_stats"]);
/** Values of fewer characters may be equal by chance. */
const TELLING_CHARS = 12;
const PREFIX_CHARS = 8;
/** No id, key or name is longer. */
const NAME_CHARS = 64;

/** What another mesh's members must not learn. */
class Foreign {
  readonly mesh: FurnishedMesh;
  /** Values to call operations with: one of each kind. */
  readonly samples: readonly string[];
  /** What tells of the mesh and was not sent yet. */
  readonly #untold: Set<string>;

  /**
   * @param names what the mesh alone has beside what its rows tell.
   * @param known values that both meshes have.
   */
  constructor(
    mesh: FurnishedMesh,
    names: readonly string[],
    rows: MeshRows,
    known: ReadonlySet<string>,
  ) {
    this.mesh = mesh;
    const samples = new Map<string, string>();
    this.#untold = new Set(names);
    for (const { kind, value } of valuesOf(rows)) {
      if (known.has(value) || this.#isContent(value)) continue;
      if (value.length >= TELLING_CHARS) this.#untold.add(value);
      if (value.length <= NAME_CHARS) samples.set(kind, value);
    }
    const whole = [...new Set(samples.values()), ...names];
    const ids = whole.filter((value) => /^[A-Za-z0-9]{32}$/.test(value));
    this.samples = [...ids.map((id) => id.slice(0, PREFIX_CHARS)), ...whole];
  }

  sent(value: string): void {
    this.#untold.delete(value);
  }

  /** Fails when a frame says something of the mesh that was not said to the broker before. */
  requireUntold(frame: Frame): void {
    const text = JSON.stringify(frame);
    assert.ok(!this.#isContent(text), `content of another mesh: ${text}`);
    for (const value of this.#untold) assert.ok(!text.includes(value), `${value} in ${text}`);
  }

  #isContent(text: string): boolean {
    return text.toLowerCase().includes(this.mesh.secret.toLowerCase());
  }
}

/** A text of a mesh's rows. */
interface Value {
  readonly value: string;
  /** Its table and column, and the state that the row is in, where rows have one. */
  readonly kind: string;
}

/** Every text in a mesh's rows; times and short words are left out. */
function* valuesOf(rows: MeshRows): Generator<Value> {
  for (const [table, texts] of rows) {
    for (const text of texts) {
      const row = JSON.parse(text);
      yield* textsIn(row, `${table} ${row.state ?? row.status ?? row.role ?? ""} `);
    }
  }
}

function* textsIn(value: unknown, kind: string): Generator<Value> {
  if (typeof value === "string" && value.length >= 4 && Number.isNaN(Date.parse(value))) {
    yield { kind, value };
  }
  if (typeof value !== "object" || value === null) return;
  for (const [name, inner] of Object.entries(value)) {
    yield* textsIn(inner, Array.isArray(value) ? kind : `${kind}.${name}`);
  }
}

/** Things that one mesh alone has, beside those of which each has one of the same name. */
async function addOwnNames({ ada }: FurnishedMesh): Promise<string[]> {
  const name = `only${randomId()}`.toLowerCase();
  await asked(ada, "set_state", { key: name, value: 1 });
  await asked(ada, "create_stream", { name });
  await asked(ada, "share_skill", { name, description: name, instructions: name });
  await asked(ada, "join_group", { name });
  await asked(ada, "vector_store", { collection: name, text: name, id: name });
  await asked(ada, "mesh_execute", { sql: `CREATE TABLE ${name} (n int)` });
  return [name];
}

/** Calls an operation in one's own mesh with foreign values at each place that takes them. */
async function callWithForeign(
  op: Op,
  own: FurnishedMesh,
  foreign: Foreign,
  isName: (text: string) => boolean,
): Promise<void> {
  const { peer, input } = await validCall(op, own);
  const lures = misleading(foreign.mesh.meshId, foreign.mesh.members.Ada.id);
  for (const place of placesOf(op, input)) {
    const samples = samplesFor(place, foreign.samples, isName);
    for (let begin = 0; begin < samples.length; begin += AT_ONCE) {
      await Promise.all(
        samples.slice(begin, begin + AT_ONCE).map(async (value) => {
          const changed = replaced(op, input, place, value);
          if (changed === null) return;
          foreign.sent(value);
          foreign.requireUntold(await answerTo({ op, peer, input: { ...lures, ...changed } }));
        }),
      );
    }
  }
  foreign.requireUntold(await answerTo({ op, peer, input: { ...lures, ...input } }));
}

/** All values where a name or an id stands, or where nothing does; one where any text would do. */
function samplesFor(
  { text }: Place,
  samples: readonly string[],
  isName: (text: string) => boolean,
): readonly string[] {
  return text === null || text === "" || isName(text) ? samples : samples.slice(0, 1);
}

/** What people have heard until now does not matter. */
async function forgetFrames({ ada, bob, hal }: FurnishedMesh): Promise<void> {
  for (const peer of [ada, bob, hal]) {
    await peer.settled();
    peer.frames.length = 0;
  }
}

/** What the other mesh's people hear and find must be as it was. */
async function requireUntouched(
  broker: TestBroker,
  { ada, bob, hal, meshId }: FurnishedMesh,
  before: MeshRows,
  reads: ReadonlyMap<ValidCall, string>,
): Promise<void> {
  for (const peer of [ada, bob, hal]) {
    await peer.settled();
    assert.deepEqual(peer.frames, [], "nobody of the other mesh hears anything");
  }
  await broker.context.delivery.flush();
  const after = await meshRows(broker.sql, meshId, BROKERS_OWN);
  for (const table of changedTables(before, after)) {
    assert.deepEqual(after.get(table), before.get(table), table);
  }
  const now = await texts(reads.keys());
  for (const [call, text] of reads) assert.equal(now.get(call), text, call.op.wire);
}

eachDriver("no operation tells or changes what is another mesh's", async (open) => {
  await withRoomyBroker(await open(), async (broker) => {
    const { sql } = broker;
    const [theirs, own] = [await furnish(broker), await furnish(broker)];
    const names = await addOwnNames(theirs);
    const reads = await stableReads(await validCalls(theirs));
    const everything = await meshRows(sql, theirs.meshId);
    const empty = [...everything].filter(([, rows]) => rows.length === 0).map(([table]) => table);
    assert.deepEqual(empty, [], "furnish() makes something of each kind");
    const ownRows = await meshRows(sql, own.meshId);
    const ownValues = new Set([...valuesOf(ownRows)].map(({ value }) => value));
    const foreign = new Foreign(theirs, names, everything, ownValues);
    await forgetFrames(theirs);
    const before = await meshRows(sql, theirs.meshId, BROKERS_OWN);
    for (const op of ops) {
      if (!LAST_WORDS.has(op.wire)) {
        await callWithForeign(op, own, foreign, (text) => ownValues.has(text));
      }
    }
    for (const { frames } of [own.ada, own.bob, own.hal]) {
      frames.forEach((each) => foreign.requireUntold(each));
    }
    await requireUntouched(broker, theirs, before, reads);
  });
});

eachDriver("what two meshes call alike is each one's own", async (open) => {
  await withRoomyBroker(await open(), async (broker) => {
    const theirs = await furnish(broker);
    const reads = await stableReads(await validCalls(theirs));
    await forgetFrames(theirs);
    const before = await meshRows(broker.sql, theirs.meshId, BROKERS_OWN);
    const own = await furnish(broker);
    for (const op of ops) {
      const call = await validCall(op, own);
      const answer = await answerTo(call);
      assert.equal(answer.type, op.reply, `${op.wire}: ${JSON.stringify(answer)}`);
      assert.ok(!JSON.stringify(answer).includes(theirs.secret), op.wire);
    }
    const heard = JSON.stringify([own.ada.frames, own.bob.frames]);
    assert.ok(!heard.includes(theirs.secret), heard);
    await requireUntouched(broker, theirs, before, reads);
  });
});

eachDriver("what is for owners and admins is refused to a plain member", async (open) => {
  await withRoomyBroker(await open(), async (broker) => {
    const mesh = await furnish(broker);
    const calls = (await validCalls(mesh)).filter(({ op }) => op.grant !== "member");
    assert.ok(calls.length > 0);
    const before = await meshRows(broker.sql, mesh.meshId, LAZY_TABLES);
    for (const call of calls) {
      const answer = await answerTo({ ...call, peer: mesh.bob });
      assert.equal(answer.code, "forbidden", `${call.op.wire}: ${JSON.stringify(answer)}`);
    }
    assert.deepEqual(
      changedTables(before, await meshRows(broker.sql, mesh.meshId, LAZY_TABLES)),
      [],
    );
  });
});
