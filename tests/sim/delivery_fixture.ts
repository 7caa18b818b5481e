/**
 * A broker's delivery over a store in memory and a clock that stands still, for unit tests.
 */
import { defaultLimits, type Limits } from "../../broker/api/limits.ts";
import { messaging, type Push, type SendInput } from "../../broker/api/messaging.ts";
import { Delivery } from "../../broker/core/delivery/delivery.ts";
import { Ledger } from "../../broker/core/ledger.ts";
import { Metrics } from "../../broker/core/metrics.ts";
import type { Member, Mesh } from "../../broker/core/model.ts";
import { FakeClock, settle } from "./fake_clock.ts";
import { FakeConnection, fakeMember, fakeMesh, fakeSession } from "./fake_mesh.ts";
import { MemoryMessageStore } from "./memory_message_store.ts";
import { SeededRandom } from "./seeded_random.ts";

export interface FixtureOptions {
  readonly limits?: Partial<Limits>;
  readonly payloadCacheBytes?: number;
  /** Taken over from an earlier life. */
  readonly store?: MemoryMessageStore;
  readonly clock?: FakeClock;
}

export interface Fixture {
  readonly clock: FakeClock;
  readonly store: MemoryMessageStore;
  readonly mesh: Mesh;
  /** Members 1, 2 and 3, each with a control connection's session "agent" that is not connected. */
  readonly ada: Member;
  readonly ben: Member;
  readonly cleo: Member;
  readonly ledger: Ledger;
  readonly delivery: Delivery;
  readonly errors: unknown[];
}

/** Makes one life of a broker. */
export async function openFixture(options: FixtureOptions = {}): Promise<Fixture> {
  const clock = options.clock ?? new FakeClock();
  const store = options.store ?? new MemoryMessageStore();
  const errors: unknown[] = [];
  const onError = (error: unknown) => errors.push(error);
  const sql = { transaction: () => Promise.reject(new Error("no transactions here")) };
  const random = new SeededRandom(store.messages.size + 1);
  const ledger = await Ledger.open({ store, sql, clock, random, onError });
  const delivery = new Delivery({
    store,
    ledger,
    clock,
    limits: { ...defaultLimits(), ...options.limits },
    metrics: new Metrics(),
    onError,
    ...(options.payloadCacheBytes === undefined
      ? {}
      : { payloadCacheBytes: options.payloadCacheBytes }),
  });
  const mesh = fakeMesh("mesh1", await store.auditHead("mesh1") ?? "genesis");
  const [ada, ben, cleo] = ["Ada", "Ben", "Cleo"].map((name, index) => {
    const member = fakeMember(mesh, index + 1, name);
    fakeSession(member, "agent", "control-plane");
    return member;
  }) as [Member, Member, Member];
  await delivery.load(mesh);
  return { clock, store, mesh, ada, ben, cleo, ledger, delivery, errors };
}

/** Connects a member's session, by default its agent, and pushes what waits. */
export function connect(
  { delivery }: Fixture,
  member: Member,
  sessionId = "agent",
  options: { acks?: boolean; batch?: boolean } = {},
): FakeConnection {
  const session = member.sessions.get(sessionId);
  if (session === undefined) throw new Error(`no session ${sessionId}`);
  const connection = new FakeConnection(session, options);
  delivery.drain(member);
  return connection;
}

/** Ends a connection as its socket would. */
export function disconnect({ delivery }: Fixture, connection: FakeConnection): void {
  connection.close();
  delivery.connectionClosed(connection);
}

/** Returns a send's input as the dispatcher hands it on. */
export function sendInput(targetSpec: string, change: Partial<SendInput> = {}): SendInput {
  const input = { targetSpec, nonce: "bm9uY2U=", ciphertext: "dGV4dA==", bodyVersion: 2, epoch: 1 };
  return { ...messaging.send.input.parse(input), ...change };
}

/** Sends and waits for the answer; returns the message's id. */
export async function send(
  fixture: Fixture,
  from: FakeConnection,
  targetSpec: string,
  change: Partial<SendInput> = {},
): Promise<string> {
  const answer = fixture.delivery.send(from, sendInput(targetSpec, change));
  answer.catch(() => {});
  await fixture.clock.advance(2);
  return (await answer).messageId;
}

/** The pushes that a connection got, those in batches too. */
export function pushes(connection: FakeConnection): Push[] {
  return connection.frames.flatMap((frame) => {
    const parsed = JSON.parse(frame);
    return parsed.type === "push_batch" ? parsed.pushes : [parsed];
  });
}

/** The message ids of the pushes that a connection got. */
export function pushedIds(connection: FakeConnection): string[] {
  return pushes(connection).map(({ messageId }) => messageId);
}

/** Acknowledges messages. */
export function ack({ delivery }: Fixture, by: FakeConnection, ids: readonly string[]): number {
  return delivery.ack(by, { brokerMessageIds: [...ids] });
}

/** Lets everything accepted reach the store. */
export async function flushed({ clock, delivery }: Fixture): Promise<void> {
  const flush = delivery.flush();
  flush.catch(() => {});
  await clock.advance(5);
  await flush;
  await settle();
}
