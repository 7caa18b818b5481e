/**
 * Time and chance as the core takes them, so that tests can own both.
 */

export interface AgentClock {
  /** Milliseconds since 1970. */
  now(): number;
  /** A number from 0 up to 1. */
  random(): number;
  /** Calls `run` once after `delayMs`; the returned function cancels it and is harmless afterwards. */
  after(delayMs: number, run: () => void): () => void;
}

/** The machine's own. */
export const systemClock: AgentClock = {
  now: () => Date.now(),
  random: () => Math.random(),
  after(delayMs, run) {
    const handle = setTimeout(run, delayMs);
    return () => clearTimeout(handle);
  },
};
