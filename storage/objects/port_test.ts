/**
 * One suite over every driver of the objects port. The S3 driver runs where MINIO_ENDPOINT (host:port),
 * MINIO_ACCESS_KEY and MINIO_SECRET_KEY name a server that may be written to.
 */
import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import { FolderObjects } from "./folder.ts";
import { type ObjectName, type ObjectReader, type Objects, ObjectsError } from "./port.ts";
import { SignedUrls } from "./signed_urls.ts";

const MIB = 1_048_576;
const urls = new SignedUrls(randomBytes(32));

interface Opened {
  readonly objects: Objects;
  /** Another instance on the same bytes, as after a restart. */
  again(): Promise<Objects>;
  close(): Promise<void>;
}

async function openFolder(): Promise<Opened> {
  const root = await Deno.makeTempDir({ prefix: "claudemesh-objects-" });
  const opened: Objects[] = [];
  function again(): Promise<Objects> {
    const objects = new FolderObjects({ root: `${root}/objects`, urls });
    opened.push(objects);
    return Promise.resolve(objects);
  }
  return {
    objects: await again(),
    again,
    async close() {
      for (const each of opened) await each.close();
      await Deno.remove(root, { recursive: true });
    },
  };
}

async function openS3(): Promise<Opened> {
  const { S3Objects } = await import("./s3.ts");
  const { hostname: host, port } = new URL(`http://${Deno.env.get("MINIO_ENDPOINT")}`);
  const server = {
    host,
    port: Number(port || 80),
    secure: false,
    accessKey: Deno.env.get("MINIO_ACCESS_KEY")!,
    secretKey: Deno.env.get("MINIO_SECRET_KEY")!,
  };
  const opened: Objects[] = [];
  function again(): Promise<Objects> {
    const objects = new S3Objects({ server, publicServer: null, urls });
    opened.push(objects);
    return Promise.resolve(objects);
  }
  return {
    objects: await again(),
    again,
    async close() {
      for (const each of opened) await each.close();
    },
  };
}

const hasS3 = ["MINIO_ENDPOINT", "MINIO_ACCESS_KEY", "MINIO_SECRET_KEY"].every((name) =>
  Deno.env.get(name)
);
if (!hasS3) {
  console.log("MINIO_ENDPOINT, MINIO_ACCESS_KEY and MINIO_SECRET_KEY are not set: S3 is ignored");
}

/** Registers a test per driver, in a bucket of its own. */
function eachDriver(
  name: string,
  run: (opened: Opened, place: (key: string) => ObjectName) => Promise<void>,
): void {
  for (const [driver, open] of [["folder", openFolder], ["s3", openS3]] as const) {
    Deno.test({
      name: `${name} (${driver})`,
      ignore: driver === "s3" && !hasS3,
      // The client of the server keeps its connections.
      sanitizeOps: driver === "folder",
      sanitizeResources: driver === "folder",
      async fn() {
        const opened = await open();
        const bucket = `mesh-${randomUUID()}`;
        try {
          await run(opened, (key) => ({ bucket, key }));
        } finally {
          await opened.close();
        }
      },
    });
  }
}

async function* pieces(bytes: Uint8Array, size = 65_536): AsyncGenerator<Uint8Array> {
  for (let from = 0; from < bytes.length; from += size) yield bytes.subarray(from, from + size);
}

async function* breaking(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield* pieces(bytes);
  throw new Error("the sender is gone");
}

async function readAll(reader: ObjectReader): Promise<Uint8Array> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  const buffer = new Uint8Array(50_000);
  for (let count = await reader.read(buffer); count > 0; count = await reader.read(buffer)) {
    chunks.push(buffer.slice(0, count));
  }
  assert.equal(await reader.read(buffer), 0);
  await reader.close();
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}

async function put(objects: Objects, name: ObjectName, bytes: Uint8Array): Promise<void> {
  const upload = { ...name, ref: await objects.begin(name) };
  await objects.append(upload, 0, pieces(bytes));
  await objects.finish(upload);
}

function hasKind(kind: string): (error: unknown) => boolean {
  return (error) => error instanceof ObjectsError && error.kind === kind;
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  return await Array.fromAsync(items);
}

eachDriver("what was put comes back, in whole and in part", async ({ objects }, place) => {
  const name = place("shared/f1/report.pdf");
  const bytes = randomBytes(200_001);
  await put(objects, name, bytes);
  assert.deepEqual(await readAll(await objects.open(name)), new Uint8Array(bytes));
  for (const [from, length] of [[0, 1], [1, 70_000], [200_000, 1], [131_071, 2]] as const) {
    const part = await readAll(await objects.open(name, { from, length }));
    assert.deepEqual(part, new Uint8Array(bytes.subarray(from, from + length)));
  }
  const stat = await objects.stat(name);
  assert.equal(stat?.sizeBytes, bytes.length);
  assert.ok(Math.abs(stat.modifiedAtMs - Date.now()) < 3_600_000);
});

eachDriver("an upload of nothing is an empty object", async ({ objects }, place) => {
  const name = place("shared/f1/empty");
  await put(objects, name, new Uint8Array());
  assert.equal((await objects.stat(name))?.sizeBytes, 0);
  assert.deepEqual(await readAll(await objects.open(name)), new Uint8Array());
});

eachDriver("an upload is no object before it is finished", async ({ objects }, place) => {
  const name = place("shared/f1/a");
  const upload = { ...name, ref: await objects.begin(name) };
  await objects.append(upload, 0, pieces(randomBytes(10)));
  assert.equal(await objects.stat(name), null);
  await assert.rejects(objects.open(name), hasKind("not_found"));
  assert.deepEqual(await all(objects.list(name.bucket)), []);
  const [listed, ...others] = await all(objects.listUnfinished(name.bucket));
  assert.equal(listed?.key, name.key);
  assert.equal(listed.ref, upload.ref);
  assert.ok(Math.abs(listed.touchedAtMs - Date.now()) < 86_400_000);
  assert.deepEqual(others, []);
});

eachDriver("an upload goes on at any byte, also after a restart", async (opened, place) => {
  const name = place("shared/f1/large");
  const bytes = randomBytes(11 * MIB + 7);
  const upload = { ...name, ref: await opened.objects.begin(name) };
  let offset = 0;
  // Within a part, over parts, nothing at all, and a byte.
  for (const until of [3, 5_000_003, 5_000_003, 10 * MIB + 1, 10 * MIB + 2, bytes.length]) {
    const objects = await opened.again();
    assert.equal(await objects.offset(upload), offset);
    offset = await objects.append(upload, offset, pieces(bytes.subarray(offset, until)));
    assert.equal(offset, until);
  }
  const { sizeBytes } = await (await opened.again()).finish(upload);
  assert.equal(sizeBytes, bytes.length);
  const stored = await readAll(await opened.objects.open(name));
  assert.ok(bytes.equals(stored));
});

eachDriver("what came before the sender broke off is kept", async ({ objects }, place) => {
  const name = place("shared/f1/a");
  const bytes = randomBytes(6 * MIB);
  const upload = { ...name, ref: await objects.begin(name) };
  await assert.rejects(objects.append(upload, 0, breaking(bytes)), /the sender is gone/);
  assert.equal(await objects.offset(upload), bytes.length);
  await assert.rejects(objects.append(upload, bytes.length, breaking(new Uint8Array(9))));
  assert.equal(await objects.append(upload, bytes.length + 9, pieces(bytes)), 2 * bytes.length + 9);
});

eachDriver("nothing is written at another offset", async ({ objects }, place) => {
  const name = place("shared/f1/a");
  const upload = { ...name, ref: await objects.begin(name) };
  await objects.append(upload, 0, pieces(randomBytes(10)));
  for (const wrong of [0, 9, 11]) {
    const appended = objects.append(upload, wrong, pieces(randomBytes(10)));
    await assert.rejects(
      appended,
      (error) =>
        error instanceof ObjectsError && error.kind === "wrong_offset" && error.offset === 10,
    );
  }
  assert.equal(await objects.offset(upload), 10);
});

eachDriver("finishing twice is finishing once", async ({ objects }, place) => {
  const name = place("shared/f1/a");
  const upload = { ...name, ref: await objects.begin(name) };
  await objects.append(upload, 0, pieces(randomBytes(10)));
  assert.equal((await objects.finish(upload)).sizeBytes, 10);
  assert.equal((await objects.finish(upload)).sizeBytes, 10);
  assert.equal(await objects.offset(upload), 10);
  assert.equal(await objects.append(upload, 10, pieces(new Uint8Array())), 10);
  assert.deepEqual(await all(objects.listUnfinished(name.bucket)), []);
  assert.deepEqual((await all(objects.list(name.bucket))).map(({ key }) => key), [name.key]);
});

eachDriver("an upload that was dropped is not there", async ({ objects }, place) => {
  const name = place("shared/f1/a");
  const upload = { ...name, ref: await objects.begin(name) };
  await objects.append(upload, 0, pieces(randomBytes(10)));
  await objects.abort(upload);
  await objects.abort(upload);
  await assert.rejects(objects.offset(upload), hasKind("not_found"));
  await assert.rejects(objects.append(upload, 10, pieces(randomBytes(1))), hasKind("not_found"));
  await assert.rejects(objects.finish(upload), hasKind("not_found"));
  assert.deepEqual(await all(objects.listUnfinished(name.bucket)), []);
});

eachDriver("what was removed is gone, and removing it again is harmless", async (opened, place) => {
  const { objects } = opened;
  const [kept, gone] = [place("shared/f1/a"), place("ephemeral/2026-11-21/f2/b")];
  for (const name of [kept, gone]) await put(objects, name, randomBytes(5));
  await objects.remove(gone);
  await objects.remove(gone);
  assert.equal(await objects.stat(gone), null);
  await assert.rejects(objects.open(gone), hasKind("not_found"));
  const listed = await all(objects.list(kept.bucket));
  assert.deepEqual(listed.map(({ key, sizeBytes }) => [key, sizeBytes]), [[kept.key, 5]]);
});

eachDriver("a bucket that nobody made has nothing in it", async ({ objects }, place) => {
  const name = place("shared/f1/a");
  assert.deepEqual(await all(objects.list(name.bucket)), []);
  assert.deepEqual(await all(objects.listUnfinished(name.bucket)), []);
  assert.equal(await objects.stat(name), null);
  await objects.remove(name);
  await objects.ping();
});

eachDriver("a name cannot lead out of its bucket", async ({ objects }, place) => {
  const keys = ["../x", "a/../../x", "/etc/passwd", "a//b", ".hidden", "a/.b", "", "a\\b", "a/b\0"];
  for (const key of keys) {
    await assert.rejects(objects.begin(place(key)), TypeError, key);
    await assert.rejects(objects.open(place(key)), TypeError, key);
  }
  for (
    const bucket of ["..", "mesh", "Mesh-a", "mesh-a/b", "mesh_a", ""].filter((b) => b !== "mesh")
  ) {
    await assert.rejects(objects.stat({ bucket, key: "a" }), TypeError, bucket);
  }
});

eachDriver("closing ends an upload whose sender says nothing", async (opened, place) => {
  const { objects } = opened;
  const name = place("shared/f1/a");
  const upload = { ...name, ref: await objects.begin(name) };
  const silence = Promise.withResolvers<void>();
  const waiting = Promise.withResolvers<void>();
  async function* silent(): AsyncGenerator<Uint8Array> {
    yield randomBytes(3);
    waiting.resolve();
    await silence.promise;
  }
  const appended = objects.append(upload, 0, silent());
  await waiting.promise;
  await objects.close();
  await assert.rejects(appended, hasKind("unavailable"));
  silence.resolve();
  await assert.rejects(objects.open(name), hasKind("unavailable"));
});

eachDriver("a URL of the broker's own names the object and its end", async ({ objects }, place) => {
  const name = place("shared/f1/a");
  const options = { brokerUrl: "https://mesh.example", nowMs: 1_000, lifeMs: 60_000, label: "l" };
  const url = new URL(await objects.presignGet(name, options));
  assert.equal(url.origin, "https://mesh.example");
  const token = url.pathname.replace("/files/", "");
  const claims = { purpose: "get", ...name, label: "l", expiresAtMs: 61_000 };
  assert.deepEqual(urls.verify(token, "get", 60_999), claims);
  assert.equal(urls.verify(token, "get", 61_000), "expired");
});

Deno.test({
  name: "a URL of the object server reads that object alone, for a minute",
  ignore: !hasS3,
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const { S3Objects } = await import("./s3.ts");
    const { objects, close } = await openS3();
    const name = { bucket: `mesh-${randomUUID()}`, key: "shared/f1/a" };
    await put(objects, name, new TextEncoder().encode("body"));
    const { hostname: host, port } = new URL(objects.place);
    const server = {
      host,
      port: Number(port),
      secure: false,
      accessKey: Deno.env.get("MINIO_ACCESS_KEY")!,
      secretKey: Deno.env.get("MINIO_SECRET_KEY")!,
    };
    const direct = new S3Objects({ server, publicServer: server, urls });
    const options = { brokerUrl: "https://no", nowMs: Date.now(), lifeMs: 60_000, label: "" };
    const url = await direct.presignGet(name, options);
    assert.match(url, /X-Amz-Expires=60&/);
    const answer = await fetch(url, { headers: { range: "bytes=1-2" } });
    assert.equal(await answer.text(), "od");
    await direct.close();
    await close();
  },
});
