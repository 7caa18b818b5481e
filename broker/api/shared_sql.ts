/**
 * A mesh's own SQL tables. Frames: reference protocol 2.9.
 */
import * as z from "zod";
import { anyJson } from "./fields.ts";
import { LIMITS } from "./limits.ts";
import { DATABASE_PATIENCE_MS, op } from "./op.ts";

const sql = z.string().min(1).max(LIMITS.sqlChars.value).describe(
  "One statement in PostgreSQL's SQL.",
);
const page = {
  limit: z.int().min(1).max(LIMITS.sqlRows.value).default(LIMITS.sqlRows.value).describe(
    "Most rows of the answer.",
  ),
  offset: z.int().nonnegative().max(LIMITS.sqlOffset.value).default(0).describe(
    "Rows to leave out: `nextOffset` of an answer that was cut. Order the rows for it.",
  ),
};
const result = z.object({
  columns: z.array(z.string()).describe("Names of the columns, made unique."),
  types: z.array(z.string()).describe("PostgreSQL's type of each column."),
  rows: z.array(z.record(z.string(), anyJson)).describe("The rows, by column name."),
  rowCount: z.int().describe("Rows of this answer, or rows that were changed."),
  truncated: z.boolean().describe("There are more rows."),
  nextOffset: z.int().nullable().describe("The offset of the next rows; null at the end."),
});

const column = z.object({
  name: z.string(),
  type: z.string(),
  nullable: z.boolean(),
  default: z.string().optional().describe("The expression of its default value."),
  primaryKey: z.boolean().optional().describe("Part of the primary key."),
});
const table = z.object({
  name: z.string(),
  kind: z.enum(["table", "view", "materialized view", "foreign table"]),
  columns: z.array(column),
});

export const sharedSql = {
  query: op({
    wire: "mesh_query",
    reply: "mesh_query_result",
    since: 1,
    summary: "Read from the mesh's own database with a SELECT; nothing can be changed.",
    grant: "member",
    rate: "request",
    patienceMs: DATABASE_PATIENCE_MS,
    audit: null,
    fails: ["limit", "conflict"],
    verb: {
      path: "sql query",
      positionals: ["sql"],
      examples: ['claudemesh sql query "select * from deploys order by id desc limit 5"'],
    },
    input: z.object({ sql, ...page }),
    output: result,
    example: {
      input: { sql: "select id, service from deploys order by id" },
      output: {
        columns: ["id", "service"],
        types: ["int4", "text"],
        rows: [{ id: 1, service: "api" }],
        rowCount: 1,
        truncated: false,
        nextOffset: null,
      },
    },
  }),
  execute: op({
    wire: "mesh_execute",
    reply: "mesh_query_result",
    since: 1,
    summary: "Change the mesh's own database: its tables or their rows, with one statement.",
    grant: "member",
    rate: "request",
    patienceMs: DATABASE_PATIENCE_MS,
    audit: "sql_executed",
    fails: ["limit", "conflict"],
    verb: {
      path: "sql execute",
      positionals: ["sql"],
      examples: [
        'claudemesh sql execute "create table deploys (id serial primary key, service text)"',
      ],
    },
    tool: {
      name: "mesh_execute",
      reach: "one",
      description:
        "Create or change tables and rows that the whole mesh shares, with one PostgreSQL statement.",
    },
    input: z.object({ sql }),
    output: result,
    example: {
      input: { sql: "insert into deploys (service) values ('api')" },
      output: {
        columns: [],
        types: [],
        rows: [],
        rowCount: 1,
        truncated: false,
        nextOffset: null,
      },
    },
  }),
  schema: op({
    wire: "mesh_schema",
    reply: "mesh_schema_result",
    since: 1,
    summary: "List the tables of the mesh's own database with their columns.",
    grant: "member",
    rate: "request",
    patienceMs: DATABASE_PATIENCE_MS,
    audit: null,
    fails: ["limit"],
    verb: { path: "sql schema", positionals: [], examples: ["claudemesh sql schema"] },
    tool: {
      name: "mesh_schema",
      reach: "one",
      description: "See the shared tables and their columns before you query or change them.",
      readOnly: true,
    },
    input: z.object({}),
    output: z.object({
      tables: z.array(table).describe("By name."),
      truncated: z.boolean().describe("There are more tables."),
    }),
    example: {
      input: {},
      output: {
        tables: [{
          name: "deploys",
          kind: "table",
          columns: [
            { name: "id", type: "integer", nullable: false, primaryKey: true },
            { name: "service", type: "text", nullable: true },
          ],
        }],
        truncated: false,
      },
    },
  }),
};

export const sharedSqlEvents = {};
