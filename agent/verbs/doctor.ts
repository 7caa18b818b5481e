/**
 * `claudemesh doctor`: looks at each hop between a session and its peers, and names the broken one with what to do.
 */
import type { LocalClient } from "../core/local_client.ts";
import { marks, printable, style } from "../ui/style.ts";
import { table } from "../ui/text.ts";
import type { Verb, VerbContext } from "./verb.ts";

interface Check {
  /** A name for programs; it never changes. */
  readonly name: string;
  readonly ok: boolean;
  /** A warning does not fail the run. */
  readonly warning?: true;
  readonly message: string;
  readonly hint: string | null;
}

const MIN_DENO = [2, 6] as const;
const BROKER_TIMEOUT_MS = 5_000;

function passed(name: string, message: string): Check {
  return { name, ok: true, message, hint: null };
}

function failed(name: string, message: string, hint: string): Check {
  return { name, ok: false, message, hint };
}

function warned(name: string, message: string, hint: string): Check {
  return { name, ok: true, warning: true, message, hint };
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function checkRuntime(): Check {
  const [major = 0, minor = 0] = Deno.version.deno.split(".").map(Number);
  const enough = major > MIN_DENO[0] || (major === MIN_DENO[0] && minor >= MIN_DENO[1]);
  return enough
    ? passed("runtime", `Deno ${Deno.version.deno}`)
    : failed("runtime", `Deno ${Deno.version.deno} is too old`, "Install Deno 2.6 or later");
}

async function checkHome(): Promise<Check[]> {
  const { Home } = await import("../home/home.ts");
  const { sign, verify } = await import("../../crypto/sign.ts");
  const home = new Home();
  try {
    const config = home.readConfig();
    const checks = [passed("config", `${home.paths.configFile}: ${config.meshes.length} meshes`)];
    for (const mesh of config.meshes) {
      try {
        const keys = home.readMemberKey(mesh.meshId);
        const works = keys.publicKey === mesh.pubkey &&
          verify("doctor", sign("doctor", keys.secretKey), mesh.pubkey);
        checks.push(
          works
            ? passed("keypairs-valid", `${mesh.slug}: the key signs as ${mesh.pubkey.slice(0, 12)}`)
            : failed(
              "keypairs-valid",
              `${mesh.slug}: the key file does not belong to the member`,
              "Put the right key file back, or leave and join again",
            ),
        );
      } catch (error) {
        checks.push(failed("keypairs-valid", `${mesh.slug}: ${reason(error)}`, hintOf(error)));
      }
    }
    return checks;
  } catch (error) {
    return [failed("config", reason(error), hintOf(error))];
  }
}

function hintOf(error: unknown): string {
  const hint = (error as { hint?: unknown } | null)?.hint;
  return typeof hint === "string" ? hint : "Run the command with CLAUDEMESH_DEBUG=1 for more";
}

async function checkClaude(): Promise<Check[]> {
  const { claudeFiles } = await import("../hosts/claude_code.ts");
  const { isJsonObject, parseObject, readText } = await import("../hosts/json_file.ts");
  const files = claudeFiles();
  const next = "Run `claudemesh install`";
  try {
    const server = parseObject(files.server, await readText(files.server));
    const settings = await readText(files.settings) ?? "";
    const registered = isJsonObject(server.mcpServers) &&
      server.mcpServers.claudemesh !== undefined;
    return [
      registered
        ? passed("mcp-registered", `Claude Code knows the MCP server (${files.server})`)
        : warned("mcp-registered", "Claude Code does not know the MCP server", next),
      / hook"/.test(settings)
        ? passed("hooks-registered", `Claude Code runs the hooks (${files.settings})`)
        : warned("hooks-registered", "Claude Code does not run the hooks", next),
    ];
  } catch (error) {
    return [failed("mcp-registered", reason(error), hintOf(error))];
  }
}

async function checkBroker(brokerUrl: string): Promise<Check> {
  const startedMs = Date.now();
  try {
    const response = await fetch(new URL("/health", brokerUrl), {
      signal: AbortSignal.timeout(BROKER_TIMEOUT_MS),
    });
    await response.body?.cancel();
    const tookMs = Date.now() - startedMs;
    if (response.ok) return passed("broker-reachable", `${brokerUrl} answers in ${tookMs} ms`);
    return failed(
      "broker-reachable",
      `${brokerUrl} answers with HTTP ${response.status}`,
      "Look at the broker's log, or at what stands before it",
    );
  } catch (error) {
    return failed(
      "broker-reachable",
      `${brokerUrl} does not answer: ${reason(error)}`,
      "Is the broker running, and does the firewall let this machine through?",
    );
  }
}

async function checkMeshes(client: LocalClient): Promise<Check[]> {
  const { meshes } = await client.call("agent.info", {});
  const checks: Check[] = [];
  for (const brokerUrl of new Set(meshes.map((mesh) => mesh.brokerUrl))) {
    checks.push(await checkBroker(brokerUrl));
  }
  for (const mesh of meshes) {
    checks.push(
      mesh.connected
        ? passed("mesh-connected", `${mesh.slug}: connected as ${printable(mesh.displayName)}`)
        : failed(
          "mesh-connected",
          `${mesh.slug}: ${printable(mesh.reason ?? "not connected yet")}`,
          mesh.hint ?? "It tries again by itself",
        ),
    );
    if (mesh.keyState === "waiting" && mesh.epoch !== null) {
      const what = mesh.waitingReason ?? "waiting for a member to hand over the mesh key";
      checks.push(
        warned("mesh-key", `${mesh.slug}: ${what}`, "An owner or admin must be online once"),
      );
    }
    for (const problem of mesh.problems) {
      checks.push(
        failed("store", `${mesh.slug}: ${printable(problem)}`, mesh.hint ?? "See the agent's log"),
      );
    }
  }
  return checks;
}

async function checkAgent(context: VerbContext): Promise<Check[]> {
  try {
    const client = await context.agent();
    return [
      passed("agent", `The agent runs, pid ${client.greeting.pid}`),
      ...await checkMeshes(client),
    ];
  } catch (error) {
    return [failed("agent", reason(error), hintOf(error))];
  }
}

export const doctor: Verb = {
  path: "doctor",
  summary: "Find the broken hop between this machine's sessions and their peers",
  args: [],
  flags: [],
  examples: ["claudemesh doctor", "claudemesh doctor --json"],
  json: true,
  async run(context) {
    const checks = [
      checkRuntime(),
      ...await checkHome(),
      ...await checkClaude(),
      ...await checkAgent(context),
    ];
    const rows = checks.flatMap((check) => {
      const mark = !check.ok ? marks.failed() : check.warning ? marks.warning() : marks.done();
      const row = [mark, style.dim(check.name), check.message];
      return check.hint === null ? [row] : [row, ["", "", style.dim(check.hint)]];
    });
    const broken = checks.filter((check) => !check.ok).length;
    const verdict = broken === 0
      ? "All hops work."
      : `${broken} of ${checks.length} checks failed.`;
    return {
      data: { checks },
      text: `${table(rows)}\n\n  ${verdict}`,
      exit: broken === 0 ? 0 : 8,
    };
  },
};
