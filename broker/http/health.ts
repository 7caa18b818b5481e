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

/** Without the store nothing works; without the others their own features do not. */
interface Dependencies {
  readonly store: Dependency;
  readonly objects: Dependency;
  readonly vectors: Dependency;
}

/** The three routes; uptime counts from this call. */
export function healthRoutes(broker: BrokerContext): Route[] {
  const startedAtMs = broker.clock.now();
  let asking: Promise<Dependencies> | null = null;
  /** Whoever asks while an answer is on its way gets that one: asking often costs the stores nothing. */
  function ask(): Promise<Dependencies> {
    asking ??= readAllBack(broker).finally(() => {
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
      handle: async () => ready(broker, await ask()),
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
  const { vectors, embedder } = broker.stores;
  return {
    status: broker.stopping() ? "stopping" : "ok",
    version: config.version,
    uptime: Math.floor((broker.clock.now() - startedAtMs) / 1000),
    store: { driver: broker.sql.driver, durability: broker.sql.durability },
    objects: { driver: broker.stores.objects.driver },
    vectors: { driver: vectors.driver, embedding: embedder.embedding },
  };
}

function ready(broker: BrokerContext, dependencies: Dependencies): Response {
  const { store } = dependencies;
  broker.metrics.storeHealthy.set(store.ok ? 1 : 0);
  const ok = store.ok && !broker.stopping();
  const reason = broker.stopping() ? "stopping" : store.ok ? undefined : "store";
  return json(
    {
      status: ok ? "ready" : "not_ready",
      ...(reason === undefined ? {} : { reason }),
      dependencies,
    },
    ok ? 200 : 503,
  );
}

async function readAllBack(broker: BrokerContext): Promise<Dependencies> {
  const { sql, stores } = broker;
  const [store, objects, vectors] = await Promise.all([
    readBack(broker, "store", sql),
    readBack(broker, "store of objects", stores.objects),
    readBack(broker, "store of vectors", stores.vectors),
  ]);
  return { store, objects, vectors };
}

/** A store that hangs is as red as one that refuses. */
async function readBack(
  { clock, log }: BrokerContext,
  what: string,
  store: { readonly driver: string; ping(): Promise<void> },
): Promise<Dependency> {
  const startMs = clock.now();
  const late = Promise.withResolvers<never>();
  const cancel = clock.after(READ_BACK_MS, () => {
    late.reject(new Error(`no answer within ${READ_BACK_MS} ms`));
  });
  try {
    await Promise.race([store.ping(), late.promise]);
    return { ok: true, driver: store.driver, took_ms: clock.now() - startMs };
  } catch (cause) {
    log.error(`the ${what} does not answer`, { error: String(cause) });
    // The cause may name hosts and users: it is for the log alone.
    return {
      ok: false,
      driver: store.driver,
      took_ms: clock.now() - startMs,
      error: `the ${what} does not answer; the broker's log says why`,
    };
  } finally {
    cancel();
  }
}

async function metrics({ broker }: HttpCall<unknown>): Promise<Response> {
  const { body, contentType } = await broker.metrics.text();
  return text(body, contentType);
}
