/**
 * `claudemesh demo`: the product's promise, shown with real processes: messages to one, to a group, to everyone, to
 * somebody offline, and through a broker killed in the middle arrive exactly once.
 */
import { printAnswer } from "../../ui/print.ts";
import { marks, printable, style } from "../../ui/style.ts";
import { table } from "../../ui/text.ts";
import type { Verb, VerbContext, VerbResult } from "../verb.ts";
import { playShared, type SharedThing } from "./shared_things.ts";
import { type Person, Stage } from "./stage.ts";

const BURST = 12;
const ARRIVAL_TIMEOUT_S = "15";

interface Sent {
  readonly what: string;
  readonly from: string;
  readonly to: string;
  readonly text: string;
  readonly expected: readonly string[];
  /** The broker's id, or the sender's own while the broker had not answered. */
  readonly id: string;
}

interface Received {
  readonly text: string;
  readonly fromName: string;
}

interface Shown extends Sent {
  /** Person -> how often the message stands in its inbox. */
  readonly received: Readonly<Record<string, number>>;
  readonly receipts: readonly { name: string; state: string }[];
  readonly exactlyOnce: boolean;
}

type Tell = (line: string) => void;

class Demo {
  readonly #stage: Stage;
  readonly #tell: Tell;
  readonly #sent: Sent[] = [];

  constructor(stage: Stage, tell: Tell) {
    this.#stage = stage;
    this.#tell = tell;
  }

  async #send(what: string, from: Person, to: string, text: string, expected: Person[]) {
    const waitS = this.#stage.broker.running ? "5" : "0";
    const answer = await from.run("send", to, text, "--wait", waitS);
    const [result] = answer.results as { messageId: string | null; clientMessageId: string }[];
    this.#sent.push({
      what,
      from: from.name,
      to,
      text,
      expected: expected.map((person) => person.name),
      id: result!.messageId ?? result!.clientMessageId,
    });
  }

  async play(): Promise<Shown[]> {
    const { broker } = this.#stage;
    this.#tell("Starting a broker on the embedded store");
    await broker.start();
    const ada = await this.#stage.person("Ada");
    const bob = await this.#stage.person("Bob");
    const cleo = await this.#stage.person("Cleo");
    this.#tell("Ada creates a mesh; Bob and Cleo join by invite");
    await ada.run("new", "demo", "--broker", broker.url);
    const invite = await ada.run("invite", "--uses", "2");
    await Promise.all([bob, cleo].map((each) => each.run("join", String(invite.url))));
    await Promise.all([bob, cleo].map((each) => each.run("groups", "join", "crew")));
    this.#tell("Direct, group and broadcast messages");
    await this.#send("direct", ada, "Bob", "Hello Bob", [bob]);
    await this.#send("direct", bob, "Ada", "Hello Ada", [ada]);
    await this.#send("group", ada, "@crew", "Hello crew", [bob, cleo]);
    await this.#send("broadcast", bob, "*", "Hello everyone", [ada, cleo]);
    this.#tell("Cleo goes offline, is written to, and comes back");
    await cleo.run("agent", "stop");
    await this.#send("offline", ada, "Cleo", "For when you are back", [cleo]);
    this.#tell(`A burst of ${BURST} messages; the broker is killed with SIGKILL in the middle`);
    await this.#burst(ada, bob);
    return await this.#judge();
  }

  /** The second part, for those who are there already. */
  async share(): Promise<SharedThing[]> {
    const [ada, bob] = this.#stage.people as [Person, Person];
    this.#tell("Ada shares a file, a memory, a task, a schedule, a graph, a SQL table and state");
    return await playShared(ada, bob);
  }

  async #burst(from: Person, to: Person): Promise<void> {
    for (let index = 1; index <= BURST; index++) {
      if (index === BURST / 2) {
        await this.#stage.broker.stop("SIGKILL");
        this.#tell("The broker is dead; Ada goes on sending");
      }
      if (index === BURST - 2) {
        await this.#stage.broker.start();
        this.#tell("The broker is back");
      }
      await this.#send("burst", from, to.name, `Burst ${index}`, [to]);
    }
  }

  async #inboxOf(person: Person): Promise<Received[]> {
    const wanted = this.#sent.filter((sent) => sent.expected.includes(person.name)).length;
    const answer = await person.run(
      "inbox",
      "--all",
      "--wait",
      ARRIVAL_TIMEOUT_S,
      "--count",
      String(wanted),
    );
    return answer.messages as Received[];
  }

  async #judge(): Promise<Shown[]> {
    const inboxes = new Map<string, Received[]>();
    for (const person of this.#stage.people) {
      inboxes.set(person.name, await this.#inboxOf(person));
    }
    const shown: Shown[] = [];
    for (const sent of this.#sent) {
      const received: Record<string, number> = {};
      for (const [name, messages] of inboxes) {
        const count = messages.filter((each) =>
          each.text === sent.text && each.fromName === sent.from
        ).length;
        if (count > 0) received[name] = count;
      }
      const exactlyOnce = Object.keys(received).length === sent.expected.length &&
        sent.expected.every((name) => received[name] === 1);
      shown.push({ ...sent, received, exactlyOnce, receipts: await this.#receiptsOf(sent) });
    }
    return shown;
  }

  async #receiptsOf(sent: Sent): Promise<{ name: string; state: string }[]> {
    const sender = this.#stage.people.find((person) => person.name === sent.from)!;
    const answer = await sender.run("message-status", sent.id);
    return (answer.recipients as { name: string; state: string }[])
      .map(({ name, state }) => ({ name, state }));
  }
}

function show(messages: readonly Shown[], tookMs: number): string {
  const rows = messages.map((message) => [
    message.exactlyOnce ? marks.done() : marks.failed(),
    message.what,
    `${message.from} → ${message.to}`,
    printable(message.text),
    Object.entries(message.received).map(([name, count]) => `${name} ×${count}`).join(", ") || "-",
    message.receipts.map((receipt) => `${receipt.name}: ${receipt.state}`).join(", ") || "-",
  ]);
  const heading = ["", "kind", "route", "text", "in the inbox of", "receipts"].map(style.dim);
  const failed = messages.filter((message) => !message.exactlyOnce).length;
  const verdict = failed === 0
    ? `${marks.done()} ${messages.length} messages, each exactly once, in ${seconds(tookMs)}`
    : `${marks.failed()} ${failed} of ${messages.length} messages did not arrive exactly once`;
  return `${table([heading, ...rows])}\n\n${verdict}`;
}

function showShared(things: readonly SharedThing[]): string {
  if (things.length === 0) return "";
  const rows = things.map(({ ok, what, made, got }) => [
    ok ? marks.done() : marks.failed(),
    what,
    printable(made),
    printable(got),
  ]);
  const heading = ["", "shared", "by Ada", "what Bob got"].map(style.dim);
  return `\n\n${table([heading, ...rows])}`;
}

function seconds(timeMs: number): string {
  return `${(timeMs / 1000).toFixed(1)} s`;
}

async function run(context: VerbContext): Promise<VerbResult> {
  const startedMs = Date.now();
  const tell: Tell = (line) => {
    if (!context.json) printAnswer(`${style.dim("·")} ${line}`);
  };
  const stage = await Stage.open();
  // Its agents outlive whoever started them.
  context.atCancel(() => stage.close());
  let messages: Shown[];
  let shared: SharedThing[];
  try {
    const demo = new Demo(stage, tell);
    messages = await demo.play();
    shared = context.flags.all === true ? await demo.share() : [];
  } finally {
    await stage.close();
  }
  const tookMs = Date.now() - startedMs;
  const exactlyOnce = messages.every((message) => message.exactlyOnce);
  const ok = exactlyOnce && shared.every((thing) => thing.ok);
  return {
    data: {
      messages,
      took_ms: tookMs,
      exactly_once: exactlyOnce,
      ...(context.flags.all === true ? { shared } : {}),
    },
    text: show(messages, tookMs) + showShared(shared),
    exit: ok ? 0 : 8,
  };
}

export const demo: Verb = {
  path: "demo",
  summary: "Show it: a broker, three agents, a crash, and every message exactly once",
  details: "Runs in a temporary folder and removes everything; nothing of yours is touched.",
  args: [],
  flags: [{ syntax: "--all", summary: "then share a file, a memory, a task and more" }],
  examples: ["claudemesh demo", "claudemesh demo --all", "claudemesh demo --json"],
  json: true,
  run,
};
