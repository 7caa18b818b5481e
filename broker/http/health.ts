/**
 * `GET /health`: the process is alive; `GET /health/ready`: it can serve, told by reading something back from each thing
 * it depends on; `GET /metrics`: its figures, for the operator.
 */
import config from "../../deno.json" with { type: "json" };
import type { BrokerContext } from "../core/context.ts";
import { json, text } from "./answer.ts";
import { type HttpCall, type Route, route } from "./route.ts";

const READ_BACK_MS = 2_000;

/** One dependency, as `/health/ready` shows it. */
interface Dependency {
  readonly ok: boolean;
  readonly driver?: string;
  readonly took_ms: number;
  readonly error?: string;
}

/** The three routes; uptime counts from this call. */
export function healthRoutes(broker: BrokerContext): Route[] {
  const startedAtMs = broker.clock.now();
  let asking: Promise<Dependency> | null = null;
  /** Whoever asks while an answer is on its way gets that one: asking often costs the store nothing. */
  function askStore(): Promise<Dependency> {
    asking ??= readBack(broker).finally(() => {
      asking = null;
    });
    return asking;
  }
  return [
    route({
      method: "GET",
      path: "/health",
      summary: "Say that the broker runs, and on which store.",
      authentication: "public",
      rate: null,
      body: null,
      answers: "json",
      handle: () => json(alive(broker, startedAtMs)),
    }),
    route({
      method: "GET",
      path: "/health/ready",
      summary: "Say whether the broker can serve, each dependency by name.",
      authentication: "public",
      rate: null,
      body: null,
      answers: "json",
      handle: async () => ready(broker, await askStore()),
    }),
    route({
      method: "GET",
      path: "/metrics",
      summary: "The broker's figures as Prometheus text.",
      authentication: "operator",
      rate: null,
      body: null,
      answers: "json",
      handle: metrics,
    }),
  ];
}

function alive(broker: BrokerContext, startedAtMs: number): object {
  return {
    status: broker.stopping() ? "stopping" : "ok",
    version: config.version,
    uptime: Math.floor((broker.clock.now() - startedAtMs) / 1000),
    store: { driver: broker.sql.driver, durability: broker.sql.durability },
  };
}

function ready(broker: BrokerContext, store: Dependency): Response {
  broker.metrics.storeHealthy.set(store.ok ? 1 : 0);
  const ok = store.ok && !broker.stopping();
  const reason = broker.stopping() ? "stopping" : store.ok ? undefined : "store";
  return json(
    {
      status: ok ? "ready" : "not_ready",
      ...(reason === undefined ? {} : { reason }),
      dependencies: { store },
    },
    ok ? 200 : 503,
  );
}

/** A store that hangs is as red as one that refuses. */
async function readBack(broker: BrokerContext): Promise<Dependency> {
  const { clock, sql } = broker;
  const startMs = clock.now();
  const late = Promise.withResolvers<never>();
  const cancel = clock.after(READ_BACK_MS, () => {
    late.reject(new Error(`no answer within ${READ_BACK_MS} ms`));
  });
  try {
    await Promise.race([sql.ping(), late.promise]);
    return { ok: true, driver: sql.driver, took_ms: clock.now() - startMs };
  } catch (cause) {
    broker.log.error("the store does not answer", { error: String(cause) });
    // The cause may name hosts and users: it is for the log alone.
    return {
      ok: false,
      driver: sql.driver,
      took_ms: clock.now() - startMs,
      error: "the store does not answer; the broker's log says why",
    };
  } finally {
    cancel();
  }
}

async function metrics({ broker }: HttpCall<unknown>): Promise<Response> {
  const { body, contentType } = await broker.metrics.text();
  return text(body, contentType);
}
