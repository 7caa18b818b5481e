/** What shared files may take up, how long URLs and files live, and what is cleaned away. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { cleanFiles, removeOrphans } from "../../broker/jobs/clean_files.ts";
import { bucketOf } from "../../storage/objects/object_name.ts";
import { brokerTest, type TestBroker, type TestMember } from "../support/broker.ts";
import {
  fetchBytes,
  forMembers,
  forMesh,
  patch,
  share,
  startUpload,
} from "../support/file_transfer.ts";
import type { Frame } from "../support/peer.ts";
import { until } from "../support/until.ts";

const bytes = new Uint8Array(randomBytes(1_000));

async function audited(broker: TestBroker, event: string): Promise<number> {
  const rows = await broker.sql.query("select 1 from mesh.audit_log where event_type = $1", [
    event,
  ]);
  return rows.length;
}

async function keysOf(broker: TestBroker, { meshId }: TestMember): Promise<string[]> {
  const { objects } = broker.context.stores;
  const bucket = bucketOf(meshId);
  return [
    ...await Array.fromAsync(objects.list(bucket), ({ key }) => key),
    ...await Array.fromAsync(objects.listUnfinished(bucket), ({ key }) => key),
  ];
}

function start(size: number): object {
  return { name: "a", size };
}

brokerTest("a file may have so many bytes, and a mesh's files together so many", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const [eve] = await broker.mesh("Eve");
  const [owner, foreign] = [await broker.join(ada!), await broker.join(eve!)];
  const large = await owner.request("start_file_upload", start(1_001));
  assert.deepEqual([large.code, large.limit, large.field], ["too_large", 1_000, "size"]);
  const first = await startUpload(owner, bytes);
  assert.equal((await owner.request("start_file_upload", start(1_000))).type, "file_upload");
  const full = await owner.request("start_file_upload", start(501));
  assert.deepEqual([full.code, full.limit], ["limit", 2_500]);
  assert.equal((await owner.request("start_file_upload", start(500))).type, "file_upload");
  assert.equal((await owner.request("start_file_upload", start(1))).code, "limit");
  // Another mesh has room of its own, and what is given up makes room.
  assert.equal((await foreign.request("start_file_upload", start(1_000))).type, "file_upload");
  await owner.request("cancel_file_upload", { fileId: first.fileId });
  assert.equal((await owner.request("start_file_upload", start(1_000))).type, "file_upload");
}, { limits: { fileBytes: 1_000, meshFileBytes: 2_500 } });

brokerTest("a member may have so many uploads open, a mesh so many files", async (broker) => {
  const [ada, bob] = await broker.mesh("Ada", "Bob");
  const [owner, peer] = [await broker.join(ada!), await broker.join(bob!)];
  await share(owner, bytes);
  await startUpload(owner, bytes);
  await startUpload(owner, bytes);
  const third = await owner.request("start_file_upload", start(1));
  assert.deepEqual([third.code, third.limit], ["limit", 2]);
  await startUpload(peer, bytes);
  const fifth = await peer.request("start_file_upload", start(0));
  assert.deepEqual([fifth.code, fifth.limit], ["limit", 4]);
}, { limits: { openUploads: 2, meshFiles: 4 } });

brokerTest("a file is sealed to so many members", async (broker) => {
  const [ada, bob, cyd] = await broker.mesh("Ada", "Bob", "Cyd");
  const owner = await broker.join(ada!);
  const [adaKey, bobKey, cydKey] = [ada!, bob!, cyd!].map(({ keys }) => keys.publicKey);
  const commit = forMembers(bytes, adaKey!);
  const fileId = await share(owner, bytes, { commit });
  const grant = { fileId, sealedKey: "AAAA" };
  const second = await owner.request("grant_file_access", { ...grant, peerPubkey: bobKey });
  assert.equal(second.type, "grant_file_access_ok");
  const third = await owner.request("grant_file_access", { ...grant, peerPubkey: cydKey });
  assert.deepEqual([third.code, third.limit], ["limit", 2]);
  const again = await owner.request("grant_file_access", { ...grant, peerPubkey: bobKey });
  assert.equal(again.type, "grant_file_access_ok");
}, { limits: { fileKeys: 2 } });

brokerTest("so many files are on their way at once", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const owner = await broker.join(ada!);
  const fileId = await share(owner, bytes);
  const { url } = await startUpload(owner, bytes);
  let sender: ReadableStreamDefaultController<Uint8Array>;
  const slow = new ReadableStream<Uint8Array>({
    start(controller) {
      sender = controller;
      controller.enqueue(bytes.subarray(0, 1));
    },
  });
  const sending = patch(url, 0, slow);
  await until("the upload is under way", 5_000, () => broker.context.transfers.running === 1);
  const { url: download } = await owner.request("get_file", { fileId });
  const refused = await fetchBytes(String(download));
  assert.equal(refused.status, 503);
  sender!.close();
  assert.equal((await sending).status, 200);
  assert.equal((await fetchBytes(String(download))).status, 200);
  await until("all are done", 5_000, () => broker.context.transfers.running === 0);
}, { limits: { fileTransfers: 1 } });

brokerTest("a sender that says nothing is let go; what it sent is kept", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const owner = await broker.join(ada!);
  const { fileId, url } = await startUpload(owner, bytes);
  const silent = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(bytes.subarray(0, 10)),
  });
  const answer = await patch(url, 0, silent).catch(() => null);
  assert.ok(answer === null || answer.body.error === "malformed", JSON.stringify(answer));
  const { offset } = await owner.request("resume_file_upload", { fileId });
  assert.equal(offset, 10);
}, { limits: { transferStallMs: 100 } });

brokerTest("a URL that has expired, or is for something else, permits nothing", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const owner = await broker.join(ada!);
  const { fileId, url } = await startUpload(owner, bytes);
  await until("the URL has expired", 5_000, async () => {
    return (await patch(url, 0, bytes)).body.error === "expired";
  });
  assert.equal((await owner.request("resume_file_upload", { fileId })).offset, 0);
}, { limits: { transferUrlMs: 1 } });

brokerTest("a URL of one purpose is none of the other", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const owner = await broker.join(ada!);
  const fileId = await share(owner, bytes);
  const upload = await startUpload(owner, bytes);
  const { url } = await owner.request("get_file", { fileId });
  const asUpload = String(url).replace("/files/", "/uploads/");
  const asDownload = upload.url.replace("/uploads/", "/files/");
  assert.deepEqual((await patch(asUpload, 0, bytes)).body.error, "bad_signature");
  assert.equal((await fetchBytes(asDownload)).status, 401);
  assert.equal((await fetchBytes(`${url}x`)).status, 401);
});

brokerTest("an ephemeral file goes by itself, a persistent one stays", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const owner = await broker.join(ada!);
  const kept = await share(owner, bytes);
  const later = await share(owner, bytes, { start: { expiresInMs: 3_600_000 } });
  const soon = await share(owner, bytes, { start: { persistent: false } });
  const both = { name: "a", size: 1, persistent: true, expiresInMs: 60_000 };
  assert.equal((await owner.request("start_file_upload", both)).field, "expiresInMs");
  const { files } = await owner.request("list_files") as { files: Frame[] };
  const expiry = new Map(files.map(({ id, expiresAt }) => [id, expiresAt]));
  assert.equal(expiry.get(kept), null);
  assert.ok(Math.abs(Date.parse(String(expiry.get(later))) - Date.now() - 3_600_000) < 60_000);
  await until("it has expired", 5_000, async () => {
    return (await owner.request("get_file", { fileId: soon })).code === "not_found";
  });
  assert.equal(await cleanFiles(broker.context), 1);
  assert.deepEqual(
    (await keysOf(broker, ada!)).map((key) => key.split("/").at(-2)).sort(),
    [kept, later].sort(),
  );
  assert.equal(await audited(broker, "file_expired"), 1);
  assert.equal(await cleanFiles(broker.context), 0);
}, { limits: { ephemeralMs: 1 } });

brokerTest("an upload that nobody goes on with is given up", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const owner = await broker.join(ada!);
  const fileId = await share(owner, bytes);
  const { url } = await startUpload(owner, bytes);
  await patch(url, 0, bytes.subarray(0, 10));
  await until("its time is over", 5_000, async () => await cleanFiles(broker.context) === 1);
  assert.equal(await audited(broker, "file_upload_expired"), 1);
  assert.equal((await patch(url, 10, bytes.subarray(10))).status, 404);
  assert.deepEqual(await keysOf(broker, ada!), [`shared/${fileId}/report.pdf`]);
}, { limits: { uploadLifeMs: 1 } });

brokerTest("bytes without a row go, all others stay", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const owner = await broker.join(ada!);
  const fileId = await share(owner, bytes);
  const { fileId: openId } = await startUpload(owner, bytes);
  const lost = { bucket: bucketOf(ada!.meshId), key: "shared/lost/a" };
  const { objects } = broker.context.stores;
  for (const key of ["shared/lost/a", "shared/lost2/b"]) {
    const upload = { ...lost, key, ref: "" };
    const ref = await objects.begin(upload);
    if (key === lost.key) await objects.finish({ ...upload, ref });
  }
  // They are too young to be orphans.
  assert.equal(await removeOrphans(broker.context), 0);
  const { clock } = broker.context;
  const tomorrow = { ...broker.context, clock: { ...clock, now: () => clock.now() + 90_000_000 } };
  assert.equal(await removeOrphans(tomorrow), 2);
  assert.deepEqual(await keysOf(broker, ada!), [
    `shared/${fileId}/report.pdf`,
    `shared/${openId}/report.pdf`,
  ]);
});

brokerTest("bytes that could not be removed are removed later", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const owner = await broker.join(ada!);
  const fileId = await share(owner, bytes);
  const { objects } = broker.context.stores;
  const remove = objects.remove.bind(objects);
  objects.remove = () => Promise.reject(new Error("not now"));
  assert.equal((await owner.request("delete_file", { fileId })).type, "ack");
  assert.equal((await owner.request("get_file", { fileId })).code, "not_found");
  objects.remove = remove;
  assert.equal((await keysOf(broker, ada!)).length, 1);
  assert.equal(await cleanFiles(broker.context), 1);
  assert.deepEqual(await keysOf(broker, ada!), []);
});

brokerTest("an upload is not committed before its bytes are here, nor twice", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const owner = await broker.join(ada!);
  const { fileId, url } = await startUpload(owner, bytes);
  const commit = { fileId, ...forMesh(bytes) };
  assert.equal((await owner.request("commit_file_upload", commit)).code, "conflict");
  await patch(url, 0, bytes);
  const answers = await Promise.all([
    owner.request("commit_file_upload", commit),
    owner.request("commit_file_upload", commit),
    owner.request("commit_file_upload", { ...commit, sha256: "0".repeat(64) }),
    owner.request("cancel_file_upload", { fileId }),
    owner.request("resume_file_upload", { fileId }),
  ]);
  const [first, ...later] = answers.map(({ type, code }) => code ?? type);
  assert.equal(first, "file_shared");
  assert.deepEqual(new Set(later), new Set(["not_found"]));
  // What came too late did not take the shared bytes for those of an upload.
  const { url: download } = await owner.request("get_file", { fileId });
  assert.equal((await fetchBytes(String(download))).status, 200);
});

brokerTest("an upload whose bytes are gone is given up, and says so", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const owner = await broker.join(ada!);
  const { objects } = broker.context.stores;
  for (const type of ["resume_file_upload", "commit_file_upload"]) {
    const { fileId, url } = await startUpload(owner, bytes);
    await patch(url, 0, bytes);
    const [row] = await broker.sql.query<{ key: string; ref: string }>(
      `select minio_key as "key", upload_ref as "ref" from mesh.file where id = $1`,
      [fileId],
    );
    await objects.abort({ bucket: bucketOf(ada!.meshId), key: row!.key, ref: row!.ref });
    assert.equal((await patch(url, bytes.length, new Uint8Array())).status, 404);
    const answer = await owner.request(type, { fileId, ...forMesh(bytes) });
    assert.equal(answer.code, "not_found", type);
    assert.deepEqual((await owner.request("list_file_uploads")).uploads, []);
  }
});
