/**
 * What the figures of one run share: how long they take, the store they copy, the peer.
 */
import { BenchStore } from "./bench_store.ts";
import { BrokerProcess } from "./broker_process.ts";
import { NatsProcess, natsVersion } from "./nats_process.ts";

export interface BenchRun {
  /** Shorter and noisier. */
  readonly quick: boolean;
  /** The peer's program and version; null where it is not installed. */
  readonly nats: { readonly program: string; readonly version: string } | null;
  /** The store with the meshes; made when it is first asked for. */
  store(): Promise<BenchStore>;
  /** Set: brokers write a processor profile into this folder when they end. */
  readonly profileDir: string | null;
}

/** Why the peer's figures are missing where it is not installed. */
export const NO_NATS = "nats-server is not installed";

/** A run; `end` removes what it made. */
export async function openRun(
  options: { readonly quick: boolean; readonly profileDir: string | null },
): Promise<BenchRun & { end(): Promise<void> }> {
  let store: Promise<BenchStore> | null = null;
  return {
    ...options,
    nats: await natsVersion(),
    store: () => store ??= makeStore(),
    async end() {
      if (store !== null) await (await store).remove();
    },
  };
}

async function makeStore(): Promise<BenchStore> {
  const dataDir = await Deno.makeTempDir({ prefix: "claudemesh-bench-store-" });
  const broker = await BrokerProcess.start({ dataDir });
  await broker.stop();
  return await BenchStore.fill(dataDir);
}

/** Runs `use` with a broker on a copy of the store, which is gone afterwards. */
export async function withBroker<T>(
  run: BenchRun,
  use: (broker: BrokerProcess) => Promise<T>,
): Promise<T> {
  const dataDir = await (await run.store()).copy();
  try {
    const runtimeFlags = run.profileDir === null
      ? []
      : ["--cpu-prof", `--cpu-prof-dir=${run.profileDir}`];
    const broker = await BrokerProcess.start({ dataDir, runtimeFlags });
    try {
      return await use(broker);
    } finally {
      await broker.stop();
    }
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
}

/** Runs `use` with a NATS server of its own; null where none is installed. */
export async function withNats<T>(
  run: BenchRun,
  use: (nats: NatsProcess) => Promise<T>,
): Promise<T | null> {
  if (run.nats === null) return null;
  const nats = await NatsProcess.start(run.nats.program);
  try {
    return await use(nats);
  } finally {
    await nats.stop();
  }
}
