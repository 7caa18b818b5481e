/**
 * A handful of messages that one person sends one after the other, so that the sender's order is
 * known.
 */
import type { LocalClient } from "../../../agent/core/local_client.ts";
import { LocalError } from "../../../agent/core/local_error.ts";
import type { SeededRandom } from "../../sim/seeded_random.ts";
import type { Account, Priority } from "./account.ts";

/** Long enough for a broker that lives; one that was killed must not hold the round up. */
const ANSWER_MS = 200;

/** Who is in the mesh and who of them in the group. */
export interface Cast {
  readonly everybody: readonly string[];
  /** Members of `@crew`. */
  readonly crew: readonly string[];
}

/** One message to be sent. */
export interface Planned {
  readonly to: readonly string[];
  readonly recipients: readonly string[];
  readonly priority: Priority;
  /**
   * 0: the sender goes on as soon as the message is on disk; else it waits for the broker's answer.
   */
  readonly waitMs: number;
}

/** Draws a batch: to one, to several by name, to the group, to everyone. */
export function planBatch(random: SeededRandom, from: string, cast: Cast): Planned[] {
  const others = cast.everybody.filter((name) => name !== from);
  return Array.from({ length: random.between(5, 25) }, () => {
    const choice = random.between(0, 9);
    const priority = random.chance(0.3) ? "now" : "next";
    const waitMs = random.chance(0.3) ? ANSWER_MS : 0;
    if (choice === 0) return { to: ["*"], recipients: others, priority, waitMs };
    if (choice <= 2) {
      const recipients = cast.crew.filter((name) => name !== from);
      return { to: ["@crew"], recipients, priority, waitMs };
    }
    const to = choice === 3 ? others : [random.pick(others)];
    return { to, recipients: to, priority, waitMs };
  });
}

/**
 * Sends a batch and notes in `account` what became of each message. Ends early when the agent was
 * killed.
 * @throws {Error} when a message was refused: nothing in these rounds is a reason to refuse one.
 */
export async function sendBatch(
  client: LocalClient,
  from: string,
  batch: readonly Planned[],
  account: Account,
): Promise<void> {
  for (const { to, recipients, priority, waitMs } of batch) {
    const given = account.give(from, recipients, priority, `to ${to.join(", ")}`);
    try {
      const { results } = await client.call("send", {
        to: [...to],
        body: given.text,
        priority,
        waitMs,
      });
      const refused = results.find((result) => !result.ok);
      if (refused) throw new Error(`refused: "${given.text}": ${JSON.stringify(refused)}`);
      const queued = results.some((result) => result.ok && result.state === "queued_locally");
      given.fate = queued ? "queued_locally" : "sent";
    } catch (error) {
      if (error instanceof LocalError && error.code === "agent_gone") return;
      throw error;
    }
  }
}
