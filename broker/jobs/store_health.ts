/**
 * Whether the store answers, for `/metrics` and the log: asked now and then, more often while it does not.
 */
import type { BrokerContext } from "../core/context.ts";

const HEALTHY_MS = 30_000;
const FIRST_RETRY_MS = 500;

/** Starts asking; returns what ends it. */
export function watchStore(broker: BrokerContext): () => void {
  const { clock, sql, metrics, log } = broker;
  let healthy = true;
  let retryMs = FIRST_RETRY_MS;
  let stopped = false;
  let cancel = clock.after(HEALTHY_MS, ask);
  metrics.storeHealthy.set(1);
  function ask(): void {
    sql.ping().then(() => heard(true, null), (error) => heard(false, error));
  }
  function heard(answers: boolean, error: unknown): void {
    if (stopped) return;
    metrics.storeHealthy.set(answers ? 1 : 0);
    if (answers && !healthy) log.info("the store answers again");
    if (!answers && healthy) log.error("the store does not answer", { error: String(error) });
    healthy = answers;
    retryMs = answers ? FIRST_RETRY_MS : Math.min(HEALTHY_MS, retryMs * 2);
    cancel = clock.after(answers ? HEALTHY_MS : retryMs, ask);
  }
  return () => {
    stopped = true;
    cancel();
  };
}
