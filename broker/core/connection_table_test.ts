/** Counts of sockets against their limits, and the cut of those that take nothing. */
import assert from "node:assert/strict";
import { defaultLimits } from "../api/limits.ts";
import { ConnectionTable, type TrackedSocket } from "./connection_table.ts";
import { Metrics } from "./metrics.ts";

class FakeSocket implements TrackedSocket {
  meshId: string | null = null;
  readonly address: string;
  takenBytes = 0;
  waitingBytes = 0;
  closing: [number, string] | null = null;

  constructor(address = "10.0.0.1") {
    this.address = address;
  }

  progress() {
    return { takenBytes: this.takenBytes, waitingBytes: this.waitingBytes };
  }

  close(code: number, reason: string): void {
    this.closing = [code, reason];
  }
}

function makeTable(limits: Partial<ReturnType<typeof defaultLimits>> = {}) {
  let nowMs = 0;
  const clock = { now: () => nowMs, after: () => () => {} };
  const table = new ConnectionTable({ ...defaultLimits(), ...limits }, clock, new Metrics());
  return { table, pass: (ms: number) => nowMs += ms };
}

Deno.test("a peer that takes nothing of what waits for it is cut after 75 s", () => {
  const { table, pass } = makeTable();
  const [stuck, slow, idle] = [new FakeSocket(), new FakeSocket(), new FakeSocket()];
  for (const socket of [stuck, slow, idle]) table.add(socket);
  stuck.waitingBytes = 10;
  slow.waitingBytes = 10;
  for (let elapsed = 0; elapsed < 75_000; elapsed += 15_000) {
    table.sweep();
    assert.deepEqual([stuck.closing, slow.closing, idle.closing], [null, null, null]);
    slow.takenBytes += 1;
    pass(15_000);
  }
  table.sweep();
  assert.deepEqual(stuck.closing, [4008, "slow_reader"]);
  assert.deepEqual([slow.closing, idle.closing], [null, null]);
});

Deno.test("a socket counts for its address until its hello, for its mesh after it, until it is gone", () => {
  const { table } = makeTable({ unauthenticatedPerAddress: 1, connectionsPerMesh: 1 });
  const socket = new FakeSocket();
  table.add(socket);
  assert.throws(() => table.requireAddress(socket.address), /1 connections of this address/);
  table.requireAddress("10.0.0.2");
  socket.meshId = "m";
  table.authenticated(socket);
  table.requireAddress(socket.address);
  assert.throws(() => table.requireRoom("m"), /the mesh has its 1 connections/);
  table.requireRoom("other");
  table.remove(socket);
  table.remove(socket);
  table.requireRoom("m");
});

Deno.test("waiting for the last socket ends with it", async () => {
  const { table } = makeTable();
  await table.empty();
  const sockets = [new FakeSocket(), new FakeSocket()];
  for (const socket of sockets) table.add(socket);
  let isEmpty = false;
  const empty = table.empty().then(() => isEmpty = true);
  table.closeAll(1001, "shutting down");
  assert.deepEqual(sockets.map(({ closing }) => closing?.[0]), [1001, 1001]);
  table.remove(sockets[0]!);
  await Promise.resolve();
  assert.equal(isEmpty, false);
  table.remove(sockets[1]!);
  await empty;
});
