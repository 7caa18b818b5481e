/**
 * A broker whose store fails: a full disk and a stopped PostgreSQL are answered with their own
 * codes, nothing that was accepted is lost, and everything goes on when the store is back.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { readKeyFile } from "../../agent/home/key_file.ts";
import { type Frame, TestPeer } from "../support/peer.ts";
import { readInboxFile } from "../support/inbox_file.ts";
import { Person } from "../support/person.ts";
import { postgresBinaries, PrivatePostgres } from "../support/private_postgres.ts";
import { type ProgramBroker, startProgramBroker } from "../support/program.ts";
import { until } from "../support/until.ts";
import { Account } from "./crash/account.ts";
import { type Planned, sendBatch } from "./crash/batch.ts";
import { connected, inboxWhole, outboxEmpty } from "./crash/settle.ts";

const DISK = "160m";
const LARGE_BYTES = 150_000;
const READY_LIMIT_MS = 30_000;

/** Why no small disk can be mounted here; null when it can. */
async function noMount(): Promise<string | null> {
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) return "it needs root on Linux to mount one";
  const folder = await Deno.makeTempDir({ prefix: "claudemesh-disk-" });
  try {
    await using _disk = await mount(folder);
    return null;
  } catch (error) {
    return `mounting one failed: ${error instanceof Error ? error.message : error}`;
  }
}

/** Mounts a small disk; disposing takes it and its folder away. */
async function mount(folder: string): Promise<AsyncDisposable> {
  async function run(program: string, ...args: string[]): Promise<void> {
    const { success, stderr } = await new Deno.Command(program, { args }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr).trim());
  }
  try {
    await run("mount", "-t", "tmpfs", "-o", `size=${DISK}`, "tmpfs", folder);
  } catch (error) {
    await Deno.remove(folder);
    throw error;
  }
  return {
    async [Symbol.asyncDispose]() {
      await run("umount", folder);
      await Deno.remove(folder);
    },
  };
}

/** Writes until nothing more fits. @returns the file to be removed. */
async function fillDisk(folder: string): Promise<string> {
  const path = join(folder, "ballast");
  using file = await Deno.open(path, { create: true, write: true });
  const block = new Uint8Array(65_536);
  try {
    for (;;) await file.write(block);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
    return path;
  }
}

interface Team {
  readonly ada: Person;
  readonly bob: Person;
  readonly meshId: string;
  readonly account: Account;
  /** A connection of Ada's that says what the broker answers, word by word. */
  readonly peer: TestPeer;
  /** A key that nobody's agent answers to: what is sent there is never opened. */
  readonly cleosKey: string;
}

async function gather(broker: ProgramBroker, cleanUp: AsyncDisposableStack): Promise<Team> {
  const [ada, bob, cleo] = await Promise.all(
    ["Ada", "Bob", "Cleo"].map(async (name) => {
      const person = await Person.create(name);
      cleanUp.defer(() => person.close());
      return person;
    }),
  ) as [Person, Person, Person];
  await ada.ask("new", "team", "--broker", broker.url);
  const { url } = await ada.ask("invite", "--uses", "2");
  await bob.ask("join", String(url));
  await cleo.ask("join", String(url));
  await cleo.ask("agent", "stop");
  const { meshes } = await ada.ask("list") as { meshes: { mesh_id: string; member_id: string }[] };
  const { mesh_id: meshId, member_id: id } = meshes[0]!;
  const keyOf = (person: Person) => readKeyFile(join(person.paths.keysDir, `${meshId}.key`));
  const peer = await TestPeer.connect(`${broker.url.replace("http", "ws")}/ws`);
  cleanUp.defer(() => peer.close());
  await peer.sessionHello({ id, meshId, keys: keyOf(ada) });
  return { ada, bob, meshId, account: new Account(), peer, cleosKey: keyOf(cleo).publicKey };
}

/** What the broker answers to a large message. */
async function sendLarge({ peer, cleosKey }: Team): Promise<Frame> {
  return await peer.request("send", {
    targetSpec: cleosKey,
    nonce: btoa("n".repeat(24)),
    ciphertext: btoa("x".repeat(LARGE_BYTES)),
    client_message_id: crypto.randomUUID(),
  });
}

async function tellBob({ ada, account }: Team, count: number): Promise<void> {
  const one: Planned = { to: ["Bob"], recipients: ["Bob"], priority: "next", waitMs: 200 };
  await ada.withAgent((client) =>
    sendBatch(client, "Ada", Array.from({ length: count }, () => one), account)
  );
}

/** Everything that Ada's agent accepted is with Bob, once and in order. */
async function settles({ ada, bob, account, meshId }: Team): Promise<void> {
  await Promise.all([ada, bob].map(connected));
  await outboxEmpty(ada);
  await inboxWhole(bob, meshId, account.promisedTo("Bob"));
  assert.deepEqual(account.breaches("Bob", readInboxFile(bob, meshId)), []);
}

async function ready(broker: ProgramBroker): Promise<boolean> {
  const response = await fetch(`${broker.url}/health/ready`);
  await response.body?.cancel();
  return response.ok;
}

const reason = await noMount();
if (reason !== null) console.log(`the full disk is skipped: ${reason}`);
const binaries = postgresBinaries();
if (binaries === null) console.log("the stopped PostgreSQL is skipped: no server is installed");

Deno.test({
  name: "a full disk is answered with storage_full and loses nothing, also through a crash",
  ignore: reason !== null,
  async fn() {
    await using cleanUp = new AsyncDisposableStack();
    const dataDir = await Deno.makeTempDir({ prefix: "claudemesh-disk-" });
    cleanUp.use(await mount(dataDir));
    const broker = await startProgramBroker({ dataDir });
    cleanUp.defer(() => broker.close());
    const team = await gather(broker, cleanUp);
    await tellBob(team, 5);
    const ballast = await fillDisk(dataDir);
    const refused = await until("a large message is refused", READY_LIMIT_MS, async () => {
      const answer = await sendLarge(team);
      return answer.type === "error" ? answer : null;
    });
    assert.equal(refused.code, "storage_full");
    await tellBob(team, 5);
    await broker.stop("SIGKILL");
    await Deno.remove(ballast);
    await broker.start();
    await tellBob(team, 5);
    await settles(team);
  },
});

Deno.test({
  name: "a broker with a full disk goes on by itself when there is room again",
  ignore: reason !== null,
  async fn() {
    await using cleanUp = new AsyncDisposableStack();
    const dataDir = await Deno.makeTempDir({ prefix: "claudemesh-disk-" });
    cleanUp.use(await mount(dataDir));
    const broker = await startProgramBroker({ dataDir });
    cleanUp.defer(() => broker.close());
    const team = await gather(broker, cleanUp);
    const ballast = await fillDisk(dataDir);
    assert.equal((await sendLarge(team)).code, "storage_full");
    await tellBob(team, 5);
    await Deno.remove(ballast);
    const stored = await until("a large message is stored", READY_LIMIT_MS, async () => {
      const answer = await sendLarge(team);
      return answer.type === "ack" ? answer : null;
    });
    assert.equal(stored.recipients, 1);
    await settles(team);
  },
});

Deno.test({
  name: "a stopped PostgreSQL is answered with unavailable and loses nothing",
  ignore: binaries === null,
  async fn() {
    await using cleanUp = new AsyncDisposableStack();
    const postgres = cleanUp.use(await PrivatePostgres.start(binaries!));
    const broker = await startProgramBroker({ databaseUrl: postgres.url });
    cleanUp.defer(() => broker.close());
    const team = await gather(broker, cleanUp);
    await tellBob(team, 5);
    await postgres.stop();
    assert.equal((await sendLarge(team)).code, "unavailable");
    assert.equal(await ready(broker), false);
    await tellBob(team, 5);
    await postgres.start();
    await until("the broker is ready again", READY_LIMIT_MS, () => ready(broker));
    await tellBob(team, 5);
    await settles(team);
  },
});
