/**
 * A mesh's own graph, asked and changed in Cypher. Frames: reference protocol 2.8.
 */
import * as z from "zod";
import { anyJson } from "./fields.ts";
import { LIMITS } from "./limits.ts";
import { DATABASE_PATIENCE_MS, op } from "./op.ts";

const input = z.object({
  cypher: z.string().min(1).max(LIMITS.cypherChars.value).describe("One Cypher statement."),
  params: z.record(z.string().max(64), anyJson).optional().describe("Values of $name in it."),
});
const output = z.object({
  columns: z.array(z.string()).describe("Aliases of what is returned, else its text."),
  records: z.array(z.record(z.string(), anyJson)).describe(
    "Nodes are {id, labels, properties}, relationships {id, type, start, end, properties}, paths {nodes, relationships}.",
  ),
  truncated: z.boolean().describe("There were more: use LIMIT and SKIP."),
});
const record = {
  columns: ["service"],
  records: [{ service: { id: "1", labels: ["Service"], properties: { name: "api" } } }],
  truncated: false,
};

export const graph = {
  query: op({
    wire: "graph_query",
    reply: "graph_result",
    since: 1,
    summary: "Read from the mesh's own graph with Cypher; nothing can be changed.",
    grant: "member",
    rate: "request",
    patienceMs: DATABASE_PATIENCE_MS,
    audit: null,
    fails: ["limit"],
    verb: {
      path: "graph query",
      positionals: ["cypher"],
      examples: ['claudemesh graph query "MATCH (s:Service) RETURN s.name"'],
    },
    tool: {
      name: "graph_query",
      reach: "one",
      readOnly: true,
      description: "Ask how things are connected, with reading Cypher on the mesh's shared graph.",
    },
    input,
    output,
    example: { input: { cypher: "MATCH (service:Service) RETURN service" }, output: record },
  }),
  execute: op({
    wire: "graph_execute",
    reply: "graph_result",
    since: 1,
    summary: "Change the mesh's own graph with Cypher.",
    grant: "member",
    rate: "request",
    patienceMs: DATABASE_PATIENCE_MS,
    audit: "graph_executed",
    fails: ["limit"],
    verb: {
      path: "graph execute",
      positionals: ["cypher"],
      examples: [
        "claudemesh graph execute \"CREATE (:Service {name: 'api'})-[:USES]->(:Store {name: 'pg'})\"",
      ],
    },
    tool: {
      name: "graph_execute",
      reach: "one",
      description: "Record how things are connected: Cypher that creates, merges, sets or deletes.",
    },
    input,
    output,
    example: {
      input: {
        cypher: "CREATE (service:Service {name: $name}) RETURN service",
        params: { name: "api" },
      },
      output: record,
    },
  }),
};

export const graphEvents = {};
