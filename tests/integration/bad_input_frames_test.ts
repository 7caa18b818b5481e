/** Whatever a member sends, the broker answers each request once with a declared code, and goes on. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { ops } from "../../broker/api/catalog.ts";
import { COMMON_FAILS, type Op } from "../../broker/api/op.ts";
import { brokerTest } from "../support/broker.ts";
import { type Frame, helloFrame, type TestPeer } from "../support/peer.ts";

const DEPTH = 100_000;
const UNBOUNDED = { requestsPerMinute: 1_000_000, requestBurst: 1_000_000 };
/** These end the caller's own membership or connection, so nothing could be asked after them. */
const LAST_WORDS: ReadonlySet<string> = new Set(["leave_mesh"]);

const junk = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom<unknown>(
    "'); drop table mesh.member; --",
    "../../etc/passwd",
    "__proto__",
    "a".repeat(5_000),
    "\u0000",
    "\ud800",
    -1,
    1e308,
    Number.MAX_SAFE_INTEGER + 2,
    [],
    {},
    "0".repeat(64),
    "*",
    "@all",
  ),
);

/** Frames of a known type: the example with some fields replaced, left out or added. */
const hostile = fc.constantFrom(...ops.filter((op) => !LAST_WORDS.has(op.wire))).chain((op) =>
  fc.record({
    op: fc.constant(op),
    changed: fc.dictionary(fc.constantFrom(...Object.keys(op.input.shape), "extra"), junk),
    left: fc.subarray(Object.keys(op.example.input), { minLength: 0 }),
  })
);

function frameOf(op: Op, changed: object, left: readonly string[]): Frame {
  const kept = Object.entries(op.example.input).filter(([name]) => !left.includes(name));
  return { ...Object.fromEntries(kept), ...changed };
}

async function answerTo(peer: TestPeer, op: Op, input: Frame): Promise<Frame> {
  const answer = await peer.request(op.wire, input);
  const shown = `${op.wire} ${JSON.stringify(input).slice(0, 400)}: ${JSON.stringify(answer)}`;
  if (answer.type === "error") {
    assert.notEqual(answer.code, "internal", shown);
    const codes: readonly string[] = [...COMMON_FAILS, ...op.fails];
    assert.ok(codes.includes(String(answer.code)), shown);
  } else assert.equal(answer.type, op.reply, shown);
  return answer;
}

brokerTest(
  "every operation answers any input once, with its reply or a code that it declares",
  async (broker) => {
    const [ada] = await broker.mesh("Ada", "Bob");
    const peer = await broker.join(ada!);
    await fc.assert(
      fc.asyncProperty(hostile, async ({ op, changed, left }) => {
        await answerTo(peer, op, frameOf(op, changed, left));
      }),
      { numRuns: 400 },
    );
    // Answers that nobody waited for would still lie here.
    const answers = peer.frames.filter((frame) => frame._reqId !== undefined);
    assert.deepEqual(answers, []);
  },
  { limits: { ...UNBOUNDED, sendsPerMinute: 1_000_000, sendBurst: 1_000_000 } },
);

brokerTest("deeply nested JSON is refused, before the hello and after it", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const nested = `${"[".repeat(DEPTH)}${"]".repeat(DEPTH)}`;
  const stranger = await broker.socket();
  stranger.ws.send(`{"type":"hello","cwd":${nested}}`);
  assert.equal((await stranger.nextOf("error")).code, "malformed");
  assert.equal((await stranger.closed).code, 1008);
  const peer = await broker.join(ada!);
  peer.ws.send(nested);
  assert.equal((await peer.nextOf("error")).code, "malformed");
  peer.ws.send(`{"type":"set_summary","_reqId":"deep","summary":${nested}}`);
  const answer = await peer.next((frame) => frame._reqId === "deep");
  assert.equal(answer.code, "invalid_argument");
  peer.ws.send(`{"type":"mesh_info","_reqId":"extra","more":${nested}}`);
  assert.ok(await peer.next((frame) => frame._reqId === "extra"));
  assert.equal((await peer.request("mesh_info")).yourName, "Ada");
});

brokerTest("requests that follow a hello at once are answered after it", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const peer = await broker.socket();
  peer.send({ ...helloFrame(ada!), _reqId: "hello" });
  for (const _reqId of ["a", "b"]) peer.send({ type: "mesh_info", _reqId });
  for (const _reqId of ["hello", "a", "b"]) {
    assert.equal((await peer.next((frame) => frame._reqId !== undefined))._reqId, _reqId);
  }
});

brokerTest("a second hello is answered under its own id and changes nobody", async (broker) => {
  const [ada, bob] = await broker.mesh("Ada", "Bob");
  const peer = await broker.join(ada!);
  peer.send({ ...helloFrame(bob!), _reqId: "again" });
  const answer = await peer.next((frame) => frame._reqId === "again");
  assert.equal(answer.code, "already_hello");
  assert.equal((await peer.request("mesh_info")).yourName, "Ada");
});
