/**
 * Verbs that start the program's long-running roles, and those that ask after them.
 */
import { marks, printable, style } from "../ui/style.ts";
import { pairs, relativeTime } from "../ui/text.ts";
import type { MeshState } from "../core/local_types.ts";
import type { Verb } from "./verb.ts";

function stringFlags(flags: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(flags).filter((entry): entry is [string, string] =>
      typeof entry[1] === "string"
    ),
  );
}

export const serve: Verb = {
  path: "serve",
  summary: "Run a broker",
  details:
    "With no configuration it keeps everything in its data folder. DATABASE_URL names a PostgreSQL server.\n" +
    "Every setting is a flag, an environment variable or a line of claudemesh.json in the data folder.",
  args: [],
  flags: [
    { syntax: "--port <port>", summary: "TCP port (PORT, 8787)" },
    { syntax: "--host <address>", summary: "address to listen on (HOST, 127.0.0.1)" },
    { syntax: "--data-dir <folder>", summary: "where its data is (CLAUDEMESH_DATA_DIR)" },
    { syntax: "--public-url <url>", summary: "how others reach it (BROKER_PUBLIC_URL)" },
  ],
  examples: [
    "claudemesh serve",
    "claudemesh serve --host 0.0.0.0 --public-url https://mesh.example.org",
  ],
  json: false,
  async run(context) {
    return finish(await context.roles.serve(stringFlags(context.flags)));
  },
};

export const health: Verb = {
  path: "health",
  summary: "Ask the broker on this machine whether it is ready (for container health checks)",
  args: [],
  flags: [
    { syntax: "--port <port>", summary: "its port (PORT, 8787)" },
    { syntax: "--host <address>", summary: "its address (127.0.0.1)" },
  ],
  examples: ["claudemesh health"],
  json: false,
  async run(context) {
    return finish(await context.roles.health(stringFlags(context.flags)));
  },
};

export const mcp: Verb = {
  path: "mcp",
  summary: "Serve MCP on standard input and output (what MCP clients start)",
  args: [],
  flags: [
    { syntax: "-m, --mesh <slugs>", summary: "only these meshes, with commas" },
    { syntax: "--standalone", summary: "keep the agent inside this process (containers)" },
  ],
  examples: ["claudemesh mcp", "claudemesh mcp --mesh team --standalone"],
  json: false,
  async run(context) {
    const meshes = typeof context.flags.mesh === "string" ? context.flags.mesh.split(",") : [];
    const standalone = context.flags.standalone === true;
    return finish(await context.roles.mcp({ meshes, standalone }));
  },
};

/** A role's exit code as a verb's result: null goes on running. */
function finish(exit: number | null) {
  return exit === null ? null : { data: {}, text: "", exit };
}

export const agent: Verb = {
  path: "agent",
  summary: "Run this machine's agent in the foreground (verbs start it by themselves)",
  args: [],
  flags: [],
  examples: ["claudemesh agent", "claudemesh agent status", "claudemesh agent stop"],
  json: false,
  async run(context) {
    return finish(await context.roles.agent());
  },
};

/** One line on how it stands with a mesh. */
export function meshLine(mesh: MeshState): string {
  const mark = mesh.connected ? marks.done() : marks.failed();
  // Before the first connection nobody knows which key is the current one.
  const isKeyHere = mesh.keyState === "current" || mesh.epoch === null;
  const key = isKeyHere ? "" : style.warn(
    ` · ${printable(mesh.waitingReason ?? "waiting for a member to hand over the mesh key")}`,
  );
  const queued = mesh.queued === 0 ? "" : style.warn(` · ${mesh.queued} queued`);
  const isDown = !mesh.connected && mesh.reason !== null;
  const reason = isDown ? style.dim(` · ${printable(mesh.reason ?? "")}`) : "";
  const who = printable(`${mesh.displayName} (${mesh.role})`);
  return `  ${mark} ${style.bold(printable(mesh.slug))} as ${who}  ${
    style.dim(printable(mesh.brokerUrl))
  }${key}${queued}${reason}`;
}

export const agentStatus: Verb = {
  path: "agent status",
  summary: "Tell whether the agent runs, and how it stands with each mesh",
  args: [],
  flags: [],
  examples: ["claudemesh agent status", "claudemesh agent status --json"],
  json: true,
  async run(context) {
    const client = await context.agent({ start: false });
    const info = await client.call("agent.info", {});
    const facts = pairs([
      ["agent", `running, pid ${info.pid}, version ${info.version}`],
      ["since", relativeTime(Date.parse(info.startedAt), Date.now())],
      ["socket", info.socketPath],
      ["sessions", String(info.attached.length)],
    ]);
    return { data: { ...info }, text: [facts, ...info.meshes.map(meshLine)].join("\n") };
  },
};

export const agentStop: Verb = {
  path: "agent stop",
  summary: "Stop the agent; queued messages stay and go out when it runs again",
  args: [],
  flags: [],
  examples: ["claudemesh agent stop"],
  json: true,
  async run(context) {
    const client = await context.agent({ start: false }).catch((error) => {
      if (error?.code === "agent_not_running") return null;
      throw error;
    });
    if (client === null) return { data: { stopped: false }, text: "  The agent does not run." };
    const { stopAgent } = await import("../core/agent_launch.ts");
    await stopAgent(client);
    return { data: { stopped: true }, text: `${marks.done()} The agent has stopped` };
  },
};
