/**
 * The graph in Apache AGE, in the mesh's own database. AGE takes a statement as a constant of the SQL text and wants its
 * columns declared; values go in as a parameter.
 */
import { randomBytes } from "node:crypto";
import type { MeshDatabases } from "../mesh_database/port.ts";
import { type Row, SqlError, type SqlStatement } from "../sql/port.ts";
import { readAgtype } from "./agtype.ts";
import { readCypher } from "./cypher_shape.ts";
import {
  type Graph,
  GraphError,
  type GraphResult,
  type GraphStatement,
  type GraphValue,
} from "./port.ts";

/** Graphs in AGE. */
export class AgeGraph implements Graph {
  readonly driver = "age";
  readonly #databases: Pick<MeshDatabases, "batch">;

  /** @param databases those that have the extension `age`. */
  constructor(databases: Pick<MeshDatabases, "batch">) {
    this.#databases = databases;
  }

  async run(meshId: string, statement: GraphStatement): Promise<GraphResult> {
    const { readOnly, timeoutMs } = statement;
    const shape = readCypher(statement.cypher);
    if (readOnly && shape.writesBy !== null) throw changesSomething(shape.writesBy);
    const graph = graphName(meshId);
    const call = cypherCall(graph, shape.text, shape.columns.length, statement.params);
    const columnCount = Math.max(1, shape.columns.length);
    const statements = readOnly
      ? [READ_ONLY, reading(call, columnCount, statement)]
      : [writing(call, columnCount, statement)];
    try {
      const results = await this.#inGraph(meshId, graph, statements, timeoutMs);
      return resultOf(shape.columns, results.at(-1) ?? [], statement);
    } catch (error) {
      throw refusal(error, timeoutMs);
    }
  }

  /** A graph comes into being, empty, with the first statement. */
  async #inGraph(
    meshId: string,
    graph: string,
    statements: readonly SqlStatement[],
    timeoutMs: number,
  ): Promise<Row[][]> {
    try {
      return await this.#databases.batch(meshId, statements, { timeoutMs });
    } catch (error) {
      if (!isNoGraph(error)) throw error;
      await this.#databases.batch(meshId, [createGraph(graph)], { timeoutMs });
      return await this.#databases.batch(meshId, statements, { timeoutMs });
    }
  }

  // The mesh databases are the broker's own, or on the server that it checks already.
  ping(): Promise<void> {
    return Promise.resolve();
  }

  // The databases are closed by who opened them.
  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** PostgreSQL's error code. */
const OUT_OF_MEMORY = "53200";

const READ_ONLY: SqlStatement = {
  text: "SELECT set_config('transaction_read_only', 'on', true)",
};

function graphName(meshId: string): string {
  if (!/^[0-9A-Za-z]{1,48}$/.test(meshId)) throw new TypeError("a mesh id is letters and digits");
  return `graph_${meshId}`;
}

function createGraph(graph: string): SqlStatement {
  return {
    text: `SELECT ag_catalog.create_graph($1::name)
      WHERE NOT EXISTS (SELECT FROM ag_catalog.ag_graph WHERE name = $1::name)`,
    params: [graph],
  };
}

interface CypherCall {
  readonly text: string;
  readonly params: readonly unknown[];
}

/** `cypher('graph', $tag$...$tag$, $1) AS (c0 agtype, ...)`; AGE allows no parameter for graph and statement. */
function cypherCall(
  graph: string,
  cypher: string,
  columnCount: number,
  params: GraphStatement["params"],
): CypherCall {
  let tag = "cypher";
  // What is quoted must not hold the quote: the tag is drawn until it does not occur.
  while (cypher.includes(tag)) tag = `cypher_${randomBytes(12).toString("hex")}`;
  const columns = names(Math.max(1, columnCount)).map((name) => `${name} ag_catalog.agtype`);
  const hasParams = Object.keys(params).length > 0;
  return {
    text: `ag_catalog.cypher('${graph}', $${tag}$ ${cypher} $${tag}$${hasParams ? ", $1" : ""})
      AS (${columns.join(", ")})`,
    params: hasParams ? [JSON.stringify(params)] : [],
  };
}

function names(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `c${index}`);
}

/** Each column as text, none longer than the bound and one: the member's own values are never as large as memory. */
function texts(count: number, maxBytes: number): string {
  return names(count)
    .map((name) => `left(ag_catalog.agtype_out(${name})::text, ${maxBytes + 1}) AS ${name}`)
    .join(", ");
}

/** Rows up to the first that passes a bound, that one included. */
function bounded(from: string, count: number, { maxRows, maxBytes }: GraphStatement): string {
  const size = names(count).map((name) => `coalesce(octet_length(${name}), 4)`).join(" + ");
  return `SELECT ${names(count).join(", ")} FROM (
      SELECT *, ${size} AS bytes, sum(${size}) OVER (ROWS UNBOUNDED PRECEDING) AS total FROM ${from}
    ) AS sized WHERE total - bytes <= ${maxBytes} LIMIT ${maxRows + 1}`;
}

function reading(call: CypherCall, count: number, statement: GraphStatement): SqlStatement {
  const rows = `(SELECT ${texts(count, statement.maxBytes)} FROM ${call.text}) AS rows`;
  return { text: bounded(rows, count, statement), params: call.params };
}

/** As `reading`, but the statement runs to its end however few of its rows are wanted. */
function writing(call: CypherCall, count: number, statement: GraphStatement): SqlStatement {
  const { maxBytes } = statement;
  return {
    text: `WITH written AS MATERIALIZED (SELECT ${texts(count, maxBytes)} FROM ${call.text}),
        finished AS MATERIALIZED (SELECT count(*) AS rows FROM written)
      SELECT shown.* FROM finished CROSS JOIN LATERAL (
        ${bounded("written", count, statement)}
      ) AS shown`,
    params: call.params,
  };
}

function resultOf(
  columns: readonly string[],
  rows: readonly Row[],
  { maxRows, maxBytes }: GraphStatement,
): GraphResult {
  if (columns.length === 0) return { columns, records: [], isCut: false };
  const records: Record<string, GraphValue>[] = [];
  let bytes = 0;
  for (const row of rows) {
    const cells = columns.map((_, index) => row[`c${index}`] as string | null);
    bytes += cells.reduce((sum, cell) => sum + (cell?.length ?? 4), 0);
    if (records.length === maxRows || bytes > maxBytes) return { columns, records, isCut: true };
    records.push(Object.fromEntries(columns.map((name, index) => {
      const cell = cells[index] ?? null;
      return [name, cell === null ? null : readAgtype(cell)];
    })));
  }
  return { columns, records, isCut: false };
}

function changesSomething(word: string): GraphError {
  return new GraphError("invalid", `${word} changes the graph; graph_execute may do that`);
}

function isNoGraph(error: unknown): boolean {
  return error instanceof SqlError && /^graph "graph_\w+" does not exist/.test(error.message);
}

function refusal(error: unknown, timeoutMs: number): unknown {
  if (!(error instanceof SqlError)) return error;
  const { kind, sqlState, message } = error;
  if (kind === "timeout") {
    return new GraphError("timeout", `the statement was cut off after ${timeoutMs} ms`, error);
  }
  if (sqlState === OUT_OF_MEMORY) return new GraphError("heavy", message, error);
  if (kind === "full") return new GraphError("full", message, error);
  if (kind === "unavailable" || sqlState === null) {
    return new GraphError("unavailable", "the mesh's graph cannot be reached", error);
  }
  if (sqlState === "25006") {
    return new GraphError("invalid", "the statement changes the graph; graph_execute may do that");
  }
  // The places that PostgreSQL names are in the text around the member's.
  return new GraphError("invalid", message.replace(/ at character \d+$/, ""), error);
}
