/**
 * The program as processes, for tests that must see what a user sees: a broker on a free port with a folder of its own.
 */
import { createServer } from "node:net";
import { selfCommand } from "../../agent/home/self_command.ts";

const READY_TIMEOUT_MS = 30_000;
const POLL_MS = 25;

/** Finds a TCP port of the loopback interface that is free now. */
export async function freePort(): Promise<number> {
  return await new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" ? address!.port : 0));
    });
  });
}

export interface ProgramBroker {
  readonly url: string;
  readonly port: number;
  readonly dataDir: string;
  readonly pid: number;
  /** Sends a signal and waits for the end. @returns the exit code. */
  stop(signal?: Deno.Signal): Promise<number>;
  /** Starts it again on the same port and data. */
  start(): Promise<void>;
  /** Stops it and removes its data. */
  close(): Promise<void>;
}

/** Starts `claudemesh serve` and waits until it is ready. `databaseUrl` picks PostgreSQL. */
export async function startProgramBroker(
  options: { databaseUrl?: string; environment?: Record<string, string> } = {},
): Promise<ProgramBroker> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const dataDir = await Deno.makeTempDir({ prefix: "claudemesh-broker-" });
  let process: Deno.ChildProcess | null = null;
  let log: Promise<string> = Promise.resolve("");

  async function start(): Promise<void> {
    const [program, ...args] = selfCommand([
      "serve",
      "--port",
      String(port),
      "--data-dir",
      dataDir,
    ]);
    const env = {
      DATABASE_URL: options.databaseUrl ?? "",
      BROKER_PUBLIC_URL: url,
      ...options.environment,
    };
    process = new Deno.Command(program, {
      args,
      env,
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    })
      .spawn();
    log = tail(process.stderr);
    const started = process;
    let ended = false;
    void started.status.then(() => ended = true);
    const deadlineMs = Date.now() + READY_TIMEOUT_MS;
    while (!await isReady(url)) {
      if (ended) throw new Error(`the broker ended: ${(await log).slice(-2000)}`);
      if (Date.now() > deadlineMs) throw new Error("the broker was not ready in 30 s");
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  async function stop(signal: Deno.Signal = "SIGTERM"): Promise<number> {
    const running = process;
    process = null;
    if (running === null) return 0;
    running.kill(signal);
    const { code } = await running.status;
    await log;
    return code;
  }

  await start();
  return {
    url,
    port,
    dataDir,
    get pid() {
      return process!.pid;
    },
    start,
    stop,
    async close() {
      await stop();
      await Deno.remove(dataDir, { recursive: true });
    },
  };
}

async function isReady(url: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/health/ready`);
    await response.body?.cancel();
    return response.ok;
  } catch {
    // Nobody listens yet.
    return false;
  }
}

async function tail(stream: ReadableStream<Uint8Array>): Promise<string> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of stream) text = (text + decoder.decode(chunk)).slice(-8000);
  return text;
}
