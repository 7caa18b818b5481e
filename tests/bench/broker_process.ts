/**
 * A broker in a process of its own, as `claudemesh serve` starts it: embedded store, synchronous commits.
 */
import { setTimeout as pause } from "node:timers/promises";
import { Child, PROJECT_ROOT } from "./child.ts";
import { freePort } from "../../agent/verbs/demo/free_port.ts";
import { type MetricsText, readMetrics } from "./metrics_text.ts";

/** The benchmark's members send far more than people do. Queues, frames and buffers keep their defaults. */
const RAISED_LIMITS = {
  MAX_SENDS_PER_MINUTE: "100000000",
  MAX_SEND_BURST: "10000000",
  MAX_REQUESTS_PER_MINUTE: "100000000",
  MAX_REQUEST_BURST: "10000000",
  MAX_UNAUTHENTICATED_PER_ADDRESS: "2000",
};

const READY_LIMIT_MS = 30_000;
const POLL_MS = 5;

export interface BrokerOptions {
  /** Where its data is; it must exist. */
  readonly dataDir: string;
  /** For `deno run`, such as a profiler's. */
  readonly runtimeFlags?: readonly string[];
}

export class BrokerProcess {
  readonly child: Child;
  readonly port: number;
  /** From the start of the process until it said that it is ready. */
  readonly readyMs: number;

  private constructor(child: Child, port: number, readyMs: number) {
    this.child = child;
    this.port = port;
    this.readyMs = readyMs;
  }

  /** Starts a broker and waits until it is ready. */
  static async start(options: BrokerOptions): Promise<BrokerProcess> {
    const port = await freePort();
    const startedAt = performance.now();
    const child = new Child({
      command: [
        Deno.execPath(),
        "run",
        "-A",
        "--no-prompt",
        ...(options.runtimeFlags ?? []),
        `${PROJECT_ROOT}main.ts`,
        "serve",
        "--port",
        String(port),
        "--data-dir",
        options.dataDir,
      ],
      env: { ...RAISED_LIMITS, LOG_LEVEL: "warning" },
    });
    child.drain();
    while (!await isReady(port)) {
      if (child.exitCode !== null) {
        throw new Error(`the broker ended with code ${child.exitCode} before it was ready`);
      }
      if (performance.now() - startedAt > READY_LIMIT_MS) {
        await child.stop("SIGKILL");
        throw new Error(`the broker was not ready within ${READY_LIMIT_MS} ms`);
      }
      await pause(POLL_MS);
    }
    return new BrokerProcess(child, port, performance.now() - startedAt);
  }

  /** Where its clients connect. */
  get socketUrl(): string {
    return `ws://127.0.0.1:${this.port}/ws`;
  }

  /** Its figures of this moment. */
  async metrics(): Promise<MetricsText> {
    const response = await fetch(`http://127.0.0.1:${this.port}/metrics`);
    if (!response.ok) throw new Error(`/metrics answered ${response.status}`);
    return readMetrics(await response.text());
  }

  async stop(): Promise<void> {
    const code = await this.child.stop();
    if (code !== 0) throw new Error(`the broker ended with code ${code}`);
  }
}

async function isReady(port: number): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/health/ready`);
    await response.body?.cancel();
    return response.ok;
  } catch (error) {
    // Nothing listens yet.
    if (error instanceof TypeError) return false;
    throw error;
  }
}
