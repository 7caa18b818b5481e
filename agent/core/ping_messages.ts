/**
 * Messages to oneself that measure the way through the broker (the `ping_mesh` of the original): sent directly, beside
 * the outbox, and recognised when they come back.
 */
import type { Priority } from "../../broker/api/fields.ts";
import type { AgentClock } from "./agent_clock.ts";
import type { PingResult } from "./mesh_peer_api.ts";

/** The `type` of such a message; it is never shown. */
export const PING_TYPE = "ping";

export class PingMessages {
  readonly #clock: AgentClock;
  readonly #waiting = new Map<string, (atMs: number) => void>();

  constructor(clock: AgentClock) {
    this.#clock = clock;
  }

  /** A test message has arrived. */
  arrived(id: string): void {
    this.#waiting.get(id)?.(performance.now());
    this.#waiting.delete(id);
  }

  /**
   * Sends one test message and waits for both of its ends; `send` resolves when the broker has committed it. Rejects as
   * `send` does; an arrival that does not come within `timeoutMs` is null.
   */
  async run(
    id: string,
    priority: Priority,
    timeoutMs: number,
    send: () => Promise<unknown>,
  ): Promise<PingResult> {
    const startedAt = performance.now();
    let cancel: () => void = () => {};
    const arrival = new Promise<number | null>((resolve) => {
      cancel = this.#clock.after(timeoutMs, () => resolve(null));
      this.#waiting.set(id, (atMs) => resolve(atMs - startedAt));
    });
    try {
      await send();
      const committedMs = performance.now() - startedAt;
      return { priority, committedMs, deliveredMs: await arrival };
    } finally {
      cancel();
      this.#waiting.delete(id);
    }
  }
}
