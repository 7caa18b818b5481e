/**
 * Verbs that register claudemesh in Claude Code and take that back.
 */
import { marks, style } from "../ui/style.ts";
import { table } from "../ui/text.ts";
import type { FileOutcome } from "../hosts/claude_code.ts";
import type { Verb, VerbResult } from "./verb.ts";

const DRY_RUN = { syntax: "--dry-run", summary: "say what would change, change nothing" };

function report(outcomes: readonly FileOutcome[], dryRun: boolean, next: string): VerbResult {
  const rows = outcomes.map((each) => [
    each.outcome === "unchanged" || each.outcome === "nothing to remove"
      ? style.dim("·")
      : marks.done(),
    each.path,
    each.outcome,
    each.backup ? style.dim(`backup: ${each.backup}`) : "",
  ]);
  const heading = dryRun ? `${style.warn("Dry run: nothing was written.")}\n` : "";
  return {
    data: { dry_run: dryRun, files: outcomes },
    text: `${heading}${table(rows)}${next === "" ? "" : `\n\n${next}`}`,
  };
}

/** The variable that says which home is meant, if one is chosen: the registered server must find the same. */
function keptEnvironment(): Record<string, string> {
  const configDir = Deno.env.get("CLAUDEMESH_CONFIG_DIR");
  return configDir ? { CLAUDEMESH_CONFIG_DIR: configDir } : {};
}

export const install: Verb = {
  path: "install",
  summary: "Register in Claude Code: MCP server, hooks, permissions",
  details:
    "Merges into .claude.json and settings.json, keeps a backup, and changes nothing when run again.",
  args: [],
  flags: [DRY_RUN, { syntax: "--no-hooks", summary: "without the hooks" }],
  examples: ["claudemesh install --dry-run", "claudemesh install", "claudemesh install --no-hooks"],
  json: true,
  async run(context) {
    const { install } = await import("../hosts/claude_code.ts");
    const { homePaths } = await import("../home/paths.ts");
    const { selfCommand } = await import("../home/self_command.ts");
    const { allowedToolNames } = await import("../core/tool_names.ts");
    const dryRun = context.flags.dryRun === true;
    const outcomes = await install(homePaths().configDir, {
      command: selfCommand([]),
      environment: keptEnvironment(),
      allowedTools: allowedToolNames().map((name) => `mcp__claudemesh__${name}`),
      hooks: context.flags.hooks !== false,
    }, dryRun);
    return report(outcomes, dryRun, dryRun ? "" : "  Restart Claude Code to use it.");
  },
};

export const uninstall: Verb = {
  path: "uninstall",
  summary: "Take the registration in Claude Code back",
  details: "Restores the files byte by byte if nobody wrote since, else removes our entries alone.",
  args: [],
  flags: [DRY_RUN],
  examples: ["claudemesh uninstall --dry-run", "claudemesh uninstall"],
  json: true,
  async run(context) {
    const { uninstall } = await import("../hosts/claude_code.ts");
    const { homePaths } = await import("../home/paths.ts");
    const dryRun = context.flags.dryRun === true;
    return report(await uninstall(homePaths().configDir, dryRun), dryRun, "");
  },
};
