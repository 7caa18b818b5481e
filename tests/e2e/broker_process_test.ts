/** The broker as a process: what it refuses to start with, and how it ends. */
import assert from "node:assert/strict";
import { selfCommand } from "../../agent/home/self_command.ts";
import { TestPeer } from "../support/peer.ts";
import { foundTestMesh, ownerOf } from "../support/admission.ts";
import { until } from "../support/until.ts";
import { freePort } from "../../agent/verbs/demo/free_port.ts";
import { homeEnvironment, runCommand, startProgramBroker } from "../support/program.ts";

const SEALED = { nonce: "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH", ciphertext: "c2VhbGVk" };
const LIMIT_MS = 60_000;
const environment = { MAX_SENDS_PER_MINUTE: "100000", MAX_SEND_BURST: "100000" };

async function serve(
  words: readonly string[],
  home: string,
  extra: Readonly<Record<string, string>> = {},
) {
  return await runCommand(
    selfCommand(["serve", ...words]),
    { ...await homeEnvironment(home), ...extra },
    { timeoutMs: LIMIT_MS },
  );
}

Deno.test("SIGTERM finishes commits, closes with 1001 and ends with 0; what was acknowledged arrives", async () => {
  const broker = await startProgramBroker({ environment });
  try {
    const mesh = await foundTestMesh(broker.url);
    const socketUrl = `${broker.url.replace("http", "ws")}/ws`;
    const peer = await TestPeer.connect(socketUrl);
    await peer.hello(ownerOf(mesh));
    const target = { targetSpec: mesh.owner.publicKey, priority: "now", ...SEALED };
    for (let count = 0; count < 300; count += 1) {
      peer.send({ type: "send", client_message_id: `m${count}`, ...target });
    }
    await peer.nextOf("ack");
    const code = broker.stop("SIGTERM");
    assert.deepEqual(await peer.closed, { code: 1001, reason: "shutting down" });
    assert.equal(await code, 0);
    const acked = peer.frames.filter(({ type }) => type === "ack").length + 1;
    const refused = peer.frames.filter(({ type }) => type === "error");
    assert.ok(refused.every((frame) => frame.code === "shutting_down"), JSON.stringify(refused[0]));

    await broker.start();
    const again = await TestPeer.connect(socketUrl);
    await again.hello(ownerOf(mesh));
    const arrived = new Set<unknown>();
    while (arrived.size < acked) {
      const frame = await again.next(({ type }) => type === "push" || type === "push_batch");
      for (const push of (frame.pushes ?? [frame]) as { client_message_id: string }[]) {
        arrived.add(push.client_message_id);
      }
    }
    // Stored in the order of acknowledgement: the acknowledged ones are the first.
    assert.deepEqual(
      [...arrived].slice(0, acked),
      Array.from({ length: acked }, (_, i) => `m${i}`),
    );
    await again.close();
  } finally {
    await broker.close();
  }
});

Deno.test("a taken port and a data folder in use are refused with what to do", async () => {
  const broker = await startProgramBroker();
  const folder = await Deno.makeTempDir({ prefix: "claudemesh-test-" });
  try {
    const port = await serve(["--port", String(broker.port), "--data-dir", folder], folder);
    assert.equal(port.code, 3);
    assert.match(
      port.stderr,
      new RegExp(`port ${broker.port} on 127\\.0\\.0\\.1 is taken; .*--port`),
    );
    const words = ["--port", String(await freePort()), "--data-dir", broker.dataDir];
    const inUse = await serve(words, folder);
    assert.equal(inUse.code, 3);
    assert.match(inUse.stderr, /the data folder .* is open in process \d+; stop it first/);
    const ready = await (await fetch(`${broker.url}/health/ready`)).json();
    assert.equal(ready.status, "ready");
  } finally {
    await broker.close();
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("wrong configuration is refused with names and shapes, never with values", async () => {
  const folder = await Deno.makeTempDir({ prefix: "claudemesh-test-" });
  try {
    const secret = "not-a-key-but-secret";
    const { code, stdout, stderr } = await serve(["--data-dir", folder], folder, {
      PORT: "eighty",
      BROKER_ENCRYPTION_KEY: secret,
      DATABASE_URL: "mysql://root:hunter2@db/x",
      MAX_CONNECTIONS: "0",
    });
    assert.equal(code, 3);
    for (const name of ["PORT", "BROKER_ENCRYPTION_KEY", "DATABASE_URL", "MAX_CONNECTIONS"]) {
      assert.match(stderr, new RegExp(`claudemesh serve: ${name} must be `));
    }
    for (const value of [secret, "hunter2", "eighty"]) {
      assert.equal((stdout + stderr).includes(value), false, value);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a database that cannot be reached is told without its password", async () => {
  const folder = await Deno.makeTempDir({ prefix: "claudemesh-test-" });
  try {
    const port = await freePort();
    const { code, stderr } = await serve(["--port", "0", "--data-dir", folder], folder, {
      DATABASE_URL: `postgres://user:hunter2@127.0.0.1:${port}/x`,
    });
    assert.equal(code, 3);
    assert.match(stderr, /the database of DATABASE_URL cannot be used: .*; start its server or/);
    assert.equal(stderr.includes("hunter2"), false);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("the start-up lines name address, store, durability, public url and the token's file", async () => {
  const folder = await Deno.makeTempDir({ prefix: "claudemesh-test-" });
  const port = await freePort();
  const end = new AbortController();
  try {
    const running = runCommand(
      selfCommand(["serve", "--port", String(port), "--data-dir", folder]),
      await homeEnvironment(folder),
      { timeoutMs: LIMIT_MS, signal: end.signal },
    );
    await until("the broker is ready", LIMIT_MS, async () => {
      const response = await fetch(`http://127.0.0.1:${port}/health/ready`).catch(() => null);
      await response?.body?.cancel();
      return response?.ok ?? false;
    });
    end.abort();
    const { stdout } = await running;
    assert.match(stdout, new RegExp(`address +127\\.0\\.0\\.1 port ${port}`));
    assert.match(stdout, new RegExp(`public url +http://127\\.0\\.0\\.1:${port}\n`));
    assert.match(stdout, /store +embedded: one fdatasync per commit/);
    assert.match(stdout, new RegExp(`operator token +${folder}/operator\\.token`));
    const token = (await Deno.readTextFile(`${folder}/operator.token`)).trim();
    assert.equal(stdout.includes(token), false);
    const { mode } = await Deno.stat(`${folder}/operator.token`);
    assert.equal((mode ?? 0) & 0o777, 0o600);
  } finally {
    end.abort();
    await Deno.remove(folder, { recursive: true });
  }
});
