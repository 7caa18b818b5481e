/**
 * A mesh's own graph: what members write in Cypher runs in the graph that is the mesh's alone.
 */
import { GraphError, type GraphResult } from "../../storage/graph/port.ts";
import { MeshError } from "../api/errors.ts";
import type { graph as contract } from "../api/graph.ts";
import type { Limits } from "../api/limits.ts";
import type { Handlers } from "../api/op.ts";
import type { Call } from "../core/context.ts";

interface Input {
  readonly cypher: string;
  readonly params?: Record<string, unknown> | undefined;
}

export const graph: Handlers<typeof contract, Call> = {
  query: (call, input) => run(call, input, true),

  async execute(call, input) {
    const { broker, connection: { mesh, member } } = call;
    const payload = { chars: input.cypher.length };
    // The graph commits on its own; what may have changed it is on record before.
    await broker.ledger.append({
      mesh,
      statements: [],
      audits: [{ event: "graph_executed", actor: member, payload }],
    });
    return await run(call, input, false);
  },
};

async function run(
  { broker, connection: { mesh, member } }: Call,
  input: Input,
  readOnly: boolean,
) {
  const { limits } = broker.settings;
  const perMinute = limits.sqlStatementsPerMinute;
  broker.rates.require(`graph ${member.id}`, { perMinute, burst: perMinute / 2 }, "statements");
  const statement = {
    cypher: input.cypher,
    params: input.params ?? {},
    readOnly,
    timeoutMs: limits.sqlTimeoutMs,
    maxRows: limits.sqlRows,
    maxBytes: limits.sqlResultBytes,
  };
  try {
    return shown(await broker.stores.graph.run(mesh.id, statement));
  } catch (error) {
    throw refusal(error, limits);
  }
}

function shown({ columns, records, isCut }: GraphResult) {
  return {
    columns: [...columns],
    records: records.map((record) => ({ ...record })),
    truncated: isCut,
  };
}

/** What the member wrote failed: the words of the graph are for the one who wrote it. */
function refusal(error: unknown, { sqlTimeoutMs, sqlDiskBytes }: Limits): unknown {
  if (!(error instanceof GraphError)) return error;
  const { kind, message } = error;
  switch (kind) {
    case "invalid":
      return new MeshError("invalid_argument", message, { data: { field: "cypher" } });
    case "timeout":
      return new MeshError("limit", `${message}; match less, or begin at a label`, {
        data: { limit: sqlTimeoutMs },
      });
    case "heavy":
      return new MeshError("limit", `${message}; match or collect less in one statement`);
    case "full":
      return new MeshError("limit", `${message}; delete nodes that nobody needs`, {
        data: { limit: sqlDiskBytes },
      });
    case "unavailable":
      return new MeshError("unavailable", `${message}; try again in a moment`, { cause: error });
  }
}
