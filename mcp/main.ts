/**
 * The role `claudemesh mcp`: serves MCP on standard input and output for one client, until that ends.
 */
import process from "node:process";
// @ts-types="@modelcontextprotocol/sdk/server/stdio"
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import type { LocalClient } from "../agent/core/local_client.ts";
import { ClaudemeshServer } from "./server.ts";
import { sessionIdentity } from "./session_identity.ts";

export interface McpRoleOptions {
  /** Slugs that the session is limited to; none: all joined meshes. */
  readonly meshes: readonly string[];
  /** Runs the agent inside this process instead of starting one. */
  readonly standalone: boolean;
  /** The version of this program. */
  readonly version: string;
}

/** A way to an agent, and what ends it. */
interface AgentAccess {
  connect(): Promise<LocalClient>;
  close(): Promise<void>;
}

const SIGNALS: readonly Deno.Signal[] = Deno.build.os === "windows"
  ? ["SIGINT"]
  : ["SIGINT", "SIGTERM", "SIGHUP"];

/**
 * Serves until the client closes its end or a signal comes.
 * @returns the exit code.
 */
export async function runMcp(options: McpRoleOptions): Promise<number> {
  const access = options.standalone
    ? standaloneAgent(options.version)
    : runningAgent(options.version);
  const server = new ClaudemeshServer({
    version: options.version,
    attachment: {
      ...sessionIdentity({
        env: (name) => Deno.env.get(name),
        parentPid: Deno.ppid,
        cwd: Deno.cwd(),
      }),
      ...(options.meshes.length === 0 ? {} : { meshes: [...options.meshes] }),
    },
    role: Deno.env.get("CLAUDEMESH_ROLE")?.slice(0, 64),
    connect: access.connect,
    report,
  });
  const ended = Promise.withResolvers<void>();
  const end = () => ended.resolve();
  process.stdin.on("end", end);
  process.stdin.on("close", end);
  process.stdout.on("error", end);
  for (const signal of SIGNALS) Deno.addSignalListener(signal, end);
  await server.start(new StdioServerTransport(), end);
  await ended.promise;
  await server.close();
  await access.close();
  for (const signal of SIGNALS) Deno.removeSignalListener(signal, end);
  return 0;
}

/** Says on standard error what went wrong; hosts keep that, and standard output belongs to the protocol. */
function report(error: unknown): void {
  const name = error instanceof Error ? error.name : "unknown failure";
  // The message of a protocol error may quote what a client sent; its name and place are enough to find it.
  const place = error instanceof Error ? error.stack?.split("\n")[1]?.trim() ?? "" : "";
  Deno.stderr.writeSync(new TextEncoder().encode(`claudemesh mcp: ${name} ${place}\n`));
}

/** This user's agent, which is started when it does not run. */
function runningAgent(version: string): AgentAccess {
  return {
    async connect() {
      const [{ connectAgent }, { homePaths }, { selfCommand }] = await Promise.all([
        import("../agent/core/agent_launch.ts"),
        import("../agent/home/paths.ts"),
        import("../agent/home/self_command.ts"),
      ]);
      const { socketPath, logFile } = homePaths();
      return await connectAgent({
        socketPath,
        command: selfCommand(["agent"]),
        version,
        logPath: logFile,
      });
    },
    close: () => Promise.resolve(),
  };
}

/** An agent of its own inside this process; fails like a second agent where one runs already. */
function standaloneAgent(version: string): AgentAccess {
  let daemon: Promise<{ connect(): LocalClient; close(): Promise<void> }> | null = null;
  async function start() {
    const [{ daemonSetup }, { startDaemon }] = await Promise.all([
      import("../agent/daemon/main.ts"),
      import("../agent/daemon/daemon.ts"),
    ]);
    return await startDaemon(daemonSetup(version));
  }
  return {
    async connect() {
      daemon ??= start();
      try {
        return (await daemon).connect();
      } catch (error) {
        // The other agent may end: the next attempt starts anew.
        daemon = null;
        throw error;
      }
    },
    async close() {
      const running = await daemon?.catch(() => null);
      await running?.close();
    },
  };
}
