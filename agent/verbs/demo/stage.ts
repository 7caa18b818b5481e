/**
 * The demo's stage: a broker and several agents as real processes in a temporary folder, driven by the program's own
 * verbs, and everything removed at the end.
 */
import { join } from "node:path";
import { LocalError } from "../../core/local_error.ts";
import { homePaths } from "../../home/paths.ts";
import { selfCommand } from "../../home/self_command.ts";
import { freePort } from "./free_port.ts";

const READY_TIMEOUT_MS = 20_000;
const DECODER = new TextDecoder();

/** A person of the demo: a home of its own, and the verbs run in it. */
export class Person {
  readonly name: string;
  /** What is this person's alone. */
  readonly folder: string;
  /** Where the agent's socket is; outside the demo's folder if that one has a long path. */
  readonly runDir: string;
  readonly #environment: Record<string, string>;
  readonly #verbs = new Set<Deno.ChildProcess>();
  #leaves = false;

  constructor(name: string, folder: string) {
    this.name = name;
    this.folder = folder;
    this.#environment = {
      CLAUDEMESH_CONFIG_DIR: join(folder, ".claudemesh"),
      CLAUDEMESH_DISPLAY_NAME: name,
      NO_COLOR: "1",
    };
    this.runDir = homePaths((name) => this.#environment[name]).runDir;
  }

  /**
   * Runs a verb with `--json`.
   * @returns the answer's fields.
   * @throws {LocalError} with the verb's own error when it fails.
   */
  async run(...words: string[]): Promise<Record<string, unknown>> {
    if (this.#leaves) throw new LocalError("demo_ended", `${this.name} has left`, { exit: 1 });
    const output = await this.#output(words);
    const text = DECODER.decode(output.stdout);
    let answer: Record<string, unknown>;
    try {
      answer = JSON.parse(text);
    } catch {
      const reason = DECODER.decode(output.stderr).trim() || text.trim() || "no output";
      throw new LocalError("demo_failed", `${this.name}: "${words[0]}" failed: ${reason}`, {
        exit: 8,
      });
    }
    if (answer.ok !== true && answer.error) {
      const { message } = answer.error as { message: string };
      throw new LocalError("demo_failed", `${this.name}: "${words.join(" ")}": ${message}`, {
        exit: 8,
      });
    }
    return answer;
  }

  /** Ends what runs, the agent last, and removes what is outside the demo's folder. */
  async leave(): Promise<void> {
    this.#leaves = true;
    const ended = [...this.#verbs].map((verb) => {
      verb.kill("SIGTERM");
      return verb.status;
    });
    await Promise.all(ended);
    await this.#output(["agent", "stop"]);
    await Deno.remove(this.runDir, { recursive: true }).catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    });
  }

  async #output(words: readonly string[]): Promise<Deno.CommandOutput> {
    const [program, ...args] = selfCommand([...words, "--json"]);
    const verb = new Deno.Command(program, {
      args,
      env: this.#environment,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#verbs.add(verb);
    try {
      return await verb.output();
    } finally {
      this.#verbs.delete(verb);
    }
  }
}

/** The broker's process, which the demo kills and starts again. */
export class DemoBroker {
  readonly url: string;
  readonly #port: number;
  readonly #folder: string;
  #process: Deno.ChildProcess | null = null;
  #over = false;

  constructor(port: number, folder: string) {
    this.#port = port;
    this.#folder = folder;
    this.url = `http://127.0.0.1:${port}`;
  }

  get running(): boolean {
    return this.#process !== null;
  }

  /** Starts it and waits until its store answers. */
  async start(): Promise<void> {
    if (this.#over) throw new LocalError("demo_ended", "The demo is over", { exit: 1 });
    const [program, ...args] = selfCommand([
      "serve",
      "--port",
      String(this.#port),
      "--data-dir",
      this.#folder,
    ]);
    this.#process = new Deno.Command(program, {
      args,
      env: { DATABASE_URL: "", BROKER_PUBLIC_URL: this.url },
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const errors = drain(this.#process.stderr);
    const ended = this.#process.status.then(async (status) => {
      throw new LocalError(
        "demo_failed",
        `The broker ended with code ${status.code}: ${(await errors).slice(-600)}`,
        { exit: 8 },
      );
    });
    ended.catch(() => undefined);
    await Promise.race([this.#ready(), ended]);
  }

  async #ready(): Promise<void> {
    const deadlineMs = Date.now() + READY_TIMEOUT_MS;
    while (Date.now() < deadlineMs) {
      try {
        const response = await fetch(`${this.url}/health/ready`);
        await response.body?.cancel();
        if (response.ok) return;
      } catch {
        // Not listening yet: that is what this loop waits for.
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new LocalError("demo_failed", "The broker was not ready within 20 s", { exit: 8 });
  }

  /** Ends it for good. */
  async end(): Promise<void> {
    this.#over = true;
    await this.stop("SIGTERM");
  }

  /** Ends it: SIGKILL leaves it no moment to tidy up. */
  async stop(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    const running = this.#process;
    this.#process = null;
    if (running === null) return;
    try {
      running.kill(signal);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
    }
    await running.status;
  }
}

async function drain(stream: ReadableStream<Uint8Array>): Promise<string> {
  let text = "";
  for await (const chunk of stream) text = (text + DECODER.decode(chunk)).slice(-4000);
  return text;
}

/** Everything the demo needs; `close()` stops every process and removes every file. */
export class Stage {
  readonly broker: DemoBroker;
  readonly people: Person[] = [];
  readonly #folder: string;
  #closing: Promise<void> | null = null;

  constructor(folder: string, broker: DemoBroker) {
    this.#folder = folder;
    this.broker = broker;
  }

  static async open(): Promise<Stage> {
    const folder = await Deno.makeTempDir({ prefix: "claudemesh-demo-" });
    return new Stage(folder, new DemoBroker(await freePort(), join(folder, "broker")));
  }

  async person(name: string): Promise<Person> {
    if (this.#closing !== null) throw new LocalError("demo_ended", "The demo is over", { exit: 1 });
    const folder = join(this.#folder, name.toLowerCase());
    await Deno.mkdir(folder, { mode: 0o700 });
    const person = new Person(name, folder);
    this.people.push(person);
    return person;
  }

  /** Once, whoever asks first: the end of the play or an impatient user. */
  async close(): Promise<void> {
    this.#closing ??= this.#close();
    await this.#closing;
  }

  async #close(): Promise<void> {
    await Promise.all(this.people.map((person) => person.leave()));
    await this.broker.end();
    await Deno.remove(this.#folder, { recursive: true });
  }
}
