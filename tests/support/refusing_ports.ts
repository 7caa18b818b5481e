/**
 * Makes what keeps a mesh's shared things beside the broker's tables refuse every change, while it can still be read.
 */
import type { Stores } from "../../broker/core/stores.ts";
import { GraphError } from "../../storage/graph/port.ts";
import { ObjectsError } from "../../storage/objects/port.ts";
import { SqlError } from "../../storage/sql/port.ts";
import { VectorsError } from "../../storage/vectors/port.ts";

const CHANGES = [
  "SQL",
  "Cypher",
  "vectors.store",
  "vectors.remove",
  "vectors.drop",
  "objects.begin",
  "objects.finish",
] as const;
type Change = (typeof CHANGES)[number];

/** What is refused from `refuseChanges` on, by name, and how often it was. */
export type RefusedChanges = Map<Change, number>;

/** Refuses all changes from now on. What only removes what nobody needs any more still works. */
export function refuseChanges(
  { meshDatabases, vectors, graph, objects }: Stores,
): RefusedChanges {
  const refused: RefusedChanges = new Map(CHANGES.map((name) => [name, 0]));
  function refuse(name: Change, error: Error): Promise<never> {
    refused.set(name, (refused.get(name) ?? 0) + 1);
    return Promise.reject(error);
  }
  const lost = "the store was lost";
  const runSql = meshDatabases.run.bind(meshDatabases);
  meshDatabases.run = (meshId, sql) =>
    sql.readOnly ? runSql(meshId, sql) : refuse("SQL", new SqlError("unavailable", lost));
  const runCypher = graph.run.bind(graph);
  graph.run = (meshId, statement) =>
    statement.readOnly
      ? runCypher(meshId, statement)
      : refuse("Cypher", new GraphError("unavailable", lost));
  vectors.store = () => refuse("vectors.store", new VectorsError("unavailable", lost));
  vectors.remove = () => refuse("vectors.remove", new VectorsError("unavailable", lost));
  vectors.drop = () => refuse("vectors.drop", new VectorsError("unavailable", lost));
  objects.begin = () => refuse("objects.begin", new ObjectsError("unavailable", lost));
  objects.finish = () => refuse("objects.finish", new ObjectsError("unavailable", lost));
  return refused;
}
