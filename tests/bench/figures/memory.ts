/**
 * Resident memory of each role when it has nothing to do.
 */
import { setTimeout as pause } from "node:timers/promises";
import { selfCommand } from "../../../agent/home/self_command.ts";
import type { BenchRun } from "../bench_run.ts";
import { BrokerProcess } from "../broker_process.ts";
import { Child } from "../child.ts";
import { boundedRow, type FigureResult } from "../figure.ts";
import { initialize, withJoinedHome } from "./joined_home.ts";

const SETTLE_MS = 5_000;
const TARGETS_MIB = { broker: 300, agent: 90, mcp: 80 };

/** Measures the figure. */
export async function measureMemory(run: BenchRun): Promise<FigureResult> {
  const broker = await idleBroker();
  const { agent, mcp } = await idlePeer(run);
  const row = (label: string, value: number, atMost: number) =>
    boundedRow(label, value, { atMost }, " MiB", 1);
  return {
    name: "memory",
    title: "Resident memory when idle",
    how:
      `VmRSS of the whole process ${
        SETTLE_MS / 1000
      } s after it was ready: a broker on a fresh embedded store, its ` +
      `database's worker included; an agent with one mesh joined and connected; an \`mcp\` process that has ` +
      `answered \`initialize\` and \`tools/list\` and is attached to that agent.`,
    rows: [
      row("serve", broker, TARGETS_MIB.broker),
      row("agent", agent, TARGETS_MIB.agent),
      row("mcp", mcp, TARGETS_MIB.mcp),
    ],
    notes: [],
    numbers: { broker, agent, mcp },
  };
}

async function idleBroker(): Promise<number> {
  const dataDir = await Deno.makeTempDir({ prefix: "claudemesh-bench-idle-" });
  try {
    const broker = await BrokerProcess.start({ dataDir });
    const mib = await settledMib(broker.child);
    await broker.stop();
    return mib;
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
}

async function idlePeer(run: BenchRun): Promise<{ agent: number; mcp: number }> {
  return await withJoinedHome(run, async (person) => {
    const agent = new Child({ command: selfCommand(["agent"]), env: person.environment });
    agent.drain();
    await person.withAgent(() => Promise.resolve());
    const mcp = new Child({ command: selfCommand(["mcp"]), env: person.environment });
    try {
      await initialize(mcp);
      await mcp.write(JSON.stringify({ jsonrpc: "2.0", method: "notifications/initialized" }));
      await mcp.write(JSON.stringify({ jsonrpc: "2.0", id: 2, method: "tools/list" }));
      mcp.drain();
      return { mcp: await settledMib(mcp), agent: (await agent.residentBytes()) / 1_048_576 };
    } finally {
      await mcp.finish();
      await agent.stop();
    }
  });
}

async function settledMib(child: Child): Promise<number> {
  await pause(SETTLE_MS);
  return (await child.residentBytes()) / 1_048_576;
}
