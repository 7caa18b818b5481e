/**
 * Picks the role or verb and loads only what it needs: `--version`, `--help`, `hook` and the roles skip the command-line
 * parser.
 */
import type { Roles } from "./agent/verbs/verb.ts";
import config from "./deno.json" with { type: "json" };

/** What `serve` starts as a child; no verb for people. */
const PREPARE_STORE = "prepare-store";
/** What a broker starts for each mesh whose own database is in use. */
const MESH_DATABASE = "mesh-database";

/**
 * What it may load, by URL: of an `import()` of a plain name the runtime reads the whole graph before it runs anything, and
 * every role would spend 35 ms and 5 MiB on those that it is not.
 */
const modules = {
  agent: async (): Promise<typeof import("./agent/daemon/main.ts")> =>
    await import(new URL("./agent/daemon/main.ts", import.meta.url).href),
  health: async (): Promise<typeof import("./broker/health_check.ts")> =>
    await import(new URL("./broker/health_check.ts", import.meta.url).href),
  help: async (): Promise<typeof import("./agent/verbs/help_text.ts")> =>
    await import(new URL("./agent/verbs/help_text.ts", import.meta.url).href),
  hook: async (): Promise<typeof import("./agent/verbs/hook.ts")> =>
    await import(new URL("./agent/verbs/hook.ts", import.meta.url).href),
  mcp: async (): Promise<typeof import("./mcp/main.ts")> =>
    await import(new URL("./mcp/main.ts", import.meta.url).href),
  mcpArguments: async (): Promise<typeof import("./mcp/arguments.ts")> =>
    await import(new URL("./mcp/arguments.ts", import.meta.url).href),
  meshDatabase: async (): Promise<typeof import("./storage/mesh_database/embedded_process.ts")> =>
    await import(new URL("./storage/mesh_database/embedded_process.ts", import.meta.url).href),
  prepareStore: async (): Promise<typeof import("./broker/prepare_store.ts")> =>
    await import(new URL("./broker/prepare_store.ts", import.meta.url).href),
  selfCommand: async (): Promise<typeof import("./agent/home/self_command.ts")> =>
    await import(new URL("./agent/home/self_command.ts", import.meta.url).href),
  serve: async (): Promise<typeof import("./broker/serve.ts")> =>
    await import(new URL("./broker/serve.ts", import.meta.url).href),
  verbs: async (): Promise<typeof import("./agent/verbs/run.ts")> =>
    await import(new URL("./agent/verbs/run.ts", import.meta.url).href),
};

/** Runs the program; returns its exit code, or null when the role goes on until it is told to stop. */
async function main(argv: readonly string[]): Promise<number | null> {
  switch (argv[0]) {
    case undefined:
    case "--help":
    case "-h":
      if (argv.length > 1) return await runVerbs(argv);
      console.log((await modules.help()).HELP_TEXT.trimEnd());
      return 0;
    case "--version":
    case "-V":
      console.log(`claudemesh ${config.version}`);
      return 0;
    case "hook":
      if (argv[1] === "--help" || argv[1] === "-h") return await runVerbs(argv);
      return await (await modules.hook()).runHook(argv.slice(1));
    case PREPARE_STORE:
      return await (await modules.prepareStore()).prepareStore(argv[1]!);
    case MESH_DATABASE:
      return await (await modules.meshDatabase()).runMeshDatabase();
    case "mcp": {
      const options = (await modules.mcpArguments()).mcpArguments(argv.slice(1));
      if (options !== null) return await roles.mcp(options);
    }
    // falls through: the parser explains what it is given
    default:
      return await runVerbs(argv);
  }
}

async function runVerbs(argv: readonly string[]): Promise<number | null> {
  return await (await modules.verbs()).runVerb(argv, roles, config.version);
}

const roles: Roles = {
  serve: async (options) => {
    const { selfCommand } = await modules.selfCommand();
    return await (await modules.serve()).serve(options, selfCommand([PREPARE_STORE]));
  },
  health: async (options) => await (await modules.health()).healthCheck(options),
  agent: async () => await (await modules.agent()).runAgent(config.version),
  mcp: async (options) =>
    await (await modules.mcp()).runMcp({ ...options, version: config.version }),
};

const exitCode = await main(Deno.args);
if (exitCode !== null) Deno.exit(exitCode);
