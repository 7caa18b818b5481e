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

/** Runs the program; returns its exit code, or null when the role goes on until it is told to stop. */
async function main(argv: readonly string[]): Promise<number | null> {
  switch (argv[0]) {
    case undefined:
    case "--help":
    case "-h":
      if (argv.length > 1) return await runVerbs(argv);
      console.log((await import("./agent/verbs/help_text.ts")).HELP_TEXT.trimEnd());
      return 0;
    case "--version":
    case "-V":
      console.log(`claudemesh ${config.version}`);
      return 0;
    case "hook":
      if (argv[1] === "--help" || argv[1] === "-h") return await runVerbs(argv);
      return await (await import("./agent/verbs/hook.ts")).runHook(argv.slice(1));
    case PREPARE_STORE:
      return await (await import("./broker/prepare_store.ts")).prepareStore(argv[1]!);
    case MESH_DATABASE:
      return await (await import("./storage/mesh_database/embedded_process.ts")).runMeshDatabase();
    case "mcp": {
      const options = (await import("./mcp/arguments.ts")).mcpArguments(argv.slice(1));
      if (options !== null) return await roles.mcp(options);
    }
    // falls through: the parser explains what it is given
    default:
      return await runVerbs(argv);
  }
}

async function runVerbs(argv: readonly string[]): Promise<number | null> {
  return await (await import("./agent/verbs/run.ts")).runVerb(argv, roles, config.version);
}

const roles: Roles = {
  serve: async (options) => {
    const { selfCommand } = await import("./agent/home/self_command.ts");
    return await (await import("./broker/serve.ts")).serve(options, selfCommand([PREPARE_STORE]));
  },
  health: async (options) => await (await import("./broker/health_check.ts")).healthCheck(options),
  agent: async () => await (await import("./agent/daemon/main.ts")).runAgent(config.version),
  mcp: async (options) =>
    await (await import("./mcp/main.ts")).runMcp({ ...options, version: config.version }),
};

const exitCode = await main(Deno.args);
if (exitCode !== null) Deno.exit(exitCode);
