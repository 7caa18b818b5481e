/** Tests of sharing and fetching files through a broker that fails, or does what it should not. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { MeshError } from "../../../broker/api/errors.ts";
import { FILE_HEADER_BYTES } from "../../../crypto/file_header.ts";
import { FILE_CHUNK_BYTES, SEALED_CHUNK_BYTES } from "../../../crypto/file_stream.ts";
import { newEpochKey, sealKeyFor } from "../../../crypto/mesh_key.ts";
import { randomBytes } from "../../../crypto/random.ts";
import { generateKeyPair, type KeyPair } from "../../../crypto/sign.ts";
import { FaultyFileStore } from "../../../tests/support/faulty_file_store.ts";
import { systemClock } from "../agent_clock.ts";
import { LocalError } from "../local_error.ts";
import { downloadFile, type FetchedResult } from "./download.ts";
import type { Progress, TransferWorld } from "./transfer.ts";
import { uploadFile } from "./upload.ts";

/** Pauses between tries last no time. */
const clock = {
  ...systemClock,
  after(delayMs: number, run: () => void) {
    return systemClock.after(delayMs > 20_000 ? delayMs : 0, run);
  },
};

class Stage {
  readonly store = new FaultyFileStore();
  readonly folder = Deno.realPathSync(Deno.makeTempDirSync());
  readonly epochs = new Map<number, Uint8Array>([[1, newEpochKey()]]);
  readonly ada = generateKeyPair();
  readonly bob = generateKeyPair();

  world(member: KeyPair, epochs = this.epochs): TransferWorld {
    const newest = Math.max(0, ...epochs.keys());
    return {
      meshId: "mesh1",
      brokerUrl: this.store.url,
      member,
      keyring: { newest, get: (epoch) => epochs.get(epoch) ?? null },
      clock,
      call: this.store.callAs(member.publicKey),
      currentKey() {
        const key = epochs.get(Math.max(0, ...epochs.keys()));
        return key === undefined ? null : { epoch: Math.max(...epochs.keys()), key };
      },
      refreshKeys: () => Promise.resolve(),
    };
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  /** Writes `content` and shares it as Ada. */
  async share(content: Uint8Array, readers: string[] | null = null, name = "data.bin") {
    await Deno.writeFile(this.path(name), content);
    return await uploadFile(this.world(this.ada), { path: this.path(name), readers }, control());
  }

  /** Fetches the only file. */
  async fetch(saveTo: string, member = this.bob, force = false): Promise<FetchedResult> {
    const { fileId } = this.store.only;
    const request = { fileId, saveTo: this.path(saveTo), force };
    return await downloadFile(this.world(member), request, control());
  }

  async leftovers(): Promise<string[]> {
    const names: string[] = [];
    for await (const { name } of Deno.readDir(this.folder)) names.push(name);
    return names.filter((name) => name.endsWith(".part"));
  }
}

function control(onProgress: (progress: Progress) => void = () => {}) {
  return { signal: new AbortController().signal, onProgress };
}

function onStage(name: string, run: (stage: Stage) => Promise<void>): void {
  Deno.test(name, async () => {
    const stage = new Stage();
    try {
      await run(stage);
      assert.deepEqual(await stage.leftovers(), []);
    } finally {
      await stage.store.close();
      await Deno.remove(stage.folder, { recursive: true });
    }
  });
}

async function fails(doing: Promise<unknown>, code: string, words: RegExp = /./): Promise<void> {
  await assert.rejects(doing, (error) => {
    assert.ok(error instanceof LocalError || error instanceof MeshError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, words);
    return true;
  });
}

const MIB = 1_048_576;

onStage("files of every length come back as they were", async (stage) => {
  for (const length of [0, 1, FILE_CHUNK_BYTES, MIB, MIB + 1, 9 * MIB]) {
    const content = randomBytes(length);
    const shared = await stage.share(content);
    assert.equal(shared.sizeBytes, length);
    const fetched = await stage.fetch("back.bin", stage.bob, true);
    const sha256 = createHash("sha256").update(content).digest("hex");
    assert.deepEqual([fetched.sizeBytes, fetched.sha256, shared.sha256], [length, sha256, sha256]);
    assert.equal(fetched.fromKey, stage.ada.publicKey);
    assert.deepEqual(await Deno.readFile(stage.path("back.bin")), new Uint8Array(content));
    stage.store.files.clear();
  }
});

onStage("the broker keeps nothing of content, size or key that it could read", async (stage) => {
  const content = new TextEncoder().encode(
    "a plain sentence that nobody else may read ".repeat(99),
  );
  await stage.share(content, [stage.bob.publicKey]);
  const { bytes, sealedKeys } = stage.store.only;
  assert.ok(!new TextDecoder("latin1").decode(bytes).includes("plain sentence"));
  assert.equal(bytes.length, FILE_HEADER_BYTES + content.length + 16);
  assert.deepEqual(
    sealedKeys.map((key) => key.pubkey),
    [stage.ada.publicKey, stage.bob.publicKey],
  );
});

onStage("an upload goes on where connections ended, sealing nothing twice", async (stage) => {
  stage.store.cutUploads = [0, 100, FILE_HEADER_BYTES, SEALED_CHUNK_BYTES + 7, 500_000];
  stage.store.refusals = [{ error: "shutting_down", status: 503 }, {
    error: "expired",
    status: 410,
  }];
  const content = randomBytes(9 * MIB);
  await stage.share(content);
  await stage.fetch("back.bin");
  assert.deepEqual(await Deno.readFile(stage.path("back.bin")), new Uint8Array(content));
  assert.ok(stage.store.calls.filter((wire) => wire === "resume_file_upload").length >= 7);
});

onStage("a download goes on where connections ended, at a chunk", async (stage) => {
  const content = randomBytes(5 * MIB);
  await stage.share(content);
  stage.store.requests.length = 0;
  stage.store.cutDownloads = [0, 5, FILE_HEADER_BYTES, 2 * MIB, 100, 3 * MIB];
  stage.store.refusals = [{ error: "expired", status: 410 }];
  await stage.fetch("back.bin");
  assert.deepEqual(await Deno.readFile(stage.path("back.bin")), new Uint8Array(content));
  const from = stage.store.requests.map((each) => Number(/bytes=(\d+)/.exec(each)?.[1] ?? 0));
  for (const offset of from.filter((each) => each > 0)) {
    assert.equal((offset - FILE_HEADER_BYTES) % SEALED_CHUNK_BYTES, 0);
  }
  assert.ok(Math.max(...from) > 2 * MIB);
});

onStage(
  "a broker that has lost what it acknowledged gets no second version of it",
  async (stage) => {
    stage.store.cutUploads = [null, 5];
    stage.store.before = (wire) => {
      if (wire !== "resume_file_upload") return;
      for (const upload of stage.store.uploads.values()) upload.bytes = new Uint8Array(100);
    };
    await fails(stage.share(randomBytes(9 * MIB)), "bad_answer", /lost a part/);
    assert.equal(stage.store.uploads.size, 0);
  },
);

onStage("a key that is rotated meanwhile is taken for the commit", async (stage) => {
  const world = stage.world(stage.ada);
  await Deno.writeTextFile(stage.path("a.txt"), "text");
  stage.store.epoch = 2;
  const refreshKeys = () => {
    stage.epochs.set(2, newEpochKey());
    return Promise.resolve();
  };
  const request = { path: stage.path("a.txt"), readers: null };
  await uploadFile({ ...world, refreshKeys }, request, control());
  assert.equal(stage.store.only.wrappedKeys[0]?.epoch, 2);
  assert.equal((await stage.fetch("b.txt")).sizeBytes, 4);
});

onStage("an acknowledgement that was lost is no reason to share twice", async (stage) => {
  const call = stage.store.callAs(stage.ada.publicKey);
  let lost = false;
  const losing = (async (op: { wire: string }, input: never) => {
    const answer = await (call as (op: unknown, input: never) => Promise<unknown>)(op, input);
    if (op.wire !== "commit_file_upload" || lost) return answer;
    lost = true;
    throw new LocalError("timeout", "the answer did not come");
  }) as unknown as TransferWorld["call"];
  await Deno.writeTextFile(stage.path("a.txt"), "text");
  const request = { path: stage.path("a.txt"), readers: null };
  const shared = await uploadFile({ ...stage.world(stage.ada), call: losing }, request, control());
  assert.equal(shared.file.id, stage.store.only.fileId);
  assert.ok(lost);
});

onStage("a file that changes while it is shared is not shared", async (stage) => {
  await Deno.writeFile(stage.path("a.bin"), randomBytes(MIB));
  const request = { path: stage.path("a.bin"), readers: null };
  const changing = (content: Uint8Array) =>
    uploadFile(
      stage.world(stage.ada),
      request,
      control(({ phase, doneBytes }) => {
        if (phase === "reading" && doneBytes === MIB) Deno.writeFileSync(request.path, content);
      }),
    );
  await fails(changing(randomBytes(MIB)), "invalid_file", /changed/);
  await fails(changing(randomBytes(10)), "invalid_file", /changed/);
  await Deno.writeFile(stage.path("a.bin"), randomBytes(MIB));
  await fails(changing(randomBytes(MIB + 1)), "invalid_file", /changed/);
  assert.equal(stage.store.files.size + stage.store.uploads.size, 0);
});

onStage("what cannot be shared is refused before anything is sent", async (stage) => {
  const world = stage.world(stage.ada);
  const share = (path: string) => uploadFile(world, { path, readers: null }, control());
  await fails(share(stage.path("none")), "not_found");
  await fails(share(stage.folder), "invalid_file", /no ordinary file/);
  await fails(share("relative.txt"), "invalid_argument");
  await Deno.writeTextFile(stage.path("a.txt"), "text");
  const keyless = stage.world(stage.ada, new Map());
  const request = { path: stage.path("a.txt"), readers: null };
  await fails(uploadFile(keyless, request, control()), "waiting_for_key");
  assert.deepEqual(stage.store.calls, []);
});

onStage("a transfer that is cancelled leaves nothing, here or at the broker", async (stage) => {
  await stage.share(randomBytes(5 * MIB), null, "first.bin");
  const cancelled = new LocalError("cancelled", "told to stop");
  for (const phase of ["sending", "fetching"] as const) {
    const abort = new AbortController();
    const onProgress = (progress: Progress) => {
      if (progress.phase === phase) abort.abort(cancelled);
    };
    const watched = { signal: abort.signal, onProgress };
    const { fileId } = stage.store.only;
    const doing = phase === "sending"
      ? uploadFile(
        stage.world(stage.ada),
        { path: stage.path("first.bin"), readers: null },
        watched,
      )
      : downloadFile(
        stage.world(stage.bob),
        { fileId, saveTo: stage.path("x"), force: false },
        watched,
      );
    await fails(doing, "cancelled");
  }
  assert.equal(stage.store.uploads.size, 0);
  await assert.rejects(Deno.stat(stage.path("x")), Deno.errors.NotFound);
});

onStage("who was given no key cannot open a file, and a wrong key opens none", async (stage) => {
  await stage.share(randomBytes(10), [stage.bob.publicKey]);
  const mallory = generateKeyPair();
  await fails(stage.fetch("x", mallory), "waiting_for_key");
  const { sealedKeys } = stage.store.only;
  sealedKeys.push({
    pubkey: mallory.publicKey,
    sealedKey: sealKeyFor(mallory.publicKey, randomBytes(32)),
  });
  await fails(stage.fetch("x", mallory), "damaged_file", /does not open/);
  assert.equal((await stage.fetch("y", stage.bob)).sizeBytes, 10);
  assert.equal((await stage.fetch("z", stage.ada)).sizeBytes, 10);
});

onStage(
  "any byte that was changed at the broker is found out, and nothing is kept",
  async (stage) => {
    const content = randomBytes(3 * FILE_CHUNK_BYTES);
    await stage.share(content);
    const file = stage.store.only;
    const genuine = file.bytes.slice();
    const places = [0, 3, 5, 12, 20, FILE_HEADER_BYTES - 1, FILE_HEADER_BYTES];
    for (const at of [...places, FILE_HEADER_BYTES + 2 * SEALED_CHUNK_BYTES, genuine.length - 1]) {
      file.bytes = genuine.slice();
      file.bytes[at]! ^= 1;
      file.sha256 = createHash("sha256").update(file.bytes).digest("hex");
      await fails(stage.fetch(`x${at}`), "damaged_file", /not what Ada shared/);
      await assert.rejects(Deno.stat(stage.path(`x${at}`)), Deno.errors.NotFound);
    }
  },
);

onStage("cut, extended and reordered bytes are found out", async (stage) => {
  await stage.share(randomBytes(3 * FILE_CHUNK_BYTES));
  const file = stage.store.only as { size: number } & typeof stage.store.only;
  const genuine = file.bytes.slice();
  const chunk = (index: number) => {
    const at = FILE_HEADER_BYTES + index * SEALED_CHUNK_BYTES;
    return genuine.subarray(at, at + SEALED_CHUNK_BYTES);
  };
  const header = genuine.subarray(0, FILE_HEADER_BYTES);
  const versions = [
    [header, chunk(0), chunk(1)],
    [header, chunk(1), chunk(0), chunk(2)],
    [header, chunk(0), chunk(1), chunk(2), chunk(2)],
    [header, chunk(0), chunk(0), chunk(2)],
    [header],
    [header.subarray(0, 100)],
  ];
  for (const parts of versions) {
    file.bytes = new Uint8Array(await new Blob(parts as BlobPart[]).arrayBuffer());
    (file as { size: number }).size = file.bytes.length;
    file.sha256 = createHash("sha256").update(file.bytes).digest("hex");
    await fails(stage.fetch("x"), "damaged_file");
  }
});

onStage("a broker cannot put one file in the place of another", async (stage) => {
  const first = await stage.share(randomBytes(100), [stage.bob.publicKey], "first.bin");
  const second = await stage.share(randomBytes(100), [stage.bob.publicKey], "second.bin");
  const { files } = stage.store;
  const swapped = { ...files.get(second.file.id)!, fileId: first.file.id };
  files.clear();
  files.set(first.file.id, swapped);
  await fails(stage.fetch("x"), "damaged_file", /does not open/);
});

onStage("a broker cannot say that another member has shared a file", async (stage) => {
  await stage.share(randomBytes(100));
  stage.store.only.by = stage.bob.publicKey;
  await fails(stage.fetch("x"), "damaged_file", /somebody else/);
});

onStage(
  "a broker that tells another SHA-256, or another file after a break, is found out",
  async (stage) => {
    await stage.share(randomBytes(3 * MIB));
    const file = stage.store.only;
    const { sha256 } = file;
    file.sha256 = "0".repeat(64);
    await fails(stage.fetch("x"), "damaged_file", /SHA-256/);
    file.sha256 = sha256;
    stage.store.cutDownloads = [2 * MIB];
    let asked = 0;
    stage.store.before = (wire) => {
      if (wire === "get_file" && ++asked === 2) file.sha256 = "1".repeat(64);
    };
    await fails(stage.fetch("x"), "damaged_file", /another file/);
  },
);

onStage("what is there is not written over unless it is asked for", async (stage) => {
  await stage.share(new TextEncoder().encode("new"));
  await Deno.writeTextFile(stage.path("kept.txt"), "old");
  await Deno.symlink(stage.path("kept.txt"), stage.path("link.txt"));
  const { length } = stage.store.calls;
  await fails(stage.fetch("kept.txt"), "already_exists");
  await fails(stage.fetch("link.txt"), "already_exists");
  assert.equal(stage.store.calls.length, length);
  // A link is replaced, never followed.
  await stage.fetch("link.txt", stage.bob, true);
  assert.equal(await Deno.readTextFile(stage.path("kept.txt")), "old");
  assert.ok((await Deno.lstat(stage.path("link.txt"))).isFile);
  await stage.fetch("kept.txt", stage.bob, true);
  assert.equal(await Deno.readTextFile(stage.path("kept.txt")), "new");
});

onStage("folders are made, and a folder takes the sharer's name, made safe", async (stage) => {
  await Deno.writeTextFile(stage.path("a.txt"), "text");
  const request = { path: stage.path("a.txt"), readers: null, name: "../.bashrc" };
  await uploadFile(stage.world(stage.ada), request, control());
  const fetched = await stage.fetch("new/deep/");
  assert.equal(fetched.path, stage.path("new/deep/_.bashrc"));
  assert.equal(await Deno.readTextFile(fetched.path), "text");
  await fails(stage.fetch("new/deep"), "already_exists");
  await Deno.mkdir(stage.path("new/folder"));
  assert.equal((await stage.fetch("new/folder")).path, stage.path("new/folder/_.bashrc"));
});

onStage("somebody who takes the name meanwhile keeps it", async (stage) => {
  await stage.share(randomBytes(3 * MIB));
  const { fileId } = stage.store.only;
  const request = { fileId, saveTo: stage.path("x"), force: false };
  const taking = control(() => Deno.writeTextFileSync(stage.path("x"), "theirs"));
  await fails(downloadFile(stage.world(stage.bob), request, taking), "already_exists");
  assert.equal(await Deno.readTextFile(stage.path("x")), "theirs");
});

onStage(
  "a broker that names an address of this machine's own services gets no request",
  async (stage) => {
    await stage.share(randomBytes(10));
    const elsewhere = { ...stage.world(stage.bob), brokerUrl: "https://mesh.example.org" };
    const { fileId } = stage.store.only;
    stage.store.requests.length = 0;
    const request = { fileId, saveTo: stage.path("x"), force: false };
    await fails(downloadFile(elsewhere, request, control()), "bad_answer", /address/);
    assert.deepEqual(stage.store.requests, []);
  },
);
