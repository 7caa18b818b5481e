/**
 * Load processes as the benchmark sees them: all connect, all start at one moment, all report.
 */
import { Child } from "./child.ts";
import type { LoadOrder, ResultOf } from "./load/order.ts";

const PREPARE_LIMIT_MS = 60_000;

class LoadProcess<Order extends LoadOrder> {
  readonly #child: Child;

  private constructor(child: Child) {
    this.#child = child;
  }

  static async start<Order extends LoadOrder>(order: Order): Promise<LoadProcess<Order>> {
    const child = new Child({
      command: [Deno.execPath(), "run", "-A", "--no-prompt", "tests/bench/load/main.ts"],
    });
    const process = new LoadProcess<Order>(child);
    await child.write(JSON.stringify(order));
    const answer = await process.#within(PREPARE_LIMIT_MS, "getting ready");
    if (answer !== "ready") throw new Error(`a load process said ${JSON.stringify(answer)}`);
    return process;
  }

  async run(limitMs: number): Promise<ResultOf[Order["kind"]]> {
    await this.#child.write("go");
    return await this.#within(limitMs, "the run") as ResultOf[Order["kind"]];
  }

  async end(): Promise<void> {
    await this.#child.finish();
  }

  async kill(): Promise<void> {
    await this.#child.stop("SIGKILL");
  }

  async #within(limitMs: number, what: string): Promise<unknown> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`${what} took over ${limitMs} ms`)), limitMs);
    });
    try {
      return JSON.parse(await Promise.race([this.#child.line(), late]));
    } finally {
      clearTimeout(timer);
    }
  }
}

/**
 * Starts a process per order, lets them all connect, and runs them at once.
 * @param whileHeld runs after all have reported and before they disconnect.
 * @throws when one fails or takes longer than `limitMs`; all are ended then.
 */
export async function runLoad<Order extends LoadOrder>(
  orders: readonly Order[],
  limitMs: number,
  around: {
    readonly before?: () => Promise<void>;
    readonly whileHeld?: () => Promise<void>;
  } = {},
): Promise<ResultOf[Order["kind"]][]> {
  const starts = await Promise.allSettled(orders.map((order) => LoadProcess.start(order)));
  const processes = starts.flatMap((start) => start.status === "fulfilled" ? [start.value] : []);
  try {
    for (const start of starts) if (start.status === "rejected") throw start.reason;
    await around.before?.();
    const results = await Promise.all(processes.map((process) => process.run(limitMs)));
    await around.whileHeld?.();
    await Promise.all(processes.map((process) => process.end()));
    return results;
  } catch (error) {
    await Promise.all(processes.map((process) => process.kill()));
    throw error;
  }
}

/** Deals `items` out to `count` hands as evenly as they go. */
export function dealt<T>(items: readonly T[], count: number): T[][] {
  const hands: T[][] = Array.from({ length: count }, () => []);
  for (const [index, item] of items.entries()) hands[index % count]?.push(item);
  return hands;
}
