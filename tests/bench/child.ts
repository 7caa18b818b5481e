/**
 * A process that a benchmark started: its lines, its memory, its end.
 */
import { TextLineStream } from "./text_line_stream.ts";

export interface ChildOptions {
  readonly command: readonly [string, ...string[]];
  /** All of its environment, besides what a Deno program needs to find its cache. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Where its standard error goes; the benchmark's own by default. */
  readonly stderr?: "inherit" | "null";
}

const PASSED_ON = ["PATH", "HOME", "DENO_DIR", "TMPDIR", "XDG_CACHE_HOME", "NO_COLOR"];
const END_LIMIT_MS = 15_000;

/** The project's root, with a trailing slash. */
export const PROJECT_ROOT = new URL("../../", import.meta.url).pathname;

export class Child {
  readonly pid: number;
  readonly #process: Deno.ChildProcess;
  readonly #lines: ReadableStreamDefaultReader<string>;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  #exitCode: number | null = null;

  constructor(options: ChildOptions) {
    const [program, ...args] = options.command;
    this.#process = new Deno.Command(program, {
      args,
      cwd: options.cwd ?? PROJECT_ROOT,
      clearEnv: true,
      env: { ...inheritedEnv(), ...options.env },
      stdin: "piped",
      stdout: "piped",
      stderr: options.stderr ?? "inherit",
    }).spawn();
    this.pid = this.#process.pid;
    this.#lines = this.#process.stdout.pipeThrough(new TextDecoderStream())
      .pipeThrough(new TextLineStream()).getReader();
    this.#input = this.#process.stdin.getWriter();
    this.#process.status.then(({ code }) => this.#exitCode = code);
  }

  /** Its exit code; null while it runs. */
  get exitCode(): number | null {
    return this.#exitCode;
  }

  /** Writes one line to its standard input. */
  async write(line: string): Promise<void> {
    await this.#input.write(new TextEncoder().encode(`${line}\n`));
  }

  /** The next line of its standard output. Throws when there is none any more. */
  async line(): Promise<string> {
    const { value, done } = await this.#lines.read();
    if (done) throw new Error(`process ${this.pid} ended before it answered`);
    return value;
  }

  /** Reads away what it prints, so that a full pipe never stops it. Lines cannot be had after this. */
  drain(): void {
    const read = async () => {
      while (!(await this.#lines.read()).done);
    };
    read().catch((error) => console.error(`process ${this.pid}: ${error}`));
  }

  /** Resident memory in bytes, as the kernel counts it. */
  async residentBytes(): Promise<number> {
    const text = await Deno.readTextFile(`/proc/${this.pid}/status`);
    const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(text)?.[1];
    if (kibibytes === undefined) throw new Error(`process ${this.pid} has no resident memory`);
    return Number(kibibytes) * 1024;
  }

  /** Processor time used so far, in milliseconds, of all its threads. */
  async processorMs(): Promise<number> {
    const text = await Deno.readTextFile(`/proc/${this.pid}/stat`);
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    // Fields 14 and 15 of proc(5), in ticks of 10 ms.
    return (Number(fields[11]) + Number(fields[12])) * 10;
  }

  /** Closes its standard input and waits for its end. */
  async finish(): Promise<number> {
    await this.#input.close();
    return await this.#ended();
  }

  /** Sends a signal and waits for the end; one that does not end in time is killed. */
  async stop(signal: Deno.Signal = "SIGTERM"): Promise<number> {
    try {
      this.#process.kill(signal);
    } catch (error) {
      // It ended by itself meanwhile.
      if (!(error instanceof TypeError)) throw error;
    }
    return await this.#ended();
  }

  async #ended(): Promise<number> {
    const timer = setTimeout(() => this.#process.kill("SIGKILL"), END_LIMIT_MS);
    const { code } = await this.#process.status;
    clearTimeout(timer);
    return code;
  }
}

function inheritedEnv(): Record<string, string> {
  const env: Record<string, string> = { DENO_NO_UPDATE_CHECK: "1" };
  for (const name of PASSED_ON) {
    const value = Deno.env.get(name);
    if (value !== undefined) env[name] = value;
  }
  return env;
}
