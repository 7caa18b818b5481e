/**
 * Measures how long the event loop was blocked: how late a short timer runs.
 */
import type { Metrics } from "../core/metrics.ts";

const PERIOD_MS = 20;

/** Starts measuring with real time; returns what ends it. */
export function watchEventLoop(metrics: Metrics): () => void {
  let dueMs = performance.now() + PERIOD_MS;
  let longestSeconds = 0;
  const timer = setInterval(() => {
    const nowMs = performance.now();
    const lagSeconds = Math.max(0, nowMs - dueMs) / 1000;
    dueMs = nowMs + PERIOD_MS;
    metrics.eventLoopLag.observe(lagSeconds);
    if (lagSeconds <= longestSeconds) return;
    longestSeconds = lagSeconds;
    metrics.eventLoopLagMax.set(lagSeconds);
  }, PERIOD_MS);
  return () => clearInterval(timer);
}
