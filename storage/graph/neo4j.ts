/**
 * The graph in Neo4j: a database per mesh, which Neo4j's Enterprise editions have. Community has one database only, where
 * meshes could not be kept apart, so it is refused.
 */
import { createHash } from "node:crypto";
import type { Driver, Session } from "neo4j-driver";
import { readCypher } from "./cypher_shape.ts";
import { neo4jValue } from "./neo4j_values.ts";
import {
  type Graph,
  GraphError,
  type GraphResult,
  type GraphStatement,
  type GraphValue,
} from "./port.ts";

export interface Neo4jOptions {
  /** `bolt://`, `neo4j://`, with `+s` for TLS. */
  readonly url: string;
  readonly user: string;
  readonly password: string;
}

const CONNECT_TIMEOUT_MS = 10_000;
const SYSTEM = "system";

/** Graphs in Neo4j. */
export class Neo4jGraph implements Graph {
  readonly driver = "neo4j";
  readonly #driver: Driver;
  readonly #made = new Map<string, Promise<void>>();

  private constructor(driver: Driver) {
    this.#driver = driver;
  }

  /** Connects. @throws {GraphError} that says why the server cannot be used, and what to do. */
  static async open({ url, user, password }: Neo4jOptions): Promise<Neo4jGraph> {
    const { default: neo4j } = await import("neo4j-driver");
    const driver = neo4j.driver(url, neo4j.auth.basic(user, password), {
      connectionTimeout: CONNECT_TIMEOUT_MS,
      connectionAcquisitionTimeout: CONNECT_TIMEOUT_MS,
      disableLosslessIntegers: false,
      userAgent: "claudemesh",
    });
    try {
      await driver.verifyConnectivity();
      await requireDatabases(driver);
      return new Neo4jGraph(driver);
    } catch (error) {
      await driver.close();
      throw error instanceof GraphError ? error : new GraphError(
        "unavailable",
        `Neo4j cannot be used (${codeOf(error)}); check NEO4J_URL, NEO4J_USER and NEO4J_PASSWORD`,
        error,
      );
    }
  }

  async run(meshId: string, statement: GraphStatement): Promise<GraphResult> {
    const { readOnly, timeoutMs, params } = statement;
    const shape = readCypher(statement.cypher);
    if (readOnly && shape.writesBy !== null) {
      throw new GraphError(
        "invalid",
        `${shape.writesBy} changes the graph; graph_execute may do that`,
      );
    }
    const database = await this.#database(meshId);
    const session = this.#driver.session({
      database,
      defaultAccessMode: readOnly ? "READ" : "WRITE",
      fetchSize: statement.maxRows + 1,
    });
    try {
      return await collect(session, shape, statement, { timeout: timeoutMs }, params);
    } catch (error) {
      throw refusal(error, timeoutMs);
    } finally {
      await session.close();
    }
  }

  async ping(): Promise<void> {
    await this.#driver.verifyConnectivity();
  }

  async close(): Promise<void> {
    await this.#driver.close();
  }

  /** The mesh's database, made on first use. */
  async #database(meshId: string): Promise<string> {
    const name = databaseName(meshId);
    const known = this.#made.get(name);
    if (known !== undefined) {
      await known;
      return name;
    }
    const making = this.#make(name);
    this.#made.set(name, making);
    try {
      await making;
    } catch (error) {
      this.#made.delete(name);
      throw new GraphError(
        "unavailable",
        `the mesh's database cannot be made: ${codeOf(error)}`,
        error,
      );
    }
    return name;
  }

  async #make(name: string): Promise<void> {
    const session = this.#driver.session({ database: SYSTEM });
    try {
      await session.run("CREATE DATABASE $name IF NOT EXISTS WAIT", { name });
    } finally {
      await session.close();
    }
  }
}

/** Names are letters, digits, dots and dashes, and ignore case; mesh ids do not (D30). */
function databaseName(meshId: string): string {
  return `mesh-${createHash("sha256").update(meshId).digest("hex").slice(0, 40)}`;
}

async function requireDatabases(driver: Driver): Promise<void> {
  const session = driver.session({ database: SYSTEM });
  try {
    const { records } = await session.run("CALL dbms.components() YIELD edition RETURN edition");
    const edition = String(records[0]?.get("edition") ?? "unknown");
    if (edition === "enterprise") return;
    throw new GraphError(
      "unavailable",
      `this Neo4j is the ${edition} edition, which has one database for all meshes and cannot keep them apart; ` +
        "use an Enterprise edition, or take NEO4J_URL away: graphs are then kept in the broker's own store",
    );
  } finally {
    await session.close();
  }
}

async function collect(
  session: Session,
  shape: { readonly text: string; readonly columns: readonly string[] },
  { maxRows, maxBytes }: GraphStatement,
  config: { readonly timeout: number },
  params: GraphStatement["params"],
): Promise<GraphResult> {
  const result = session.run(shape.text, params, config);
  const records: Record<string, GraphValue>[] = [];
  let bytes = 0;
  let isCut = false;
  for await (const record of result) {
    const values = shape.columns.map((_, index) => neo4jValue(record.get(index)));
    bytes += JSON.stringify(values).length;
    if (records.length === maxRows || bytes > maxBytes) {
      isCut = true;
      break;
    }
    records.push(Object.fromEntries(shape.columns.map((name, index) => [name, values[index]!])));
  }
  // Discards what is left on the server; what was written is kept.
  await result.summary();
  return { columns: shape.columns, records, isCut };
}

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" ? code : "no reason given";
}

function refusal(error: unknown, timeoutMs: number): unknown {
  const code = codeOf(error);
  if (error instanceof GraphError || !(error instanceof Error)) return error;
  if (/TransactionTimedOut|LockClientStopped|TerminatedByTimeout/.test(code)) {
    return new GraphError("timeout", `the statement was cut off after ${timeoutMs} ms`, error);
  }
  if (/OutOfMemory/.test(code)) return new GraphError("heavy", code, error);
  if (/OutOfDiskSpace|DatabaseFull/.test(code)) return new GraphError("full", code, error);
  if (code.startsWith("Neo.ClientError")) return new GraphError("invalid", error.message, error);
  return new GraphError("unavailable", "the mesh's graph cannot be reached", error);
}
