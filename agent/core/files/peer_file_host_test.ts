/** Tests of reading a peer's files between two agents, with a broker in between that can do what it likes. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { LIMITS } from "../../../broker/api/limits.ts";
import { generateKeyPair } from "../../../crypto/sign.ts";
import { systemClock } from "../agent_clock.ts";
import type { MeshPeerApi } from "../mesh_peer_api.ts";
import { OwnGrants } from "./own_grants.ts";
import {
  type ForwardedQuestion,
  type HostAnswer,
  PeerFileHost,
  type ServedFile,
} from "./peer_file_host.ts";
import { PeerFileReader } from "./peer_file_reader.ts";
import { SharedFolders } from "./shared_folders.ts";

const PART = LIMITS.peerFileChunkBytes.value;

interface Pair {
  readonly root: string;
  readonly host: PeerFileHost;
  readonly reader: PeerFileReader;
  readonly folders: SharedFolders;
  readonly grants: OwnGrants;
  readonly served: ServedFile[];
  readonly ada: { memberKey: string; name: string };
  readonly bobKey: string;
  /** What the broker makes of a question; null: it lets it be. */
  meddle: (question: ForwardedQuestion) => ForwardedQuestion | null;
  /** What the broker makes of an answer. */
  forge: (answer: HostAnswer) => HostAnswer;
  /** Every question as it passed. */
  readonly questions: ForwardedQuestion[];
}

/** Ada shares a folder, Bob may read it. */
async function withPair(
  run: (pair: Pair) => Promise<void>,
  clocks: { bob?: () => number; hostname?: string } = {},
): Promise<void> {
  const base = await Deno.realPath(await Deno.makeTempDir());
  const [root, state] = [join(base, "project"), join(base, "home/state/mesh1")];
  await Deno.mkdir(root);
  await Deno.mkdir(state, { recursive: true });
  const [ada, bob] = [generateKeyPair(), generateKeyPair()];
  const folders = new SharedFolders(state);
  await folders.add(root, new Date());
  const grants = new OwnGrants(state);
  grants.note({ [bob.publicKey]: ["file-read"] });
  const served: ServedFile[] = [];
  const host = new PeerFileHost({
    meshId: "mesh1",
    member: ada,
    folders,
    grants,
    clock: systemClock,
    hostname: "adas-machine",
    onServed: (each) => served.push(each),
  });
  const questions: ForwardedQuestion[] = [];
  const call = async (_op: unknown, input: { requestId: string; sealed: string }) => {
    const question = { ...input, requesterPubkey: bob.publicKey };
    questions.push(question);
    const forwarded = pair.meddle(question);
    if (forwarded === null) return {};
    const answer = pair.forge(await host.answer(forwarded));
    const { requestId } = question;
    reader.take({
      type: "peer_file_response_forward",
      requestId,
      targetPubkey: ada.publicKey,
      ...answer,
    });
    return {};
  };
  const reader = new PeerFileReader({
    meshId: "mesh1",
    member: bob,
    clock: { ...systemClock, now: clocks.bob ?? systemClock.now },
    hostname: clocks.hostname ?? "bobs-machine",
    call: call as unknown as MeshPeerApi["call"],
  });
  const pair: Pair = {
    root,
    host,
    reader,
    folders,
    grants,
    served,
    ada: { memberKey: ada.publicKey, name: "Ada" },
    bobKey: bob.publicKey,
    meddle: (question) => question,
    forge: (answer) => answer,
    questions,
  };
  try {
    await run(pair);
  } finally {
    await Deno.remove(base, { recursive: true });
  }
}

async function readWhole({ reader, ada }: Pair, path: string): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  await reader.whole(ada, path, (content) => {
    parts.push(content);
    return Promise.resolve();
  });
  return new Uint8Array(await new Blob(parts as Uint8Array<ArrayBuffer>[]).arrayBuffer());
}

async function fails(reading: Promise<unknown>, code: string, words: RegExp): Promise<void> {
  await assert.rejects(reading, (error) => {
    const { code: given, message } = error as { code?: unknown; message: string };
    assert.equal(given, code, message);
    assert.match(message, words);
    return true;
  });
}

Deno.test("files of every length come over whole", () =>
  withPair(async (pair) => {
    for (const length of [0, 1, PART - 1, PART, PART + 1, 3 * PART]) {
      const content = Uint8Array.from({ length }, (_, index) => (index * 7 + (index >> 9)) & 0xff);
      await Deno.writeFile(join(pair.root, "data.bin"), content);
      assert.deepEqual(await readWhole(pair, "data.bin"), content, `${length}`);
    }
  }));

Deno.test("a listing comes over, and both are told to the owner, a file once", () =>
  withPair(async (pair) => {
    const { reader, ada, root, served, bobKey: by } = pair;
    await Deno.writeFile(join(root, "data.bin"), new Uint8Array(2 * PART));
    const { entries } = await reader.list(ada, "", "*.bin");
    assert.deepEqual(entries, [{ path: "data.bin", kind: "file", sizeBytes: 2 * PART }]);
    await readWhole(pair, "data.bin");
    await fails(readWhole(pair, ".env"), "forbidden", /hidden/);
    assert.deepEqual(served, [
      { by, do: "list", path: "", refused: null },
      { by, do: "read", path: "data.bin", refused: null },
      { by, do: "read", path: ".env", refused: "forbidden" },
    ]);
  }));

Deno.test("without a grant, or with nothing shared, the answer is the same", () =>
  withPair(async (pair) => {
    const { root, folders, grants, bobKey, served } = pair;
    await Deno.writeTextFile(join(root, "plan.txt"), "plan");
    grants.note({ [bobKey]: ["dm", "read"] });
    await fails(readWhole(pair, "plan.txt"), "forbidden", /Ada lets you read no files/);
    grants.note({ [bobKey]: ["file-read"] });
    await folders.remove(root);
    await fails(readWhole(pair, "plan.txt"), "forbidden", /Ada lets you read no files/);
    assert.deepEqual(served, []);
  }));

Deno.test("refusals come with the peer's words, marked as the peer's", () =>
  withPair(async (pair) => {
    await Deno.mkdir(join(pair.root, "docs"));
    await fails(readWhole(pair, "none.txt"), "not_found", /^Ada's agent says: .*none\.txt/);
    await fails(readWhole(pair, "docs"), "invalid_argument", /is a folder/);
    await fails(readWhole(pair, "../x"), "forbidden", /leads out/);
    await fails(pair.reader.list(pair.ada, "none", null), "not_found", /none/);
  }));

Deno.test("a file that changes between two parts is not put together", () =>
  withPair(async (pair) => {
    const path = join(pair.root, "data.bin");
    await Deno.writeFile(path, new Uint8Array(2 * PART));
    let parts = 0;
    const reading = pair.reader.whole(pair.ada, "data.bin", async () => {
      parts++;
      await Deno.writeFile(path, new Uint8Array(2 * PART + 1).fill(1));
    });
    await fails(reading, "conflict", /has changed/);
    assert.equal(parts, 1);
  }));

Deno.test("where a file lies is told to a machine of the same name alone", async () => {
  for (const hostname of ["adas-machine", "another"]) {
    await withPair(async ({ root, reader, ada }) => {
      await Deno.writeTextFile(join(root, "plan.txt"), "plan");
      const { part } = await reader.part(ada, "plan.txt", 0);
      assert.equal(part.hostPath, hostname === "another" ? null : join(root, "plan.txt"));
    }, { hostname });
  }
});

Deno.test("a broker cannot ask in a member's name, nor for another member", () =>
  withPair(async (pair) => {
    await Deno.writeTextFile(join(pair.root, "plan.txt"), "plan");
    const mallory = generateKeyPair().publicKey;
    pair.grants.note({ [mallory]: ["file-read"] });
    pair.meddle = (question) => ({ ...question, requesterPubkey: mallory });
    await fails(readWhole(pair, "plan.txt"), "bad_answer", /could not read the question/);
    pair.meddle = (question) => ({ ...question, requestId: "another" });
    await fails(readWhole(pair, "plan.txt"), "bad_answer", /could not read the question/);
    pair.meddle = (question) => ({ ...question, sealed: "AAAA" });
    await fails(readWhole(pair, "plan.txt"), "bad_answer", /could not read the question/);
    assert.deepEqual(pair.served, []);
  }));

Deno.test("a question that is repeated or old is not answered", async () => {
  await withPair(async (pair) => {
    await Deno.writeTextFile(join(pair.root, "plan.txt"), "plan");
    await readWhole(pair, "plan.txt");
    assert.deepEqual(await pair.host.answer(pair.questions[0]!), { error: "unreadable" });
  });
  await withPair(async (pair) => {
    await Deno.writeTextFile(join(pair.root, "plan.txt"), "plan");
    await fails(readWhole(pair, "plan.txt"), "bad_answer", /could not read the question/);
  }, { bob: () => Date.now() - 6 * 60_000 });
});

Deno.test("an answer that the broker made, kept or changed is not taken", () =>
  withPair(async (pair) => {
    await Deno.writeTextFile(join(pair.root, "plan.txt"), "plan");
    let kept: HostAnswer | null = null;
    pair.forge = (answer) => kept = answer;
    await readWhole(pair, "plan.txt");
    const forgeries: ((answer: HostAnswer) => HostAnswer)[] = [
      () => kept!,
      () => ({ sealed: "AAAA" }),
      (answer) => "sealed" in answer ? { sealed: flipped(answer.sealed) } : answer,
    ];
    for (const forge of forgeries) {
      pair.forge = forge;
      await fails(readWhole(pair, "plan.txt"), "bad_answer", /no answer of Ada/);
    }
  }));

function flipped(sealed: string): string {
  const bytes = Uint8Array.fromBase64(sealed);
  bytes[bytes.length - 1]! ^= 1;
  return bytes.toBase64();
}

Deno.test("answers to nothing, or of another member, are left alone, and a lost connection ends all", () =>
  withPair(async (pair) => {
    const { reader, ada } = pair;
    pair.meddle = ({ requestId }) => {
      const frame = { type: "peer_file_response_forward", requestId, error: "gone" };
      reader.take({ ...frame, requestId: "unknown", targetPubkey: ada.memberKey });
      reader.take({ ...frame, targetPubkey: generateKeyPair().publicKey });
      queueMicrotask(() => reader.connectionLost());
      return null;
    };
    await fails(readWhole(pair, "plan.txt"), "offline", /connection/);
  }));

Deno.test("what the broker says instead of an answer is told in words", () =>
  withPair(async (pair) => {
    const errors: [string, string, RegExp][] = [
      ["gone", "not_found", /went offline/],
      ["timeout", "timeout", /in time/],
      ["refused", "forbidden", /no files/],
      ["unreadable", "bad_answer", /could not read/],
    ];
    for (const [error, code, words] of errors) {
      pair.forge = () => ({ error }) as unknown as HostAnswer;
      await fails(readWhole(pair, "plan.txt"), code, words);
    }
  }));
