/**
 * The MCP conformance suite against our server: every scenario passes but those of the baseline, each of which says why
 * it does not apply. A test-time tool from npm; skipped where that cannot be fetched.
 */
import assert from "node:assert/strict";
import { LocalAgent } from "../support/local_agent.ts";
import { McpHttpBridge } from "../support/mcp_http_bridge.ts";
import { homeEnvironment, type ProgramOutput, runCommand } from "../support/program.ts";

const SUITE = "npm:@modelcontextprotocol/conformance@0.1.16";
const BASELINE = new URL("conformance_baseline.yml", import.meta.url).pathname;
/** The scenarios of the suite's version: 32 for servers. */
const SCENARIOS = 32;
const TIMEOUT_MS = 120_000;

async function conformance(...args: string[]): Promise<ProgramOutput> {
  const folder = await Deno.makeTempDir({ prefix: "claudemesh-conformance-" });
  try {
    // Away from the project: the suite is no dependency of it, and writes its results where it stands.
    const command = [Deno.execPath(), "run", "-A", "--no-config", "--no-lock", SUITE, ...args];
    return await runCommand(command as [string, ...string[]], await homeEnvironment(folder), {
      cwd: folder,
      timeoutMs: TIMEOUT_MS,
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const listed = await conformance("list", "--server");
const missing = listed.code === 0 ? null : listed.stderr.trim().split("\n").at(-1) ?? "no reason";
if (missing !== null) console.log(`MCP conformance is skipped: ${SUITE} cannot be run: ${missing}`);

Deno.test({
  name: "the MCP server passes the conformance suite but for the scenarios of the baseline",
  ignore: missing !== null,
  async fn() {
    assert.equal(listed.stdout.match(/^\s+- /gm)?.length, SCENARIOS);
    const agent = await new LocalAgent("Ada").start();
    const bridge = new McpHttpBridge(() => agent.daemon.connect());
    try {
      const { code, stdout, stderr } = await conformance(
        "server",
        "--url",
        bridge.url,
        "--suite",
        "all",
        "--expected-failures",
        BASELINE,
      );
      const summary = stdout.slice(stdout.indexOf("=== SUMMARY ==="));
      assert.equal(code, 0, `${summary}\n${stderr}`);
      const passed = summary.match(/^✓ .*: [1-9]\d* passed/gm)?.length ?? 0;
      const excused = (await Deno.readTextFile(BASELINE)).match(/^ {2}- /gm)?.length ?? 0;
      assert.equal(passed + excused, SCENARIOS, summary);
    } finally {
      await bridge.close();
      await agent.close();
    }
  },
});

Deno.test("every scenario of the baseline stands under a reason", async () => {
  const lines = (await Deno.readTextFile(BASELINE)).split("\n");
  let hasReason = false;
  let isList = false;
  for (const line of lines) {
    if (line === "server:") isList = true;
    else if (/^ {2}# \S/.test(line)) hasReason = true;
    else if (/^ {2}- \S/.test(line)) assert.ok(isList && hasReason, line);
    else if (line !== "" && !line.startsWith("#")) assert.fail(`not a line of a baseline: ${line}`);
  }
});
