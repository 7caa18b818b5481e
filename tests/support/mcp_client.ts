/**
 * A real MCP client of the program: `claudemesh mcp` as a process, with a home of its own, and every channel event that
 * it sends.
 */
// @ts-types="@modelcontextprotocol/sdk/client"
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
// @ts-types="@modelcontextprotocol/sdk/client/stdio"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { openLocal } from "../../agent/core/local_client.ts";
import { createMesh, joinMesh } from "../../agent/core/enrol.ts";
import { stopAgent } from "../../agent/core/agent_launch.ts";
import { Home } from "../../agent/home/home.ts";
import { homePaths } from "../../agent/home/paths.ts";
import { selfCommand } from "../../agent/home/self_command.ts";
import { homeEnvironment } from "./program.ts";
import { until } from "./until.ts";

const PATIENCE_MS = 15_000;

/** What a tool answered. */
export interface ToolResult {
  readonly text: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly isError: boolean;
}

export interface ChannelEvent {
  readonly content: string;
  readonly meta: Readonly<Record<string, string>>;
}

/** A person's home on this machine, from which hosts start MCP servers. */
export class McpHome {
  readonly name: string;
  readonly folder: string;
  readonly home: Home;
  readonly #clients = new Set<McpClient>();

  constructor(name: string) {
    this.name = name;
    this.folder = Deno.makeTempDirSync({ prefix: "claudemesh-mcp-" });
    this.home = new Home(
      homePaths((key) => key === "CLAUDEMESH_CONFIG_DIR" ? this.folder : undefined),
    );
  }

  async found(brokerUrl: string, slug: string): Promise<void> {
    const displayName = this.name;
    await createMesh(this.home, { brokerUrl, slug, name: slug, displayName, custody: "members" });
  }

  async join(link: string): Promise<void> {
    await joinMesh(this.home, link, { displayName: this.name });
  }

  /** Starts the server and shakes hands with it. */
  async open(
    args: readonly string[] = [],
    environment: Readonly<Record<string, string>> = {},
  ): Promise<McpClient> {
    const client = new McpClient(args, {
      ...await homeEnvironment(this.folder),
      CLAUDEMESH_CONFIG_DIR: this.folder,
      ...environment,
    });
    this.#clients.add(client);
    await client.start();
    return client;
  }

  async close(): Promise<void> {
    for (const client of this.#clients) await client.close();
    const agent = await openLocal(this.home.paths.socketPath);
    if (agent !== null) await stopAgent(agent);
    await Deno.remove(this.folder, { recursive: true });
  }
}

export class McpClient {
  readonly client = new Client({ name: "claude-code", version: "2.1.329" }, { capabilities: {} });
  readonly events: ChannelEvent[] = [];
  readonly #transport: StdioClientTransport;
  readonly #waiters = new Set<() => void>();
  readonly #listeners = new Map<string, (() => void)[]>();

  constructor(args: readonly string[], environment: Record<string, string>) {
    const [command, ...rest] = selfCommand(["mcp", ...args]);
    this.#transport = new StdioClientTransport({
      command,
      args: rest,
      env: environment,
      stderr: "inherit",
    });
    this.client.fallbackNotificationHandler = ({ method, params }) => {
      if (method === "notifications/claude/channel") this.events.push(params as never);
      for (const heard of this.#listeners.get(method) ?? []) heard();
      this.#listeners.delete(method);
      for (const waiter of [...this.#waiters]) waiter();
      return Promise.resolve();
    };
  }

  /** The server's process. */
  get pid(): number {
    return this.#transport.pid ?? 0;
  }

  async start(): Promise<void> {
    await this.client.connect(this.#transport);
  }

  async tool(name: string, args: Record<string, unknown> = {}): Promise<ToolResult> {
    const result = await this.client.callTool({ name, arguments: args });
    const blocks = result.content as { type: string; text: string }[];
    return {
      text: blocks.map((block) => block.text).join("\n"),
      data: (result.structuredContent ?? {}) as Record<string, unknown>,
      isError: result.isError === true,
    };
  }

  /** Calls a tool again until its answer is as wanted: for what another process does meanwhile. */
  async toolUntil(
    name: string,
    args: Record<string, unknown>,
    holds: (result: ToolResult) => boolean,
  ): Promise<ToolResult> {
    let last: ToolResult | null = null;
    const probe = async () => {
      last = await this.tool(name, args);
      return holds(last) ? last : null;
    };
    return await until(`${name} answers as wanted`, PATIENCE_MS, probe, () => last?.text ?? "");
  }

  /** Waits for a notification that comes from now on. */
  async notified(method: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${method} did not come`)), PATIENCE_MS);
      const heard = () => {
        clearTimeout(timer);
        resolve();
      };
      this.#listeners.set(method, [...this.#listeners.get(method) ?? [], heard]);
    });
  }

  /** Waits for a channel event, among those that came already too. */
  async event(what: string, holds: (event: ChannelEvent) => boolean): Promise<ChannelEvent> {
    return await new Promise((resolve, reject) => {
      const look = () => {
        const found = this.events.find(holds);
        if (found === undefined) return;
        clearTimeout(timer);
        this.#waiters.delete(look);
        resolve(found);
      };
      const timer = setTimeout(() => {
        this.#waiters.delete(look);
        const heard = this.events.map((event) => event.content).join("; ");
        reject(new Error(`no event within ${PATIENCE_MS} ms: ${what}; heard: ${heard}`));
      }, PATIENCE_MS);
      this.#waiters.add(look);
      look();
    });
  }

  async close(): Promise<void> {
    await this.client.close();
  }
}
