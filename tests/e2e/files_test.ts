/**
 * Files at the level of processes: a broker's memory while large ones pass through it, an upload over a killed broker, and a
 * disk that fills up on the way.
 */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { request } from "node:http";
import { join } from "node:path";
import { FolderObjects } from "../../storage/objects/folder.ts";
import { ObjectsError } from "../../storage/objects/port.ts";
import { SignedUrls } from "../../storage/objects/signed_urls.ts";
import { foundTestMesh, ownerOf } from "../support/admission.ts";
import { BOX, fetchBytes, patch } from "../support/file_transfer.ts";
import { type PeerIdentity, TestPeer } from "../support/peer.ts";
import { type ProgramBroker, startProgramBroker } from "../support/program.ts";
import { until } from "../support/until.ts";

const MIB = 1_048_576;
const LARGE_BYTES = 256 * MIB;
const UPLOAD_GROWTH_MIB = 40;
/** What has gone out waits to be collected; it stays at that, whatever goes out. */
const DOWNLOAD_GROWTH_MIB = 192;
const MINIO_NAMES = ["MINIO_ENDPOINT", "MINIO_ACCESS_KEY", "MINIO_SECRET_KEY"] as const;

/** The environment of a broker that keeps files on a server; null where none is named. */
function objectServer(): Record<string, string> | null {
  const pairs = MINIO_NAMES.map((name) => [name, Deno.env.get(name) ?? ""] as const);
  return pairs.every(([, value]) => value !== "") ? Object.fromEntries(pairs) : null;
}

async function connect({ url }: ProgramBroker, owner: PeerIdentity): Promise<TestPeer> {
  const peer = await TestPeer.connect(`${url.replace("http", "ws")}/ws`);
  await peer.hello(owner);
  return peer;
}

/** A figure of a process's memory in MiB. */
async function memoryOf(pid: number, name: "VmRSS" | "VmHWM"): Promise<number> {
  const text = await Deno.readTextFile(`/proc/${pid}/status`);
  return Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(text)?.[1]) / 1024;
}

/** The most that a process had resident since `restarted`. */
async function peakOf(pid: number): Promise<number> {
  return await memoryOf(pid, "VmHWM");
}

/** Forgets the peak; returns what is resident now. */
async function restarted(pid: number): Promise<number> {
  await Deno.writeTextFile(`/proc/${pid}/clear_refs`, "5");
  return await memoryOf(pid, "VmRSS");
}

/** So many bytes, made as they are asked for. */
function stream(sizeBytes: number): ReadableStream<Uint8Array> {
  const piece = new Uint8Array(MIB).fill(7);
  let left = sizeBytes;
  return new ReadableStream({
    pull(controller) {
      if (left === 0) return controller.close();
      controller.enqueue(piece.subarray(0, Math.min(left, MIB)));
      left -= Math.min(left, MIB);
    },
  });
}

/** Sends so many bytes as an agent does: with their number, no faster than they are taken. Returns the status. */
async function sendLarge(url: string, sizeBytes: number): Promise<number> {
  const answered = Promise.withResolvers<number>();
  const sending = request(url, {
    method: "PATCH",
    headers: { "upload-offset": "0", "content-length": String(sizeBytes) },
  }, (response) => {
    response.resume();
    answered.resolve(response.statusCode ?? 0);
  });
  sending.on("error", answered.reject);
  for await (const piece of stream(sizeBytes)) {
    if (!sending.write(piece)) await new Promise((resolve) => sending.once("drain", resolve));
  }
  sending.end();
  return await answered.promise;
}

async function memory(environment: Record<string, string>): Promise<void> {
  const broker = await startProgramBroker({ environment });
  try {
    const owner = ownerOf(await foundTestMesh(broker.url));
    const peer = await connect(broker, owner);
    const hash = createHash("sha256");
    for await (const piece of stream(LARGE_BYTES)) hash.update(piece);
    const { fileId, url } = await peer.request("start_file_upload", {
      name: "large",
      size: LARGE_BYTES,
    });
    // What a first upload loads stays.
    const { url: small } = await peer.request("start_file_upload", {
      name: "small",
      size: 9 * MIB,
    });
    await sendLarge(String(small), 9 * MIB);
    let before = await restarted(broker.pid);
    assert.equal(await sendLarge(String(url), LARGE_BYTES), 200);
    const upload = await peakOf(broker.pid) - before;
    const commit = { fileId, sha256: hash.digest("hex"), epoch: 1, wrappedKey: BOX };
    assert.equal((await peer.request("commit_file_upload", commit)).type, "file_shared");
    const got = await peer.request("get_file", { fileId });
    before = await restarted(broker.pid);
    let bytes = 0;
    const { body } = await fetch(String(got.url));
    for await (const piece of body ?? []) bytes += piece.length;
    assert.equal(bytes, LARGE_BYTES);
    const download = await peakOf(broker.pid) - before;
    console.log(
      `${LARGE_BYTES / MIB} MiB through a broker of ${Math.round(before)} MiB: ` +
        `at most ${Math.round(upload)} MiB more going in, ${Math.round(download)} MiB coming out`,
    );
    assert.ok(upload < UPLOAD_GROWTH_MIB && download < DOWNLOAD_GROWTH_MIB);
    await peer.close();
  } finally {
    await broker.close();
  }
}

Deno.test({
  name: "a large file passes through a broker without filling its memory (folder)",
  ignore: Deno.build.os !== "linux",
  fn: () => memory({}),
});

Deno.test({
  name: "a large file passes through a broker without filling its memory (S3)",
  ignore: Deno.build.os !== "linux" || objectServer() === null,
  fn: () => memory(objectServer() ?? {}),
});

async function killedBroker(environment: Record<string, string>): Promise<void> {
  const broker = await startProgramBroker({ environment });
  try {
    const owner = ownerOf(await foundTestMesh(broker.url));
    let peer = await connect(broker, owner);
    const bytes = new Uint8Array(randomBytes(8 * MIB));
    const started = await peer.request("start_file_upload", { name: "a", size: bytes.length });
    const { fileId } = started;
    let sender: ReadableStreamDefaultController<Uint8Array>;
    const broken = new ReadableStream<Uint8Array>({
      start(controller) {
        sender = controller;
        controller.enqueue(bytes.subarray(0, 3 * MIB));
      },
    });
    const sending = patch(String(started.url), 0, broken).catch(() => null);
    const head = async () =>
      (await fetch(String(started.url), { method: "HEAD" })).headers.get("upload-offset");
    // A server of objects has it only when the request ends.
    if (Object.keys(environment).length === 0) {
      await until("bytes are stored", 10_000, async () => await head() !== "0");
    }
    await broker.stop("SIGKILL");
    sender!.error(new Error("the broker is gone"));
    await sending;
    await peer.close();
    await broker.start();
    peer = await connect(broker, owner);
    const { url, offset } = await peer.request("resume_file_upload", { fileId });
    assert.ok(Number(offset) <= 3 * MIB, `${offset}`);
    const rest = bytes.subarray(Number(offset));
    assert.equal((await patch(String(url), Number(offset), rest)).status, 200);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const commit = { fileId, sha256, epoch: 1, wrappedKey: BOX };
    assert.equal((await peer.request("commit_file_upload", commit)).type, "file_shared");
    const got = await peer.request("get_file", { fileId });
    assert.deepEqual((await fetchBytes(String(got.url))).bytes, bytes);
    await peer.close();
  } finally {
    await broker.close();
  }
}

Deno.test("an upload goes on after its broker was killed, and is whole (folder)", async () => {
  await killedBroker({});
});

Deno.test({
  name: "an upload goes on after its broker was killed, and is whole (S3)",
  ignore: objectServer() === null,
  fn: () => killedBroker(objectServer() ?? {}),
});

/** Mounts a disk of 8 MiB; null where that is not permitted. */
async function smallDisk(): Promise<{ folder: string; unmount(): Promise<void> } | null> {
  const folder = await Deno.makeTempDir({ prefix: "claudemesh-disk-" });
  const args = ["-t", "tmpfs", "-o", "size=8m", "tmpfs", folder];
  const mounted = Deno.build.os === "linux" && Deno.uid() === 0 &&
    (await new Deno.Command("mount", { args }).output()).success;
  if (!mounted) {
    await Deno.remove(folder);
    return null;
  }
  return {
    folder,
    async unmount() {
      await new Deno.Command("umount", { args: [folder] }).output();
      await Deno.remove(folder);
    },
  };
}

Deno.test("an upload that fills the disk fails as full and gives back what it took", async (t) => {
  const disk = await smallDisk();
  if (disk === null) {
    return void await t.step({ name: "needs root on Linux", ignore: true, fn() {} });
  }
  const urls = new SignedUrls(randomBytes(32));
  const objects = new FolderObjects({ root: join(disk.folder, "objects"), urls });
  try {
    const name = { bucket: "mesh-a", key: "shared/f1/a" };
    const upload = { ...name, ref: await objects.begin(name) };
    assert.equal(await objects.append(upload, 0, stream(2 * MIB)), 2 * MIB);
    const full = (error: unknown) => error instanceof ObjectsError && error.kind === "full";
    await assert.rejects(objects.append(upload, 2 * MIB, stream(20 * MIB)), full);
    assert.equal(await objects.offset(upload), 2 * MIB);
    assert.ok(Number(await objects.freeBytes()) > 5 * MIB);
    assert.equal(await objects.append(upload, 2 * MIB, stream(MIB)), 3 * MIB);
  } finally {
    await objects.close();
    await disk.unmount();
  }
});
