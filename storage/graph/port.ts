/**
 * The graph port: a property graph of each mesh's own, asked and changed in Cypher. Both drivers answer alike:
 *
 * | Cypher | JSON |
 * |---|---|
 * | null, boolean, string, list, map | the same |
 * | integer, float, decimal | number; a string of its digits where a number would lose some; "NaN", "Infinity" |
 * | node | `{ id, labels, properties }`, the id a string |
 * | relationship | `{ id, type, start, end, properties }`, the ends as ids of nodes |
 * | path | `{ nodes, relationships }` |
 * | dates, times, durations, points | their text |
 */

export type GraphValue =
  | null
  | boolean
  | number
  | string
  | readonly GraphValue[]
  | { readonly [key: string]: GraphValue };

/** A statement that a member wrote, and what it may do. */
export interface GraphStatement {
  readonly cypher: string;
  /** Values of `$name` in the text. */
  readonly params: Readonly<Record<string, unknown>>;
  /** True: a statement that changes anything fails. */
  readonly readOnly: boolean;
  readonly timeoutMs: number;
  readonly maxRows: number;
  /** Of all rows as JSON. */
  readonly maxBytes: number;
}

export interface GraphResult {
  /** Names as the statement returns them: aliases, else the expressions. */
  readonly columns: readonly string[];
  readonly records: readonly Readonly<Record<string, GraphValue>>[];
  /** True when there were more rows than the bounds let through. */
  readonly isCut: boolean;
}

/**
 * Why a statement failed: `invalid` (what the member wrote; the message is for him), `timeout` (it was cut off), `heavy`
 * (it needs more memory than there is), `full` (the graph has no room), `unavailable` (no connection; try again later).
 */
export type GraphErrorKind = "invalid" | "timeout" | "heavy" | "full" | "unavailable";

export class GraphError extends Error {
  override readonly name = "GraphError";
  readonly kind: GraphErrorKind;

  constructor(kind: GraphErrorKind, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.kind = kind;
  }
}

/** The graphs of all meshes of a broker. */
export interface Graph {
  readonly driver: "age" | "neo4j";
  /** Runs one statement in a transaction of its own; a graph that was never written to is empty. @throws {GraphError} */
  run(meshId: string, statement: GraphStatement): Promise<GraphResult>;
  /** Reads something back; rejects when a server that it needs does not answer. */
  ping(): Promise<void>;
  close(): Promise<void>;
}
