/**
 * A person who has joined a mesh at a broker of the benchmark, and the first words of an MCP client.
 */
import { Person } from "../../support/person.ts";
import { type BenchRun, withBroker } from "../bench_run.ts";
import type { Child } from "../child.ts";

/** Runs `use` with a home whose only mesh was made by `claudemesh new`; no agent runs when it starts. */
export async function withJoinedHome<T>(
  run: BenchRun,
  use: (person: Person) => Promise<T>,
): Promise<T> {
  return await withBroker(run, async ({ port }) => {
    const person = await Person.create("Bench");
    try {
      await person.ask("new", "bench", "--broker", `http://127.0.0.1:${port}`);
      const { code, stderr } = await person.run(["agent", "stop"]);
      if (code !== 0) throw new Error(`agent stop ended with code ${code}: ${stderr}`);
      return await use(person);
    } finally {
      await person.close();
    }
  });
}

/** Says `initialize` as an MCP client does and waits for the answer. */
export async function initialize(child: Child): Promise<void> {
  await child.write(JSON.stringify({
    jsonrpc: "2.0",
    id: 1,
    method: "initialize",
    params: {
      protocolVersion: "2025-06-18",
      capabilities: {},
      clientInfo: { name: "bench", version: "1" },
    },
  }));
  const answer = JSON.parse(await child.line());
  if (answer.id !== 1 || answer.result === undefined) {
    throw new Error(`mcp answered ${JSON.stringify(answer)}`);
  }
}
