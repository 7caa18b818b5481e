/**
 * One life of a broker in a simulation: real ledger and delivery over an unreliable store, and just
 * enough of sessions to connect agents to them.
 */
import { MeshError } from "../../broker/api/errors.ts";
import type { Limits } from "../../broker/api/limits.ts";
import { Delivery } from "../../broker/core/delivery/delivery.ts";
import { Ledger } from "../../broker/core/ledger.ts";
import { Metrics } from "../../broker/core/metrics.ts";
import type { Connection, Member, Mesh, Session } from "../../broker/core/model.ts";
import type { MessageStore } from "../../storage/sql/queries/message_store.ts";
import { fakeMember, fakeMesh, fakeSession } from "./fake_mesh.ts";
import type { SimLink } from "./sim_link.ts";
import type { AgentPlan } from "./sim_plan.ts";
import { type StoreWorld, UnreliableStore } from "./unreliable_store.ts";

const LEASE_MS = 90_000;
const RETRY_MS = 100;
const metrics = new Metrics();

export interface BrokerWorld extends StoreWorld {
  readonly store: MessageStore;
  readonly limits: Limits;
  readonly payloadCacheBytes: number;
  readonly plans: readonly AgentPlan[];
  /** Sessions that hide, over all lives of the broker. */
  readonly hidden: ReadonlySet<string>;
  /** Hears whom a message must reach, at the moment the broker gets it. */
  expected(clientMessageId: string, recipients: readonly number[]): void;
  /** Hears of every refused send, also of those whose sender never gets the answer. */
  refused(memberNumber: number): void;
  failure(error: unknown): void;
}

export class SimBroker {
  readonly #world: BrokerWorld;
  readonly #store: UnreliableStore;
  #delivery: Delivery | null = null;
  #mesh: Mesh | null = null;
  #dead = false;
  #loaded = false;

  constructor(world: BrokerWorld) {
    this.#world = world;
    this.#store = new UnreliableStore(world.store, world);
    this.#start();
  }

  /** Null while it starts. */
  get delivery(): Delivery | null {
    return this.#delivery;
  }

  /** Whether open mail of earlier lives is known again. */
  get loaded(): boolean {
    return this.#loaded;
  }

  get members(): readonly Member[] {
    return [...this.#mesh?.membersById.values() ?? []];
  }

  /** Everything in memory is gone at once. */
  crash(): void {
    this.#dead = true;
    this.#store.crash();
    for (const connection of [...this.#mesh?.connections ?? []]) {
      (connection as SimConnection).link.endBroker();
    }
    this.#delivery?.close();
    this.#delivery = null;
  }

  /** Connects an agent's session; returns whether the broker is up. */
  connect(memberNumber: number, sessionId: string, link: SimLink): boolean {
    const session = this.#session(memberNumber, sessionId);
    if (this.#delivery === null || session === undefined) return false;
    (session.connection as SimConnection | null)?.end();
    const connection = new SimConnection(session, link);
    session.connection = connection;
    session.presence = "live";
    connection.mesh.connections.add(connection);
    connection.onClosed = () => this.#closed(connection);
    link.toBroker.attach({
      frame: (frame) => this.#frame(connection, frame),
      closed: () => connection.end(),
    });
    this.#delivery.drain(session.member);
    return true;
  }

  setStatus(memberNumber: number, sessionId: string, status: Session["status"]): void {
    const session = this.#session(memberNumber, sessionId);
    if (session === undefined || session.presence !== "live") return;
    session.status = status;
    this.#delivery?.drain(session.member);
  }

  sweep(): void {
    if (this.#mesh === null) return;
    this.#delivery?.load(this.#mesh).then(
      () => this.#loaded = true,
      (error) => this.#refusal(error),
    );
    this.#delivery?.sweep().catch((error) => this.#refusal(error));
  }

  #session(memberNumber: number, sessionId: string): Session | undefined {
    return this.#mesh?.membersByNumber.get(memberNumber)?.sessions.get(sessionId);
  }

  async #start(): Promise<void> {
    const { clock, random, limits, plans, payloadCacheBytes } = this.#world;
    const store = this.#store;
    const onError = (error: unknown) => this.#refusal(error);
    try {
      const auditHead = await store.auditHead("mesh1") ?? "genesis";
      const sql = { transaction: () => Promise.reject(new Error("not in this simulation")) };
      const ledger = await Ledger.open({ store, sql, clock, random, crowdJobs: 2, onError });
      this.#mesh = buildMesh(plans, auditHead, this.#world.hidden);
      this.#delivery = new Delivery({
        store,
        ledger,
        clock,
        limits,
        metrics,
        onError,
        payloadCacheBytes,
      });
    } catch (error) {
      this.#refusal(error);
      if (!this.#dead) clock.after(RETRY_MS, () => this.#dead || this.#start());
    }
  }

  /** The store's failures are part of the game; anything else is a mistake. */
  #refusal(error: unknown): void {
    const expected = error instanceof MeshError ? error.code === "unavailable" : isStoreDown(error);
    if (!expected) this.#world.failure(error);
  }

  #frame(connection: SimConnection, text: string): void {
    if (this.#dead || !connection.open || this.#delivery === null) return;
    const frame = JSON.parse(text);
    if (frame.type === "send") {
      this.#world.expected(
        frame.input.client_message_id,
        recipientsOf(connection.member, frame.input.targetSpec),
      );
      this.#delivery.send(connection, frame.input).then(
        (output) => connection.send(JSON.stringify({ type: "ack", ...output })),
        (error) => this.#refused(connection, frame.input.id, error),
      );
    } else if (frame.type === "client_ack") {
      this.#delivery.ack(connection, frame.input);
    } else {
      this.#delivery.seen(connection, frame.input);
    }
  }

  #refused(connection: SimConnection, id: string, error: unknown): void {
    if (!(error instanceof MeshError) || error.code === "internal") this.#world.failure(error);
    const code = error instanceof MeshError ? error.code : "internal";
    this.#world.refused(connection.member.number);
    connection.send(JSON.stringify({ type: "error", id, code }));
  }

  #closed(connection: SimConnection): void {
    if (this.#dead) return;
    const { session } = connection;
    if (session.connection === connection) {
      session.connection = null;
      session.presence = "leased";
      this.#world.clock.after(LEASE_MS, () => {
        if (session.connection === null) session.presence = "remembered";
      });
    }
    this.#delivery?.connectionClosed(connection);
  }
}

/** The broker's end of a link. */
class SimConnection implements Connection {
  readonly id = "connection";
  readonly mesh: Mesh;
  readonly member: Member;
  readonly session: Session;
  readonly acks = true;
  readonly unsentBytes = 0;
  readonly batch: boolean;
  readonly link: SimLink;
  open = true;
  onClosed: () => void = () => {};

  constructor(session: Session, link: SimLink) {
    this.session = session;
    this.member = session.member;
    this.mesh = session.member.mesh;
    this.batch = session.peerRole === "control-plane";
    this.link = link;
  }

  send(frame: string): void {
    if (this.open) this.link.toAgent.send(frame);
  }

  answer(frame: string): void {
    this.send(frame);
  }

  close(): void {
    this.end();
  }

  end(): void {
    if (!this.open) return;
    this.open = false;
    this.mesh.connections.delete(this);
    this.link.endBroker();
    this.onClosed();
  }
}

function isStoreDown(error: unknown): boolean {
  return error instanceof Error && "kind" in error && error.kind === "unavailable";
}

function buildMesh(
  plans: readonly AgentPlan[],
  auditHead: string,
  hidden: ReadonlySet<string>,
): Mesh {
  const mesh = fakeMesh("mesh1", auditHead);
  for (const plan of plans) {
    const member = fakeMember(mesh, plan.number);
    for (const blocked of plan.blocks) {
      member.grants.set(blocked.toString(16).padStart(64, "a"), []);
    }
    for (const sessionPlan of plan.sessions) {
      const session = fakeSession(member, sessionPlan.id, sessionPlan.role, sessionPlan.pubkey);
      session.groups = sessionPlan.groups.map((name) => ({ name }));
      session.visible = !hidden.has(`${plan.number} ${sessionPlan.id}`);
    }
  }
  return mesh;
}

/** Whom a message must reach, said in another way than the broker's own. */
function recipientsOf(sender: Member, target: string): number[] {
  const others = [...sender.mesh.membersById.values()].filter((member) => member !== sender);
  const sessions = (member: Member) => [...member.sessions.values()];
  const shown = others.filter((member) => {
    const present = sessions(member).filter(({ presence }) => presence !== "remembered");
    const own = present.filter(({ peerRole }) => peerRole === "session");
    const telling = own.length > 0 ? own : present;
    return telling.length === 0 || telling.some(({ visible }) => visible);
  });
  let meant: Member[];
  if (target === "*" || target === "@all") meant = shown;
  else if (target.startsWith("@")) {
    const path = `${target.slice(1)}/`;
    const isIn = (session: Session) =>
      session.groups.some(({ name }) => `${name}/`.startsWith(path));
    meant = shown.filter((member) => sessions(member).some(isIn));
  } else {
    meant = [...sender.mesh.membersById.values()].filter((member) =>
      member.pubkey === target || sessions(member).some(({ pubkey }) => pubkey === target)
    );
  }
  return meant
    .filter(({ grants }) => grants.get(sender.pubkey)?.length !== 0)
    .map(({ number }) => number);
}
