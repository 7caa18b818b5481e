/**
 * The real Claude Code, a test-time tool: installed at a pinned version into a folder of its own,
 * run in a person's home.
 */
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Person } from "./person.ts";
import { type ProgramOutput, runCommand } from "./program.ts";

const VERSION = "2.1.329";
const INSTALL_LIMIT_MS = 180_000;
const RUN_LIMIT_MS = 90_000;

export interface ClaudeCode {
  /** Path of the program. */
  readonly program: string;
  readonly version: string;
}

/**
 * Installs Claude Code, once for all runs on this machine.
 * @returns the program, or in `reason` why there is none.
 */
export async function installClaudeCode(): Promise<ClaudeCode | { readonly reason: string }> {
  const folder = join(tmpdir(), `claudemesh-test-claude-code-${VERSION}`);
  const program = join(folder, "node_modules", ".bin", "claude");
  const lock = await Deno.open(`${folder}.lock`, { write: true, create: true });
  try {
    await lock.lock(true);
    if (await works(program)) return { program, version: VERSION };
    await Deno.mkdir(folder, { recursive: true });
    const npm = await new Deno.Command("npm", {
      args: ["install", "--no-audit", "--no-fund", `@anthropic-ai/claude-code@${VERSION}`],
      cwd: folder,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      signal: AbortSignal.timeout(INSTALL_LIMIT_MS),
    }).output();
    if (await works(program)) return { program, version: VERSION };
    const said = new TextDecoder().decode(npm.stderr).trim().split("\n").at(-1);
    return { reason: `@anthropic-ai/claude-code@${VERSION} could not be installed: ${said}` };
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return { reason: "npm is not on the PATH, so that Claude Code cannot be installed" };
  } finally {
    lock.close();
  }
}

async function works(program: string): Promise<boolean> {
  try {
    const { success, stdout } = await new Deno.Command(program, { args: ["--version"] }).output();
    return success && new TextDecoder().decode(stdout).startsWith(VERSION);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** A person's Claude Code: in their home, talking to a scripted model. */
export class ClaudeSession implements AsyncDisposable {
  readonly #claude: ClaudeCode;
  readonly #person: Person;
  readonly #environment: Record<string, string>;
  readonly #ending = new AbortController();
  readonly #running = new Set<Promise<ProgramOutput>>();

  /** @param key the part of the script that this person plays. */
  constructor(claude: ClaudeCode, person: Person, modelUrl: string, key: string) {
    this.#claude = claude;
    this.#person = person;
    this.#environment = {
      ...person.environment,
      ANTHROPIC_BASE_URL: modelUrl,
      ANTHROPIC_API_KEY: key,
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
      DISABLE_AUTOUPDATER: "1",
      // Else the tools of MCP servers are behind a search, and the script's condition for a step is never met.
      ENABLE_TOOL_SEARCH: "false",
    };
  }

  /** Runs `claude` with these arguments in the person's home. */
  async run(...args: string[]): Promise<ProgramOutput> {
    const run = runCommand([this.#claude.program, ...args], this.#environment, {
      cwd: this.#person.folder,
      timeoutMs: RUN_LIMIT_MS,
      signal: this.#ending.signal,
    });
    this.#running.add(run);
    try {
      return await run;
    } finally {
      this.#running.delete(run);
    }
  }

  /** Ends what still runs, as after a failed test. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    await Promise.allSettled(this.#running);
  }

  /**
   * One headless turn: as many steps as the script has until it ends the turn.
   * @throws {Error} with what it printed when it failed.
   */
  async turn(prompt: string): Promise<void> {
    const { code, stdout, stderr } = await this.run("-p", prompt, "--output-format", "json");
    if (code !== 0) throw new Error(`claude -p ended with ${code}: ${stdout}${stderr}`);
  }
}
