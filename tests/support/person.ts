/**
 * A person with a home of their own: runs verbs in it, and their agent as a process that tests may
 * kill.
 */
import { join } from "node:path";
import { type LocalClient, openLocal } from "../../agent/core/local_client.ts";
import { LocalError } from "../../agent/core/local_error.ts";
import { agentPid, isAgentRunning } from "../../agent/home/agent_lock.ts";
import { type HomePaths, homePaths } from "../../agent/home/paths.ts";
import { selfCommand } from "../../agent/home/self_command.ts";
import { homeEnvironment, type ProgramOutput, ProgramProcess, runCommand } from "./program.ts";
import { until } from "./until.ts";

const AGENT_LIMIT_MS = 20_000;
const VERB_LIMIT_MS = 90_000;

export class Person {
  readonly name: string;
  /** HOME. */
  readonly folder: string;
  /** All that this person's processes get. */
  readonly environment: Readonly<Record<string, string>>;
  readonly paths: HomePaths;
  #agent: ProgramProcess | null = null;

  /** Made by `Person.create`. */
  constructor(name: string, folder: string, environment: Readonly<Record<string, string>>) {
    this.name = name;
    this.folder = folder;
    this.environment = environment;
    this.paths = homePaths((variable) => environment[variable]);
  }

  /** Makes a home in a temporary folder. */
  static async create(
    name: string,
    environment: Readonly<Record<string, string>> = {},
  ): Promise<Person> {
    const folder = await Deno.makeTempDir({ prefix: "claudemesh-home-" });
    return new Person(name, folder, {
      ...await homeEnvironment(folder),
      CLAUDEMESH_CONFIG_DIR: join(folder, ".claudemesh"),
      CLAUDEMESH_DISPLAY_NAME: name,
      ...environment,
    });
  }

  /** Runs a verb to its end, whatever its exit code. */
  async run(words: readonly string[], options: { stdin?: string } = {}): Promise<ProgramOutput> {
    return await runCommand(selfCommand(words), this.environment, {
      cwd: this.folder,
      timeoutMs: VERB_LIMIT_MS,
      ...options,
    });
  }

  /**
   * Runs a verb with `--json`.
   * @returns its answer.
   * @throws {Error} with all it printed when its exit code is not 0.
   */
  async ask(...words: string[]): Promise<Record<string, unknown>> {
    const { code, stdout, stderr } = await this.run([...words, "--json"]);
    if (code !== 0) {
      throw new Error(`${this.name}: ${words.join(" ")}: exit code ${code}\n${stdout}${stderr}`);
    }
    return JSON.parse(stdout);
  }

  /**
   * Starts this person's agent as a child, which `killAgent` can kill; a verb would start one that
   * outlives it.
   */
  launchAgent(): void {
    if (this.#agent?.running) throw new Error(`${this.name}'s agent runs already`);
    this.#agent = new ProgramProcess(["agent"], this.environment);
  }

  /** Whether the agent that `launchAgent` started runs. */
  get agentRuns(): boolean {
    return this.#agent?.running ?? false;
  }

  /** Ends the agent that `launchAgent` started. */
  async stopAgent(signal: Deno.Signal): Promise<void> {
    await this.#agent?.stop(signal);
  }

  /**
   * Connects to the agent as soon as it listens; null when the one that `launchAgent` started ends
   * before.
   */
  async agentUnlessEnded(): Promise<LocalClient | null> {
    const found = await until(`${this.name}'s agent listens`, AGENT_LIMIT_MS, async () => {
      const client = await openLocal(this.paths.socketPath).catch((error) => {
        // Killed after it took the connection and before it greeted: there will be another, or none.
        if (error instanceof LocalError && error.code === "agent_silent") return null;
        throw error;
      });
      if (client !== null) return client;
      return this.#agent?.running === false ? "ended" : null;
    }, () => this.#agent?.log ?? "");
    return found === "ended" ? null : found;
  }

  /**
   * Connects to the agent as soon as it listens. @throws {Error} with its log when it ended
   * instead.
   */
  async agent(): Promise<LocalClient> {
    const client = await this.agentUnlessEnded();
    if (client === null) throw new Error(`${this.name}'s agent ended: ${this.#agent?.log}`);
    return client;
  }

  /** Uses a connection to the agent and closes it. */
  async withAgent<T>(use: (client: LocalClient) => Promise<T>): Promise<T> {
    const client = await this.agent();
    try {
      return await use(client);
    } finally {
      await client.close();
    }
  }

  /** Ends the agent, whoever started it, and removes the home. */
  async close(): Promise<void> {
    await this.#agent?.stop("SIGKILL");
    // The lock tells that the number in the file is still an agent's, and of this home.
    if (isAgentRunning(this.paths)) {
      Deno.kill(agentPid(this.paths)!, "SIGKILL");
      await until("the agent is gone", AGENT_LIMIT_MS, () => !isAgentRunning(this.paths));
    }
    await Deno.remove(this.folder, { recursive: true });
  }
}
