/** What is written of sessions behind the backs of those who change them. */
import assert from "node:assert/strict";
import { FakeClock } from "../../tests/sim/fake_clock.ts";
import { FakeConnection, fakeMember, fakeMesh, fakeSession } from "../../tests/sim/fake_mesh.ts";
import { MemoryMessageStore } from "../../tests/sim/memory_message_store.ts";
import { SqlError } from "../../storage/sql/port.ts";
import type { CommitBatch } from "../../storage/sql/queries/message_store.ts";
import type { PeerStateRow } from "../../storage/sql/queries/peer_state.ts";
import { groups } from "../features/groups.ts";
import { systemRandom } from "./clock.ts";
import type { Call } from "./context.ts";
import { Ledger } from "./ledger.ts";
import { brokerLog } from "./log.ts";
import type { Session } from "./model.ts";
import { SessionStore } from "./session_store.ts";

/** A store that keeps the groups of sessions as they were written last. */
class GroupStore extends MemoryMessageStore {
  readonly groups = new Map<string, string[]>();
  fails = false;

  override async commit(batch: CommitBatch): Promise<void> {
    if (this.fails) throw new SqlError("full", "made to fail");
    await super.commit(batch);
    for (const { text, params } of batch.statements) {
      if (!text.includes("into mesh.peer_state")) continue;
      for (const row of JSON.parse(String(params?.[1])) as PeerStateRow[]) {
        this.groups.set(row.sessionId, row.groups.map(({ name }) => name));
      }
    }
  }
}

async function opened() {
  const mesh = fakeMesh();
  const ada = fakeMember(mesh, 1, "Ada");
  const store = new GroupStore();
  const clock = new FakeClock();
  const ledger = await Ledger.open({
    store,
    sql: { transaction: () => Promise.reject(new Error("nobody asks for one")) },
    clock,
    random: systemRandom,
    onError: (error) => assert.fail(String(error)),
  });
  const sessions = new SessionStore(ledger, clock, brokerLog());
  const join = (session: Session, name: string) => {
    const broker = {
      ledger,
      sessions,
      delivery: { drain: () => {} },
      settings: { limits: { groups: 10 } },
    };
    const call = { broker, connection: new FakeConnection(session), requestId: null };
    return groups.joinGroup(call as unknown as Call, { name });
  };
  return { ada, store, clock, sessions, join };
}

Deno.test("a session that is written while it joins a group does not lose it again", async () => {
  const { ada, store, clock, sessions, join } = await opened();
  const session = fakeSession(ada, "s1");
  const joined = join(session, "crew");
  sessions.changed(session);
  const written = sessions.flush();
  await clock.advance(5);
  await Promise.all([joined, written]);
  assert.deepEqual(store.groups.get("s1"), ["crew"]);
});

Deno.test("of many sessions the later ones are written as they are when their turn comes", async () => {
  const { ada, store, clock, sessions, join } = await opened();
  const many = Array.from({ length: 300 }, (_, index) => fakeSession(ada, `s${index}`));
  for (const session of many) sessions.changed(session);
  const written = sessions.flush();
  const joined = join(many.at(-1)!, "crew");
  await clock.advance(50);
  await Promise.all([joined, written]);
  assert.equal(store.groups.size, 300);
  assert.deepEqual(store.groups.get("s299"), ["crew"]);
});

Deno.test("a group that could not be stored is not joined, and not written later", async () => {
  const { ada, store, clock, sessions, join } = await opened();
  const session = fakeSession(ada, "s1");
  store.fails = true;
  const refused = assert.rejects(join(session, "crew"));
  await clock.advance(5);
  await refused;
  assert.deepEqual(session.groups, []);
  store.fails = false;
  const written = sessions.flush();
  await clock.advance(5);
  await written;
  assert.deepEqual(store.groups.get("s1"), []);
});
