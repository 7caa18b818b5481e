/**
 * The program as processes, for tests that must see what a user sees: any role or verb, and a
 * broker on a free port with a folder of its own.
 */
import { freePort } from "../../agent/verbs/demo/free_port.ts";
import { selfCommand } from "../../agent/home/self_command.ts";
import { linkMeshTemplate } from "./mesh_template.ts";
import { until } from "./until.ts";

const READY_LIMIT_MS = 30_000;
const LOG_CHARS = 8_000;
const DECODER = new TextDecoder();
/** What a child gets of this process's environment; nothing of a developer's own settings. */
const PASSED_ON = [
  ...["PATH", "TMPDIR", "LANG"],
  // What a download needs, should a module be missing.
  ...["SSL_CERT_FILE", "DENO_CERT", "DENO_TLS_CA_STORE", "NPM_CONFIG_REGISTRY"],
  ...["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"],
];

let cacheFolder: Promise<string> | null = null;

/** Where this Deno keeps modules: a child with another HOME would download them all again. */
async function denoDir(): Promise<string> {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output();
  return String(JSON.parse(DECODER.decode(stdout)).denoDir);
}

/**
 * A clean environment in which the program finds its modules.
 * @param home the folder that HOME names.
 */
export async function homeEnvironment(home: string): Promise<Record<string, string>> {
  const environment: Record<string, string> = {
    HOME: home,
    DENO_DIR: await (cacheFolder ??= denoDir()),
    DENO_NO_UPDATE_CHECK: "1",
    NO_COLOR: "1",
  };
  for (const name of PASSED_ON) {
    const value = Deno.env.get(name);
    if (value !== undefined) environment[name] = value;
  }
  return environment;
}

export interface ProgramOutput {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs any command to its end, or until it is killed: after `timeoutMs`, or by `signal`.
 * `environment` is all it gets.
 */
export async function runCommand(
  command: readonly [string, ...string[]],
  environment: Readonly<Record<string, string>>,
  options: { cwd?: string; stdin?: string; timeoutMs?: number; signal?: AbortSignal } = {},
): Promise<ProgramOutput> {
  const [program, ...args] = command;
  const child = new Deno.Command(program, {
    args,
    env: environment,
    clearEnv: true,
    stdin: options.stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  }).spawn();
  const end = () => kill(child, "SIGKILL");
  const timer = options.timeoutMs === undefined ? undefined : setTimeout(end, options.timeoutMs);
  options.signal?.addEventListener("abort", end);
  if (options.stdin !== undefined) {
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(options.stdin));
    await writer.close();
  }
  const { code, stdout, stderr } = await child.output();
  clearTimeout(timer);
  options.signal?.removeEventListener("abort", end);
  return { code, stdout: DECODER.decode(stdout), stderr: DECODER.decode(stderr) };
}

/** A long-running role as a process. */
export class ProgramProcess {
  readonly pid: number;
  /** Settles with the exit code once the process has ended and its output is read. */
  readonly ended: Promise<number>;
  readonly #child: Deno.ChildProcess;
  #running = true;
  #log = "";

  /** Starts the program with `words`; `environment` is all it gets. */
  constructor(words: readonly string[], environment: Readonly<Record<string, string>>) {
    const [program, ...args] = selfCommand(words);
    this.#child = new Deno.Command(program, {
      args,
      env: environment,
      clearEnv: true,
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    this.pid = this.#child.pid;
    this.ended = this.#watch();
  }

  get running(): boolean {
    return this.#running;
  }

  /** The end of what it wrote to standard error. */
  get log(): string {
    return this.#log;
  }

  /** Sends a signal and waits for the end. @returns the exit code. */
  async stop(signal: Deno.Signal = "SIGTERM"): Promise<number> {
    if (this.#running) kill(this.#child, signal);
    return await this.ended;
  }

  async #watch(): Promise<number> {
    const reading = (async () => {
      for await (const chunk of this.#child.stderr) {
        this.#log = (this.#log + DECODER.decode(chunk)).slice(-LOG_CHARS);
      }
    })();
    const { code } = await this.#child.status;
    this.#running = false;
    await reading;
    return code;
  }
}

/** Sends a signal to a child that may have ended meanwhile. */
function kill(child: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    child.kill(signal);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
}

export interface ProgramBroker {
  readonly url: string;
  readonly port: number;
  readonly dataDir: string;
  readonly pid: number;
  /** The end of what the running or last process wrote. */
  readonly log: string;
  /** Starts it on the same port and data without waiting. */
  launch(): void;
  /**
   * Waits until it answers that it is ready. @throws {Error} with its log when it ended instead.
   */
  untilReady(): Promise<void>;
  /** Starts it again on the same port and data, and waits until it is ready. */
  start(): Promise<void>;
  /** Sends a signal and waits for the end. @returns the exit code; 0 when it did not run. */
  stop(signal?: Deno.Signal): Promise<number>;
  /** Stops it and removes its data. */
  close(): Promise<void>;
}

export interface ProgramBrokerOptions {
  /** PostgreSQL's URL; the embedded store without it. */
  readonly databaseUrl?: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** A folder that exists and stays; without it one is made and removed at the end. */
  readonly dataDir?: string;
}

/** Starts `claudemesh serve` on a free port and waits until it is ready. */
export async function startProgramBroker(
  options: ProgramBrokerOptions = {},
): Promise<ProgramBroker> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const dataDir = options.dataDir ?? await Deno.makeTempDir({ prefix: "claudemesh-broker-" });
  if (options.dataDir === undefined) await linkMeshTemplate(dataDir);
  const environment = {
    ...await homeEnvironment(dataDir),
    ...(options.databaseUrl === undefined ? {} : { DATABASE_URL: options.databaseUrl }),
    BROKER_PUBLIC_URL: url,
    ...options.environment,
  };
  let process: ProgramProcess | null = null;

  function launch(): void {
    if (process?.running) throw new Error("the broker runs already");
    const words = ["serve", "--port", String(port), "--data-dir", dataDir];
    process = new ProgramProcess(words, environment);
  }

  async function untilReady(): Promise<void> {
    await until("the broker is ready", READY_LIMIT_MS, async () => {
      if (!process!.running) throw new Error(`the broker ended: ${process!.log.slice(-2000)}`);
      return await isReady(url);
    }, () => process!.log.slice(-2000));
  }

  async function stop(signal: Deno.Signal = "SIGTERM"): Promise<number> {
    return await process?.stop(signal) ?? 0;
  }

  async function start(): Promise<void> {
    launch();
    await untilReady();
  }

  async function close(): Promise<void> {
    await stop();
    if (options.dataDir === undefined) await Deno.remove(dataDir, { recursive: true });
  }

  try {
    await start();
  } catch (error) {
    await stop("SIGKILL");
    if (options.dataDir === undefined) await Deno.remove(dataDir, { recursive: true });
    throw error;
  }
  return {
    url,
    port,
    dataDir,
    get pid() {
      return process!.pid;
    },
    get log() {
      return process!.log;
    },
    launch,
    untilReady,
    start,
    stop,
    close,
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
