/** Shared files: their bytes over HTTP, who may have them, what they take up, and how they go. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { bucketOf } from "../../storage/objects/object_name.ts";
import { brokerTest, type TestBroker } from "../support/broker.ts";
import {
  fetchBytes,
  forMembers,
  forMesh,
  patch,
  sha256Of,
  share,
  startUpload,
} from "../support/file_transfer.ts";
import type { Frame, TestPeer } from "../support/peer.ts";
import { until } from "../support/until.ts";

const bytes = new Uint8Array(randomBytes(300_001));

async function objectsOf(broker: TestBroker, meshId: string): Promise<string[]> {
  const { objects } = broker.context.stores;
  const bucket = bucketOf(meshId);
  const keys = await Array.fromAsync(objects.list(bucket), ({ key }) => key);
  const open = await Array.fromAsync(objects.listUnfinished(bucket), ({ key }) => `open:${key}`);
  return [...keys, ...open];
}

async function audited(broker: TestBroker): Promise<string[]> {
  const rows = await broker.sql.query<{ event: string }>(
    `select event_type as event from mesh.audit_log where event_type like 'file%' order by id`,
  );
  return rows.map(({ event }) => event);
}

async function names(peer: TestPeer, input: object = {}): Promise<unknown[]> {
  const { files } = await peer.request("list_files", input) as unknown as { files: Frame[] };
  return files.map(({ name }) => name);
}

brokerTest("what one member shares another fetches, and both see that", async (broker) => {
  const [ada, bob] = await broker.mesh("Ada", "Bob");
  const [owner, peer] = [await broker.join(ada!), await broker.join(bob!)];
  const fileId = await share(owner, bytes, { start: { tags: ["q3", "q3"] } });
  assert.deepEqual(await peer.nextEvent("file_shared"), {
    fileId,
    name: "report.pdf",
    size: bytes.length,
    from: "Ada",
    fromPubkey: ada!.keys.publicKey,
  });
  const { files } = await peer.request("list_files") as unknown as { files: Frame[] };
  const { uploadedAt, ...listed } = files[0]!;
  assert.ok(Math.abs(Date.parse(String(uploadedAt)) - Date.now()) < 60_000);
  assert.deepEqual(listed, {
    id: fileId,
    name: "report.pdf",
    size: bytes.length,
    tags: ["q3"],
    uploadedBy: "Ada",
    uploadedByPubkey: ada!.keys.publicKey,
    persistent: true,
    expiresAt: null,
    encrypted: true,
    sharedWith: "mesh",
    readable: true,
  });
  const got = await peer.request("get_file", { fileId });
  assert.equal(got.type, "file_url", JSON.stringify(got));
  assert.equal(got.sha256, sha256Of(bytes));
  assert.deepEqual(got.wrappedKeys, [{ epoch: 1, wrappedKey: "c2VhbGVkIGtleQ==" }]);
  assert.equal(got.url, `${broker.broker.url}${got.path}`);
  const { status, bytes: fetched, headers } = await fetchBytes(String(got.url));
  assert.equal(status, 200);
  assert.deepEqual(fetched, bytes);
  assert.equal(headers.get("etag"), `"${sha256Of(bytes)}"`);
  const accesses = await completed(owner, fileId);
  assert.deepEqual(accesses.map(({ peerName, memberId }) => [peerName, memberId]), [
    ["Bob", bob!.id],
  ]);
  const metrics = await (await fetch(`${broker.broker.url}/metrics`)).text();
  for (const direction of ["in", "out"]) {
    const line = `broker_file_bytes_total{direction="${direction}"} ${bytes.length}`;
    assert.ok(metrics.includes(line), line);
  }
  assert.match(metrics, /^broker_file_transfers_active 0$/m);
  assert.deepEqual(await audited(broker), ["file_upload_started", "file_shared", "file_accessed"]);
});

/** The accesses of a file, once the broker has noted the end of a download. */
async function completed(peer: TestPeer, fileId: string): Promise<Frame[]> {
  return await until("the download is noted", 5_000, async () => {
    const { accesses } = await peer.request("file_status", { fileId }) as { accesses: Frame[] };
    return accesses.every(({ completedAt }) => completedAt !== null) && accesses;
  });
}

brokerTest("an upload goes on in pieces, also over a restart of the broker", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  let owner = await broker.join(ada!);
  const { fileId, url } = await startUpload(owner, bytes);
  assert.deepEqual((await patch(url, 0, bytes.subarray(0, 100_000))).body, {
    offset: 100_000,
    size: bytes.length,
  });
  const head = await fetch(url, { method: "HEAD" });
  assert.equal(head.headers.get("upload-offset"), "100000");
  assert.equal(head.headers.get("upload-length"), String(bytes.length));
  await broker.restart();
  owner = await broker.join(ada!);
  const resumed = await owner.request("resume_file_upload", { fileId });
  assert.equal(resumed.offset, 100_000);
  const early = await owner.request("commit_file_upload", { fileId, ...forMesh(bytes) });
  assert.equal(early.code, "conflict");
  assert.equal((await patch(String(resumed.url), 100_000, bytes.subarray(100_000))).status, 200);
  const shared = await owner.request("commit_file_upload", { fileId, ...forMesh(bytes) });
  assert.equal(shared.type, "file_shared", JSON.stringify(shared));
  const got = await owner.request("get_file", { fileId });
  assert.deepEqual((await fetchBytes(String(got.url))).bytes, bytes);
});

brokerTest("bytes at a wrong offset are refused with the right one", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const owner = await broker.join(ada!);
  const { url } = await startUpload(owner, bytes);
  await patch(url, 0, bytes.subarray(0, 10));
  for (const wrong of [0, 9, 11]) {
    const { status, offset, body } = await patch(url, wrong, bytes.subarray(0, 5));
    assert.deepEqual([status, offset, body.error], [409, 10, "conflict"]);
  }
  const past = await patch(url, bytes.length + 1, new Uint8Array());
  assert.deepEqual([past.status, past.body.field], [400, "upload-offset"]);
});

brokerTest("a byte past the announced size is refused, told before or not", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const owner = await broker.join(ada!);
  const { fileId, url } = await startUpload(owner, bytes.subarray(0, 1_000));
  assert.equal((await patch(url, 0, bytes.subarray(0, 1_001))).body.error, "too_large");
  const streamed = new Blob([bytes.subarray(0, 1_000), bytes.subarray(0, 1)]).stream();
  assert.equal((await patch(url, 0, streamed)).status, 413);
  const { offset } = await owner.request("resume_file_upload", { fileId });
  assert.ok(Number(offset) <= 1_000);
});

brokerTest("other bytes than announced are dropped, with the upload", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const owner = await broker.join(ada!);
  const { fileId, url } = await startUpload(owner, bytes);
  await patch(url, 0, bytes);
  const commit = { fileId, ...forMesh(bytes), sha256: "0".repeat(64) };
  assert.equal((await owner.request("commit_file_upload", commit)).code, "bad_digest");
  assert.deepEqual(await objectsOf(broker, ada!.meshId), []);
  assert.equal((await owner.request("resume_file_upload", { fileId })).code, "not_found");
  assert.deepEqual(await names(owner), []);
});

brokerTest("a download goes on at any byte", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const owner = await broker.join(ada!);
  const fileId = await share(owner, bytes);
  const url = String((await owner.request("get_file", { fileId })).url);
  const size = bytes.length;
  const rest = await fetchBytes(url, "bytes=200000-");
  assert.equal(rest.status, 206);
  assert.equal(rest.headers.get("content-range"), `bytes 200000-${size - 1}/${size}`);
  assert.deepEqual(rest.bytes, bytes.subarray(200_000));
  assert.deepEqual((await fetchBytes(url, "bytes=5-6")).bytes, bytes.subarray(5, 7));
  assert.deepEqual((await fetchBytes(url, "bytes=-1")).bytes, bytes.subarray(-1));
  const outside = await fetchBytes(url, `bytes=${size}-`);
  assert.equal(outside.status, 416);
  assert.equal(outside.headers.get("content-range"), `bytes */${size}`);
});

brokerTest("an empty file is a file", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const owner = await broker.join(ada!);
  const empty = new Uint8Array();
  const { fileId } = await startUpload(owner, empty);
  const shared = await owner.request("commit_file_upload", { fileId, ...forMesh(empty) });
  assert.equal(shared.type, "file_shared", JSON.stringify(shared));
  const { url } = await owner.request("get_file", { fileId });
  const { status, bytes: fetched } = await fetchBytes(String(url));
  assert.deepEqual([status, fetched.length], [200, 0]);
});

brokerTest("the newest request writes; the one before it is ended", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const owner = await broker.join(ada!);
  const { fileId, url } = await startUpload(owner, bytes);
  let stalled: ReadableStreamDefaultController<Uint8Array>;
  const silent = new ReadableStream<Uint8Array>({
    start(controller) {
      stalled = controller;
      controller.enqueue(bytes.subarray(0, 1_000));
    },
  });
  const first = patch(url, 0, silent).catch(() => null);
  const { transfers } = broker.context;
  await until("the request is under way", 5_000, () => transfers.isWriting(fileId));
  const { offset } = await owner.request("resume_file_upload", { fileId });
  assert.ok(offset === 0 || offset === 1_000, `${offset}`);
  assert.equal(transfers.isWriting(fileId), false);
  const answer = await first;
  stalled!.error(new Error("enough"));
  assert.ok(answer === null || answer.status === 409, JSON.stringify(answer));
  const rest = await patch(url, Number(offset), bytes.subarray(Number(offset)));
  assert.equal(rest.status, 200);
});

brokerTest(
  "what is sealed to members is for them alone until somebody grants it",
  async (broker) => {
    const [ada, bob, cyd] = await broker.mesh("Ada", "Bob", "Cyd");
    const [owner, peer] = [await broker.join(ada!), await broker.join(bob!)];
    const other = await broker.join(cyd!);
    const [adaKey, bobKey] = [ada!.keys.publicKey, bob!.keys.publicKey];
    const fileId = await share(peer, bytes, { commit: forMembers(bytes, bobKey, adaKey) });
    assert.equal((await owner.nextEvent("file_shared")).fileId, fileId);
    assert.deepEqual(await names(other), []);
    for (const type of ["get_file", "file_status", "delete_file"]) {
      assert.equal((await other.request(type, { fileId })).code, "forbidden", type);
    }
    const key = { fileId, peerPubkey: cyd!.keys.publicKey, sealedKey: "Zm9yIEN5ZA==" };
    assert.equal((await other.request("grant_file_access", key)).code, "forbidden");
    assert.equal((await owner.request("grant_file_access", key)).type, "grant_file_access_ok");
    assert.equal((await other.nextEvent("file_shared")).from, "Ada");
    const got = await other.request("get_file", { fileId });
    assert.deepEqual([got.sealedKey, got.wrappedKeys], ["Zm9yIEN5ZA==", []]);
    const { members } = await owner.request("file_status", { fileId }) as { members: string[] };
    assert.deepEqual(members.sort(), ["Ada", "Bob", "Cyd"]);
    assert.ok((await audited(broker)).includes("file_access_granted"));
  },
);

brokerTest(
  "no reader can put another key in the place of one that somebody else gave",
  async (broker) => {
    const [ada, bob] = await broker.mesh("Ada", "Bob");
    const [owner, peer] = [await broker.join(ada!), await broker.join(bob!)];
    const [adaKey, bobKey] = [ada!.keys.publicKey, bob!.keys.publicKey];
    const fileId = await share(owner, bytes, { commit: forMembers(bytes, adaKey, bobKey) });
    const before = (await owner.request("get_file", { fileId })).sealedKey;
    const junk = { fileId, peerPubkey: adaKey, sealedKey: "anVuaw==" };
    assert.equal((await peer.request("grant_file_access", junk)).type, "grant_file_access_ok");
    assert.equal((await owner.request("get_file", { fileId })).sealedKey, before);
    assert.ok(!(await audited(broker)).includes("file_access_granted"));
    const anew = { fileId, peerPubkey: bobKey, sealedKey: "YW5ldw==" };
    await owner.request("grant_file_access", anew);
    assert.equal((await peer.request("get_file", { fileId })).sealedKey, "YW5ldw==");
  },
);

brokerTest("owners and admins see every file, but fetch only what is for them", async (broker) => {
  const [ada, bob] = await broker.mesh("Ada", "Bob");
  const [owner, peer] = [await broker.join(ada!), await broker.join(bob!)];
  const fileId = await share(peer, bytes, { commit: forMembers(bytes, bob!.keys.publicKey) });
  const { files } = await owner.request("list_files") as unknown as { files: Frame[] };
  assert.deepEqual(files.map(({ id, readable }) => [id, readable]), [[fileId, false]]);
  assert.equal((await owner.request("get_file", { fileId })).code, "forbidden");
  assert.equal((await owner.request("delete_file", { fileId })).name, "report.pdf");
  assert.equal((await peer.nextEvent("file_deleted")).fileId, fileId);
});

brokerTest("who shared it deletes it, and its bytes go", async (broker) => {
  const [ada, bob, cyd] = await broker.mesh("Ada", "Bob", "Cyd");
  const [peer, other] = [await broker.join(bob!), await broker.join(cyd!)];
  const fileId = await share(peer, bytes);
  const { url } = await other.request("get_file", { fileId });
  assert.equal((await other.request("delete_file", { fileId })).code, "forbidden");
  assert.deepEqual(await objectsOf(broker, ada!.meshId), [`shared/${fileId}/report.pdf`]);
  const deleted = await peer.request("delete_file", { fileId });
  assert.deepEqual([deleted.type, deleted.id, deleted.queued], ["ack", fileId, false]);
  assert.deepEqual(await objectsOf(broker, ada!.meshId), []);
  assert.equal((await fetchBytes(String(url))).status, 404);
  assert.equal((await peer.request("get_file", { fileId })).code, "not_found");
  assert.deepEqual(await broker.sql.query("select id from mesh.file"), []);
});

brokerTest("a foreign mesh sees nothing and can do nothing", async (broker) => {
  const [ada, bob] = await broker.mesh("Ada", "Bob");
  const [eve] = await broker.mesh("Eve");
  const [owner, foreign] = [await broker.join(ada!), await broker.join(eve!)];
  const fileId = await share(owner, bytes);
  const { fileId: openId } = await startUpload(owner, bytes);
  assert.deepEqual(await names(foreign), []);
  const key = { peerPubkey: eve!.keys.publicKey, sealedKey: "AAAA" };
  for (
    const [type, input] of [
      ["get_file", { fileId }],
      ["file_status", { fileId }],
      ["delete_file", { fileId }],
      ["grant_file_access", { fileId, ...key }],
      ["resume_file_upload", { fileId: openId }],
      ["cancel_file_upload", { fileId: openId }],
      ["commit_file_upload", { fileId: openId, ...forMesh(bytes) }],
    ] as const
  ) {
    assert.equal((await foreign.request(type, input)).code, "not_found", type);
  }
  const keys = [{ fileId, wrappedKey: "AAAA" }];
  const rewrapped = await foreign.request("rewrap_file_keys", { epoch: 1, keys });
  assert.deepEqual(rewrapped.rewrapped, []);
  const outsiders = forMembers(bytes, ada!.keys.publicKey, eve!.keys.publicKey);
  const commit = { fileId: openId, ...outsiders };
  assert.equal((await owner.request("commit_file_upload", commit)).code, "not_found");
  const peer = await broker.join(bob!);
  assert.equal((await peer.request("resume_file_upload", { fileId: openId })).code, "not_found");
});

brokerTest("keys must be those of the mesh as it is", async (broker) => {
  const [ada, bob] = await broker.mesh("Ada", "Bob");
  const owner = await broker.join(ada!);
  const { fileId, url } = await startUpload(owner, bytes);
  await patch(url, 0, bytes);
  const sha256 = sha256Of(bytes);
  const wrong: object[] = [
    { sha256 },
    { sha256, epoch: 1 },
    { sha256, wrappedKey: "AAAA" },
    { ...forMesh(bytes), ...forMembers(bytes, ada!.keys.publicKey) },
    forMembers(bytes, bob!.keys.publicKey),
    forMembers(bytes, ada!.keys.publicKey, ada!.keys.publicKey),
  ];
  for (const commit of wrong) {
    const answer = await owner.request("commit_file_upload", { fileId, ...commit });
    assert.equal(answer.code, "invalid_argument", JSON.stringify(commit));
  }
  const stale = { fileId, ...forMesh(bytes, 2) };
  assert.equal((await owner.request("commit_file_upload", stale)).code, "stale_epoch");
  const good = { fileId, ...forMesh(bytes) };
  assert.equal((await owner.request("commit_file_upload", good)).type, "file_shared");
});

brokerTest(
  "after a rotation keys are wrapped anew by their uploader or an admin",
  async (broker) => {
    const [ada, bob, cyd] = await broker.mesh("Ada", "Bob", "Cyd");
    const [owner, peer, other] = [
      await broker.join(ada!),
      await broker.join(bob!),
      await broker.join(cyd!),
    ];
    const fileId = await share(peer, bytes);
    const mesh = await broker.context.meshes.find(ada!.meshId);
    mesh!.epoch = 2;
    const stale = await owner.request("list_stale_file_keys");
    assert.deepEqual([stale.epoch, stale.files], [2, [{
      fileId,
      epoch: 1,
      wrappedKey: "c2VhbGVkIGtleQ==",
    }]]);
    assert.deepEqual((await other.request("list_stale_file_keys")).files, []);
    const keys = [{ fileId, wrappedKey: "bmV3" }];
    const early = await owner.request("rewrap_file_keys", { epoch: 1, keys });
    assert.equal(early.code, "stale_epoch");
    const foreign = await other.request("rewrap_file_keys", { epoch: 2, keys });
    assert.deepEqual(foreign.rewrapped, []);
    const done = await peer.request("rewrap_file_keys", { epoch: 2, keys });
    assert.deepEqual(done.rewrapped, [fileId]);
    const again = await owner.request("rewrap_file_keys", { epoch: 2, keys });
    assert.deepEqual(again.rewrapped, []);
    const { wrappedKeys } = await other.request("get_file", { fileId });
    assert.deepEqual(wrappedKeys, [
      { epoch: 2, wrappedKey: "bmV3" },
      { epoch: 1, wrappedKey: "c2VhbGVkIGtleQ==" },
    ]);
    assert.deepEqual((await owner.request("list_stale_file_keys")).files, []);
  },
);

brokerTest("files are found by name, tag and uploader, page by page", async (broker) => {
  const [ada, bob] = await broker.mesh("Ada", "Bob");
  const [owner, peer] = [await broker.join(ada!), await broker.join(bob!)];
  const small = bytes.subarray(0, 3);
  await share(owner, small, { start: { name: "a 100%.txt", tags: ["Plan"] } });
  await share(owner, small, { start: { name: "b_.txt" } });
  await share(peer, small, { start: { name: "Grüße.txt" } });
  assert.deepEqual(await names(owner), ["Grüße.txt", "b_.txt", "a 100%.txt"]);
  assert.deepEqual(await names(owner, { query: "GRÜSSE" }), []);
  assert.deepEqual(await names(owner, { query: "grüße" }), ["Grüße.txt"]);
  assert.deepEqual(await names(owner, { query: "%" }), ["a 100%.txt"]);
  assert.deepEqual(await names(owner, { query: "_" }), ["b_.txt"]);
  assert.deepEqual(await names(owner, { query: "plan" }), ["a 100%.txt"]);
  assert.deepEqual(await names(owner, { from: "bob" }), ["Grüße.txt"]);
  assert.deepEqual(await names(owner, { from: ada!.keys.publicKey }), ["b_.txt", "a 100%.txt"]);
  assert.deepEqual(await names(owner, { from: "nobody" }), []);
  const first = await owner.request("list_files", { limit: 2 });
  assert.deepEqual(await names(owner, { limit: 2, cursor: first.next }), ["a 100%.txt"]);
  assert.equal((await owner.request("list_files", { limit: 3 })).next, null);
  assert.equal((await owner.request("list_files", { cursor: "x" })).code, "invalid_argument");
});

brokerTest("an upload that is cancelled is gone with its bytes", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const owner = await broker.join(ada!);
  const { fileId, url } = await startUpload(owner, bytes);
  await patch(url, 0, bytes.subarray(0, 1_000));
  const { uploads } = await owner.request("list_file_uploads") as unknown as { uploads: Frame[] };
  assert.deepEqual(uploads.map((each) => [each.fileId, each.name, each.size]), [
    [fileId, "report.pdf", bytes.length],
  ]);
  assert.equal((await owner.request("cancel_file_upload", { fileId })).fileId, fileId);
  assert.deepEqual(await objectsOf(broker, ada!.meshId), []);
  assert.equal((await patch(url, 1_000, bytes.subarray(1_000))).status, 404);
  assert.deepEqual((await owner.request("list_file_uploads")).uploads, []);
});
