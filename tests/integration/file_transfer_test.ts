/**
 * Agents that share files through a real broker, and read from each other's shared folders: what arrives, what the broker
 * sees of it, who is let in, and what becomes of a file that was changed where the broker keeps it.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { MeshError } from "../../broker/api/errors.ts";
import { members } from "../../broker/api/members.ts";
import { sharedFiles } from "../../broker/api/shared_files.ts";
import type { TransferControl } from "../../agent/core/files/transfer.ts";
import { LocalError } from "../../agent/core/local_error.ts";
import { freePort } from "../../agent/verbs/demo/free_port.ts";
import { randomBytes } from "../../crypto/random.ts";
import { gather, type TestAgent, withAgents } from "../support/agent.ts";
import { TestBroker } from "../support/broker.ts";
import { eachDriver } from "../support/sql.ts";

interface Scene {
  readonly broker: TestBroker;
  readonly agents: TestAgent[];
  /** A folder for the test's own files. */
  readonly folder: string;
}

function withFiles(
  name: string,
  names: readonly [string, ...string[]],
  run: (scene: Scene) => Promise<void>,
  port: "any port" | "fixed port" = "any port",
): void {
  eachDriver(name, async (open) => {
    const settings = port === "fixed port" ? { port: await freePort() } : {};
    const broker = await TestBroker.start(await open(), { settings });
    const folder = await Deno.realPath(await Deno.makeTempDir({ prefix: "claudemesh-files-" }));
    try {
      await withAgents(names, async (...agents) => {
        const [owner, ...others] = agents;
        await owner!.found(broker.broker.url, "team");
        await gather(owner!, ...others);
        await run({ broker, agents, folder });
      });
    } finally {
      await broker.close();
      await Deno.remove(folder, { recursive: true });
    }
  });
}

function control(onProgress: TransferControl["onProgress"] = () => {}): TransferControl {
  return { signal: new AbortController().signal, onProgress };
}

async function write(folder: string, name: string, content: Uint8Array): Promise<string> {
  const path = join(folder, name);
  await Deno.writeFile(path, content);
  return path;
}

async function fails(doing: Promise<unknown>, code: string): Promise<void> {
  await assert.rejects(doing, (error) => {
    assert.ok(error instanceof LocalError || error instanceof MeshError, String(error));
    assert.equal(error.code, code, error.message);
    return true;
  });
}

/** The files below `folder` that hold at least `leastBytes`. */
async function* largeFiles(folder: string, leastBytes: number): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = join(folder, name);
    if (isDirectory) yield* largeFiles(path, leastBytes);
    else if ((await Deno.stat(path)).size >= leastBytes) yield path;
  }
}

withFiles(
  "a file goes to the whole mesh and comes back as it was",
  ["Ada", "Bob"],
  async (scene) => {
    const { agents: [ada, bob], folder } = scene;
    const content = randomBytes(6_000_000);
    const path = await write(folder, "report.bin", content);
    const told = bob!.event("file_shared");
    const seen: string[] = [];
    const shared = await ada!.peer.files.share(
      { path, to: [], tags: ["q3"] },
      control(({ phase }) => seen.push(phase)),
    );
    assert.deepEqual([...new Set(seen)], ["reading", "sending"]);
    assert.equal((await told).fileId, shared.file.id);
    const fetched = await bob!.peer.files.fetch(
      { fileId: shared.file.id, saveTo: `${folder}/bob/`, force: false },
      control(),
    );
    assert.equal(fetched.path, join(folder, "bob/report.bin"));
    assert.deepEqual([fetched.sha256, fetched.from], [shared.sha256, "Ada"]);
    assert.equal(fetched.fromKey, ada!.peer.mesh.pubkey);
    assert.deepEqual(await Deno.readFile(fetched.path), new Uint8Array(content));
  },
);

withFiles("only who is named can fetch, until somebody who can lets another in", [
  "Ada",
  "Bob",
  "Cleo",
], async ({ agents: [ada, bob, cleo], folder }) => {
  const path = await write(folder, "plan.txt", new TextEncoder().encode("the plan"));
  const { file } = await ada!.peer.files.share({ path, to: ["bob"] }, control());
  const fetch = (agent: TestAgent) =>
    agent.peer.files.fetch(
      { fileId: file.id, saveTo: join(folder, agent.name), force: false },
      control(),
    );
  assert.equal((await fetch(bob!)).sizeBytes, 8);
  assert.equal((await fetch(ada!)).sizeBytes, 8);
  await fails(fetch(cleo!), "forbidden");
  const { granted } = await ada!.peer.files.grant(file.id, ["Cleo"]);
  assert.deepEqual(granted.map((peer) => peer.name), ["Cleo"]);
  assert.equal((await fetch(cleo!)).sizeBytes, 8);
  assert.equal(await Deno.readTextFile(join(folder, "Cleo")), "the plan");
});

withFiles("who joins after a rotation reads files that were shared before it", [
  "Ada",
  "Bob",
  "Cleo",
], async ({ agents: [ada, bob, cleo], folder }) => {
  const path = await write(folder, "plan.txt", new TextEncoder().encode("the plan"));
  const { file } = await ada!.peer.files.share({ path, to: [] }, control());
  const rotated = bob!.event("mesh_key_changed");
  await ada!.peer.call(members.ban, { target: "Cleo" });
  await rotated;
  await bob!.state("has the new key", (state) => state.epoch === 2 && state.keyState === "current");
  await ada!.state("has the new key", (state) => state.epoch === 2 && state.keyState === "current");
  assert.ok(cleo);
  assert.equal(await ada!.peer.files.rewrapKeys(), 1);
  assert.equal(await ada!.peer.files.rewrapKeys(), 0);
  const { wrappedKeys } = await bob!.peer.call(sharedFiles.getFile, { fileId: file.id });
  assert.equal(wrappedKeys[0]?.epoch, 2);
  await withAgents(["Dan"], async (dan) => {
    const { url } = await ada!.peer.createInvite({});
    await dan!.join(url);
    await dan!.ready();
    const request = { fileId: file.id, saveTo: join(folder, "dan"), force: false };
    assert.equal((await dan!.peer.files.fetch(request, control())).sizeBytes, 8);
  });
});

withFiles("what was changed on the broker's disk is found out and not kept", ["Ada", "Bob"], async (
  { broker, agents: [ada, bob], folder },
) => {
  const content = new TextEncoder().encode("never in the open ".repeat(20_000));
  const path = await write(folder, "plan.txt", content);
  const { file } = await ada!.peer.files.share({ path, to: [] }, control());
  const stored: string[] = [];
  for await (const each of largeFiles(broker.context.settings.dataDir, content.length)) {
    const bytes = await Deno.readFile(each);
    if (bytes.length === file.size) stored.push(each);
    assert.ok(!new TextDecoder("latin1").decode(bytes).includes("never in the open"), each);
  }
  assert.equal(stored.length, 1);
  const bytes = await Deno.readFile(stored[0]!);
  bytes[bytes.length - 1_000]! ^= 1;
  await Deno.chmod(stored[0]!, 0o600);
  await Deno.writeFile(stored[0]!, bytes);
  const request = { fileId: file.id, saveTo: join(folder, "copy.txt"), force: false };
  await fails(bob!.peer.files.fetch(request, control()), "damaged_file");
  const names = Array.from(Deno.readDirSync(folder), (entry) => entry.name);
  assert.deepEqual(names, ["plan.txt"]);
});

withFiles("transfers in both directions outlive a restart of the broker", ["Ada", "Bob"], async (
  { broker, agents: [ada, bob], folder },
) => {
  const content = randomBytes(20_000_000);
  const path = await write(folder, "large.bin", content);
  const restarts: Promise<void>[] = [];
  const restartIn = (wanted: string) =>
    control(({ phase, doneBytes }) => {
      const isDue = phase === wanted && doneBytes > 4_000_000 && doneBytes < 12_000_000;
      if (isDue && !due.has(phase)) restarts.push(broker.restart());
      if (isDue) due.add(phase);
    });
  const due = new Set<string>();
  const { file } = await ada!.peer.files.share({ path, to: [] }, restartIn("sending"));
  await Promise.all(restarts);
  await bob!.connected();
  const request = { fileId: file.id, saveTo: join(folder, "copy.bin"), force: false };
  await bob!.peer.files.fetch(request, restartIn("fetching"));
  await Promise.all(restarts);
  assert.equal(restarts.length, 2);
  assert.deepEqual(await Deno.readFile(request.saveTo), new Uint8Array(content));
}, "fixed port");

withFiles(
  "a peer's folder is read once it is shared and granted, and no longer",
  ["Ada", "Bob"],
  async (
    { agents: [ada, bob], folder },
  ) => {
    const content = randomBytes(1_500_000);
    await Deno.mkdir(join(folder, "docs"));
    await write(folder, "docs/data.bin", content);
    await write(folder, ".env", new TextEncoder().encode("SECRET=1"));
    const fetch = (saveTo: string, path = "docs/data.bin") =>
      bob!.peer.files.fetchFromPeer(
        { peer: "Ada", path, saveTo: join(folder, saveTo), force: false },
        control(),
      );
    await fails(fetch("early"), "forbidden");
    const { pubkey: bobKey } = bob!.peer.mesh;
    const grant = (capabilities: "file-read"[]) =>
      ada!.peer.call(members.setGrants, { grants: { [bobKey]: capabilities } });
    await grant(["file-read"]);
    await fails(fetch("early"), "forbidden");
    await ada!.peer.files.folders.add(folder, new Date());
    const served = ada!.event("peer_file_served");
    const { path, sizeBytes } = await fetch("copy.bin");
    assert.equal(sizeBytes, content.length);
    assert.deepEqual(await Deno.readFile(path), new Uint8Array(content));
    assert.deepEqual(await served, {
      pubkey: bobKey,
      name: "Bob",
      do: "read",
      path: "docs/data.bin",
      refused: null,
    });
    const listing = await bob!.peer.files.listPeer("Ada", "", null);
    assert.deepEqual(listing.entries.map((entry) => entry.path), [
      "copy.bin",
      "docs",
      "docs/data.bin",
    ]);
    await fails(fetch("env", ".env"), "forbidden");
    await fails(fetch("out", "../x"), "forbidden");
    await fails(ada!.peer.files.listPeer("Bob", "", null), "forbidden");
    await grant([]);
    await fails(fetch("late"), "forbidden");
  },
);

withFiles("a grant that only the broker knows of opens nothing", ["Ada", "Bob"], async (
  { broker, agents: [ada, bob], folder },
) => {
  await write(folder, "plan.txt", new TextEncoder().encode("the plan"));
  await ada!.peer.files.folders.add(folder, new Date());
  const mesh = broker.context.meshes.loaded(ada!.peer.mesh.meshId)!;
  const host = mesh.membersByPubkey.get(ada!.peer.mesh.pubkey)!;
  host.grants.set(bob!.peer.mesh.pubkey, ["file-read"]);
  await fails(bob!.peer.files.readPart("Ada", "plan.txt", 0), "forbidden");
});
