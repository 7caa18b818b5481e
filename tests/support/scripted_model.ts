/**
 * The scripted stand-in for the model behind a gate: tests decide when an answer goes out, and so
 * what happens before the next step of a turn.
 */
import { fileURLToPath } from "node:url";
import { until } from "./until.ts";

const PROGRAM = fileURLToPath(
  new URL("../../../shared/tools/scripted-model.mjs", import.meta.url),
);
const START_LIMIT_MS = 10_000;
const HOLD_LIMIT_MS = 60_000;

/** What the model does with one request: it calls a tool, or ends the turn. */
export type ScriptStep =
  | { readonly tool: string; readonly input: Readonly<Record<string, unknown>> }
  | { readonly text: string };

/** One line of the model's log: the last message of a request. */
export interface LoggedRequest {
  readonly key: string;
  readonly tools: readonly string[];
  readonly last: { readonly role: string; readonly content: unknown };
}

/** A request that waits for its answer. */
export interface HeldRequest {
  /** Lets the model answer. */
  release(): void;
}

interface Hold {
  readonly nth: number;
  readonly arrived: PromiseWithResolvers<void>;
  readonly released: PromiseWithResolvers<void>;
}

/** Why the scripted model cannot run here; null when it can. */
export function scriptedModelMissing(): string | null {
  try {
    Deno.statSync(PROGRAM);
    return null;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return `${PROGRAM} is not there`;
    throw error;
  }
}

export class ScriptedModel implements AsyncDisposable {
  /** What ANTHROPIC_BASE_URL must be. */
  readonly url: string;
  readonly #gate: Deno.HttpServer<Deno.NetAddr>;
  readonly #child: Deno.ChildProcess;
  readonly #model: string;
  readonly #folder: string;
  readonly #counts = new Map<string, number>();
  readonly #holds = new Map<string, Hold[]>();
  readonly #messages = new Map<string, readonly unknown[]>();

  private constructor(child: Deno.ChildProcess, model: string, folder: string) {
    this.#child = child;
    this.#model = model;
    this.#folder = folder;
    this.#gate = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
      return this.#pass(request);
    });
    this.url = `http://127.0.0.1:${this.#gate.addr.port}`;
  }

  /** Starts it. `script`: the steps of each part, by the API key that its program uses. */
  static async start(script: Readonly<Record<string, readonly ScriptStep[]>>) {
    const folder = await Deno.makeTempDir({ prefix: "claudemesh-model-" });
    await Deno.writeTextFile(`${folder}/script.json`, JSON.stringify(script));
    await Deno.writeTextFile(`${folder}/log.jsonl`, "");
    const child = new Deno.Command("node", {
      args: [PROGRAM, "--script", `${folder}/script.json`, "--log", `${folder}/log.jsonl`],
      stdin: "null",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    const model = await until("the scripted model listens", START_LIMIT_MS, async () => {
      text += (await reader.read()).value ?? "";
      return /http:\S+/.exec(text)?.[0];
    });
    await reader.cancel();
    return new ScriptedModel(child, model, folder);
  }

  /**
   * Holds back the answer to the `nth` request (from 1) of the part `key`, counted over all its
   * turns.
   * @returns a promise that settles when that request has come.
   */
  hold(key: string, nth: number): Promise<HeldRequest> {
    const hold: Hold = {
      nth,
      arrived: Promise.withResolvers(),
      released: Promise.withResolvers(),
    };
    this.#holds.set(key, [...this.#holds.get(key) ?? [], hold]);
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      hold.released.resolve();
      reject(new Error(`request ${nth} of "${key}" did not come in ${HOLD_LIMIT_MS} ms`));
    }, HOLD_LIMIT_MS);
    const arrived = hold.arrived.promise.then(() => ({ release: () => hold.released.resolve() }));
    return Promise.race([arrived, late]).finally(() => clearTimeout(timer));
  }

  /** Everything that the newest request of the part `key` put before the model, the system prompt left out. */
  lastMessages(key: string): readonly unknown[] {
    return this.#messages.get(key) ?? [];
  }

  /** What was asked in the part `key`, in order. */
  async requests(key: string): Promise<LoggedRequest[]> {
    const lines = (await Deno.readTextFile(`${this.#folder}/log.jsonl`)).trim().split("\n");
    return lines
      .filter((line) => line !== "")
      .map((line): LoggedRequest => JSON.parse(line))
      .filter((request) => request.key === key && request.tools.length > 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const hold of [...this.#holds.values()].flat()) hold.released.resolve();
    await this.#gate.shutdown();
    this.#child.kill("SIGTERM");
    await this.#child.status;
    await Deno.remove(this.#folder, { recursive: true });
  }

  async #pass(request: Request): Promise<Response> {
    const body = request.method === "POST" ? await request.text() : null;
    const path = new URL(request.url).pathname;
    if (body !== null && path === "/v1/messages" && offersTools(body)) {
      const key = request.headers.get("x-api-key") ?? "";
      this.#messages.set(key, JSON.parse(body).messages);
      await this.#wait(key);
    }
    const headers = new Headers(request.headers);
    headers.delete("content-length");
    headers.delete("accept-encoding");
    return await fetch(`${this.#model}${path}`, { method: request.method, headers, body });
  }

  async #wait(key: string): Promise<void> {
    const count = (this.#counts.get(key) ?? 0) + 1;
    this.#counts.set(key, count);
    const hold = this.#holds.get(key)?.find((each) => each.nth === count);
    if (hold === undefined) return;
    hold.arrived.resolve();
    await hold.released.promise;
  }
}

/** The script counts requests that offer an MCP tool, no others. */
function offersTools(body: string): boolean {
  const { tools = [] } = JSON.parse(body) as { tools?: { name?: unknown }[] };
  return tools.some((tool) => String(tool.name).startsWith("mcp__"));
}
