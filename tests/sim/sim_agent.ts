/**
 * An agent in a simulation: an outbox that resends, an inbox that drops duplicates, both of which
 * outlive its crashes.
 */
import type { Priority } from "../../broker/api/fields.ts";
import type { FakeClock } from "./fake_clock.ts";
import type { SeededRandom } from "./seeded_random.ts";
import { SimLink } from "./sim_link.ts";
import type { AgentPlan, SessionPlan } from "./sim_plan.ts";

const WINDOW = 8;
const RETRY_MS = 500;

export interface AgentWorld {
  readonly clock: FakeClock;
  readonly random: SeededRandom;
  /** Share of acks that the agent fails to send. */
  ackLossRate(): number;
  connect(memberNumber: number, sessionId: string, link: SimLink): boolean;
}

export interface OutMessage {
  readonly clientMessageId: string;
  readonly targetSpec: string;
  readonly priority: Priority;
  readonly text: string;
  state: "waiting" | "sent" | "acked" | "refused";
  /** How often it went out. */
  attempts: number;
  messageId: string | null;
}

export interface InMessage {
  readonly messageId: string;
  readonly senderNumber: number;
  readonly clientMessageId: string;
  readonly priority: Priority;
  readonly ciphertext: string;
}

interface OpenLink {
  readonly link: SimLink;
  readonly batchedAcks: string[];
}

export class SimAgent {
  readonly plan: AgentPlan;
  readonly outbox: OutMessage[] = [];
  readonly inbox: InMessage[] = [];
  readonly #ids = new Set<string>();
  readonly #world: AgentWorld;
  readonly #links = new Map<string, OpenLink>();
  #paused = false;
  #up = true;

  constructor(plan: AgentPlan, world: AgentWorld) {
    this.plan = plan;
    this.#world = world;
    for (const session of plan.sessions) this.#connect(session, world.random.between(0, 2_000));
  }

  /** Writes a message to the outbox and sends it as soon as may be. */
  send(message: Pick<OutMessage, "clientMessageId" | "targetSpec" | "priority" | "text">): void {
    this.outbox.push({ ...message, state: "waiting", attempts: 0, messageId: null });
    this.#pump();
  }

  /** The network loses one of its connections. */
  cut(): void {
    const open = [...this.#links.values()];
    if (open.length > 0) this.#world.random.pick(open).link.cut();
  }

  /** The process ends; the files stay. */
  crash(): void {
    this.#up = false;
    for (const { link } of this.#links.values()) link.endAgent();
    this.#links.clear();
    this.#world.clock.after(this.#world.random.between(100, 20_000), () => {
      this.#up = true;
      this.#paused = false;
      for (const session of this.plan.sessions) this.#connect(session, 0);
    });
  }

  #connect(session: SessionPlan, delayMs: number): void {
    const { clock, random } = this.#world;
    clock.after(delayMs, () => {
      if (!this.#up || this.#links.has(session.id)) return;
      const link = new SimLink(clock, random);
      if (!this.#world.connect(this.plan.number, session.id, link)) {
        this.#connect(session, random.between(200, 2_000));
        return;
      }
      const open: OpenLink = { link, batchedAcks: [] };
      this.#links.set(session.id, open);
      link.toAgent.attach({
        frame: (frame) => this.#frame(open, frame),
        closed: () => this.#closed(session, open),
      });
      if (session === this.plan.sessions[0]) this.#resend();
    });
  }

  #closed(session: SessionPlan, open: OpenLink): void {
    if (this.#links.get(session.id) !== open) return;
    this.#links.delete(session.id);
    open.link.endAgent();
    if (this.#up) this.#connect(session, this.#world.random.between(50, 5_000));
  }

  /** What has no answer goes out again, in order. */
  #resend(): void {
    for (const message of this.outbox) if (message.state === "sent") message.state = "waiting";
    this.#paused = false;
    this.#pump();
  }

  #pump(): void {
    const open = this.#links.get(this.plan.sessions[0]?.id ?? "");
    if (open === undefined || this.#paused) return;
    let inFlight = this.outbox.filter(({ state }) => state === "sent").length;
    for (const message of this.outbox) {
      if (inFlight >= WINDOW) return;
      if (message.state !== "waiting") continue;
      message.state = "sent";
      message.attempts++;
      inFlight++;
      const { clientMessageId: id, targetSpec, priority, text } = message;
      const input = {
        id,
        client_message_id: id,
        targetSpec,
        priority,
        nonce: "bm9uY2U=",
        ciphertext: text,
        bodyVersion: 2,
        epoch: 1,
      };
      open.link.toBroker.send(JSON.stringify({ type: "send", input }));
    }
  }

  #frame(open: OpenLink, text: string): void {
    const frame = JSON.parse(text);
    if (frame.type === "push") this.#receive(open, [frame]);
    else if (frame.type === "push_batch") this.#receive(open, frame.pushes);
    else this.#answer(frame);
  }

  #answer(frame: { type: string; id: string; messageId: string; code: string }): void {
    const message = this.outbox.find(({ clientMessageId }) => clientMessageId === frame.id);
    if (message === undefined || message.state !== "sent") return;
    if (frame.type === "ack") {
      message.state = "acked";
      message.messageId = frame.messageId;
    } else {
      // After an attempt without an answer nobody can say that a full queue has kept it out.
      const givesUp = frame.code === "not_found" || (frame.code === "queue_full" &&
        message.attempts === 1 && this.#world.random.chance(0.5));
      message.state = givesUp ? "refused" : "waiting";
      if (message.state === "waiting") this.#pause();
    }
    this.#pump();
  }

  /**
   * After a refusal that may pass: wait for the other answers and some time, then go on in order.
   */
  #pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#world.clock.after(RETRY_MS, () => this.#goOn());
  }

  #goOn(): void {
    const open = this.#links.has(this.plan.sessions[0]?.id ?? "");
    if (open && this.outbox.some(({ state }) => state === "sent")) {
      this.#world.clock.after(RETRY_MS, () => this.#goOn());
      return;
    }
    this.#paused = false;
    this.#pump();
  }

  /** Writes pushes to the inbox, then acknowledges them a little later. */
  #receive(open: OpenLink, pushes: readonly Record<string, string>[]): void {
    const { clock, random } = this.#world;
    for (const push of pushes) {
      const messageId = String(push["messageId"]);
      if (!this.#ids.has(messageId)) {
        this.#ids.add(messageId);
        this.inbox.push({
          messageId,
          senderNumber: Number(String(push["senderMemberId"]).split("-m")[1]),
          clientMessageId: String(push["client_message_id"]),
          priority: push["priority"] as Priority,
          ciphertext: String(push["ciphertext"]),
        });
      }
      if (random.chance(this.#world.ackLossRate())) continue;
      if (open.batchedAcks.push(messageId) === 1) {
        clock.after(random.between(0, 20), () => this.#acknowledge(open));
      }
    }
  }

  #acknowledge(open: OpenLink): void {
    const brokerMessageIds = open.batchedAcks.splice(0);
    if (![...this.#links.values()].includes(open)) return;
    const input = { brokerMessageIds };
    open.link.toBroker.send(JSON.stringify({ type: "client_ack", input }));
    if (this.#world.random.chance(0.3)) {
      open.link.toBroker.send(JSON.stringify({ type: "client_seen", input }));
    }
  }
}
