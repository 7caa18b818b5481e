/**
 * What senders were promised, and whether each inbox keeps it: every accepted message once, in its
 * sender's order, and nothing that nobody sent.
 */

import type { Arrived } from "../../support/inbox_file.ts";

export type Priority = "now" | "next";

/** What the sender's agent answered; "unknown" when it was killed before it could. */
export type Fate = "sent" | "queued_locally" | "unknown";

/** One message as its sender gave it to the agent, in the sender's order. */
export interface Given {
  readonly from: string;
  readonly text: string;
  readonly priority: Priority;
  /** Names of the people who must get it. */
  readonly recipients: readonly string[];
  fate: Fate;
}

export class Account {
  readonly #given: Given[] = [];
  readonly #byText = new Map<string, Given>();

  /**
   * Notes a message before it is handed to the agent; its fate is set when the agent has answered.
   */
  give(
    from: string,
    recipients: readonly string[],
    priority: Priority,
    describe: string,
  ): Given {
    const text = `${from} ${this.#given.length + 1} ${priority} ${describe}`;
    const given: Given = { from, text, priority, recipients, fate: "unknown" };
    this.#given.push(given);
    this.#byText.set(text, given);
    return given;
  }

  /** How many messages met each fate. */
  tally(): Record<Fate, number> {
    const tally: Record<Fate, number> = { sent: 0, queued_locally: 0, unknown: 0 };
    for (const { fate } of this.#given) tally[fate] += 1;
    return tally;
  }

  /** Texts that were promised to `name`. */
  promisedTo(name: string): string[] {
    return this.#given
      .filter((given) => given.fate !== "unknown" && given.recipients.includes(name))
      .map((given) => given.text);
  }

  /**
   * Compares an inbox with what was promised.
   * @returns one line for each breach; none when the promise was kept.
   */
  breaches(name: string, inbox: readonly Arrived[]): string[] {
    const found: string[] = [];
    const counts = new Map<string, number>();
    const order = new Order();
    for (const { from, text } of inbox) {
      const given = this.#byText.get(text);
      if (given === undefined || given.from !== from || !given.recipients.includes(name)) {
        found.push(`${name} got what was not for them: "${text}" from ${from}`);
        continue;
      }
      const count = (counts.get(text) ?? 0) + 1;
      counts.set(text, count);
      if (count > 1) {
        found.push(`${name} got ${count} times: "${text}"`);
        continue;
      }
      const overtaken = order.arrives(this.#given.indexOf(given), given);
      if (overtaken !== null) {
        found.push(`${name} got out of order: "${text}" after "${this.#given[overtaken]!.text}"`);
      }
    }
    for (const text of this.promisedTo(name)) {
      if (!counts.has(text)) found.push(`${name} never got: "${text}"`);
    }
    return found;
  }
}

/**
 * The order of one inbox. What is urgent may overtake what waits for its recipient to be idle, and
 * nothing else may overtake anything of the same sender.
 */
class Order {
  readonly #lastOf = new Map<string, number>();

  /** @returns the position of the message that came too early, null when there is none. */
  arrives(position: number, { from, priority }: Given): number | null {
    const own = `${from} ${priority}`;
    const rivals = priority === "now" ? [own, `${from} next`] : [own];
    const last = Math.max(...rivals.map((each) => this.#lastOf.get(each) ?? -1));
    this.#lastOf.set(own, Math.max(position, this.#lastOf.get(own) ?? -1));
    return last > position ? last : null;
  }
}
