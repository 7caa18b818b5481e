/** Which session a connection or a hook belongs to. */
import assert from "node:assert/strict";
import { Sessions } from "./sessions.ts";

function sink() {
  return { emit() {} };
}

function attach(sessions: Sessions, sessionId: string, pid: number) {
  const connection = sink();
  const params = { sessionId, pid, cwd: "/" };
  return { connection, ...sessions.attach(params, connection, "push") };
}

Deno.test("a session lives as long as one of its connections", () => {
  const sessions = new Sessions();
  const first = attach(sessions, "s", 1);
  const second = attach(sessions, "s", 1);
  assert.deepEqual([first.isNew, second.isNew], [true, false]);
  assert.equal(sessions.release("s", first.connection), null);
  assert.equal(sessions.release("s", first.connection), null, "twice is once");
  assert.equal(sessions.release("s", second.connection)?.sessionId, "s");
  assert.deepEqual(sessions.all(), []);
});

Deno.test("a hook is known by its session, else by the one session of its host", () => {
  const sessions = new Sessions();
  attach(sessions, "a", 10);
  attach(sessions, "b", 20);
  assert.equal(sessions.ofHook("a", [20])?.sessionId, "a");
  assert.equal(sessions.ofHook("new", [5, 20, 10])?.sessionId, "b", "the nearest process counts");
  assert.equal(sessions.ofHook("new", [])?.sessionId, "b", "the new id is remembered");
  assert.equal(sessions.ofHook("other", [5]), undefined);
});

Deno.test("two sessions of one process are not told apart by it", () => {
  const sessions = new Sessions();
  attach(sessions, "a", 10);
  attach(sessions, "b", 10);
  assert.equal(sessions.ofHook("new", [10]), undefined);
});

Deno.test("other names of a session end with it", () => {
  const sessions = new Sessions();
  const { connection } = attach(sessions, "a", 10);
  sessions.ofHook("later", [10]);
  sessions.release("a", connection);
  attach(sessions, "c", 11);
  assert.equal(sessions.get("later"), undefined);
});

Deno.test("what hooks told before a session attached is taken over, and the mail is the same", () => {
  const sessions = new Sessions();
  const early = sessions.unattached("s");
  early.activity.status = "working";
  const { session } = attach(sessions, "s", 1);
  assert.equal(session.activity.status, "working");
  assert.equal(session.mail, early.mail);
});

Deno.test("of sessions that never attach only the latest are remembered", () => {
  const sessions = new Sessions();
  sessions.unattached("first").activity.status = "working";
  for (let count = 0; count < 64; count++) sessions.unattached(`s${count}`);
  assert.equal(sessions.unattached("first").activity.status, null);
});
