/**
 * The statements of the pgvector driver, for the database of one mesh. Tables have made-up names: no text of a user's is
 * ever a part of a statement.
 *
 * A point keeps its rotated direction as `halfvec`; the HNSW index keeps one bit per dimension of it (its sign), which
 * makes it small enough to be searched from memory. The index finds candidates by the bits that differ, and the exact
 * cosines order them (pgvector's documentation, "binary quantization").
 */
import type { SqlStatement } from "../sql/port.ts";
import type { CollectionKind, Point, VectorQuery } from "./port.ts";
import { rotated } from "./rotation.ts";

/** Longer directions do not fit into a page with the rest of their row, and stand outside of it. */
const INLINE_DIMENSIONS = 3_000;
/** At least so many candidates are compared exactly, and so many per wanted point. */
const LEAST_CANDIDATES = 200;
const CANDIDATES_PER_POINT = 4;
/** `hnsw.ef_search` goes no further. */
const MOST_CANDIDATES = 1_000;

export interface CollectionRow {
  readonly number: number;
  readonly name: string;
  readonly embedding: string;
  readonly dimensions: number;
  readonly points: number;
  /** Points that are gone or replaced since its indexes were made. */
  readonly stale: number;
  readonly created_at: Date;
}

export interface FoundRow {
  readonly id: string;
  readonly text: string;
  readonly metadata: Record<string, unknown>;
  readonly stored_by: string;
  readonly stored_at: Date;
  readonly score: number;
  /** How many points were compared. */
  readonly candidates: number;
}

/** What a mesh needs before its first collection. */
export const SET_UP: readonly SqlStatement[] = [
  {
    text: `create table if not exists vector_collection (
      number int4 primary key, name text collate "C" not null unique, embedding text not null,
      dimensions int4 not null, points int8 not null, stale int8 not null,
      created_at timestamptz not null)`,
  },
  { text: "create sequence if not exists vector_number" },
];

/** Answers one row with `number`: of a table that never was. */
export const NEW_NUMBER: SqlStatement = { text: "select nextval('vector_number')::int4 as number" };

export function collections(): SqlStatement {
  return { text: `select * from vector_collection order by name` };
}

/**
 * Makes a collection without points.
 * @param isEmbedded the database has nobody to clean up behind it.
 */
export function createCollection(
  number: number,
  name: string,
  { embedding, dimensions }: CollectionKind,
  isEmbedded: boolean,
): SqlStatement[] {
  return [
    {
      text: `insert into vector_collection values ($1, $2, $3, $4, 0, 0, now())`,
      params: [number, name, embedding, dimensions],
    },
    ...createTable(number, dimensions, isEmbedded),
    ...createIndexes(number, dimensions),
  ];
}

/** Moves a collection's points into a new table, whose indexes know of nothing that is gone. */
export function rebuildCollection(
  { number, dimensions }: CollectionRow,
  newNumber: number,
  isEmbedded: boolean,
): SqlStatement[] {
  return [
    { text: "select set_config('maintenance_work_mem', '128MB', true)" },
    ...createTable(newNumber, dimensions, isEmbedded),
    { text: `insert into ${tableOf(newNumber)} select * from ${tableOf(number)}` },
    ...createIndexes(newNumber, dimensions),
    {
      text: "update vector_collection set number = $2, stale = 0 where number = $1",
      params: [number, newNumber],
    },
    { text: `drop table ${tableOf(number)}` },
  ];
}

/**
 * Vacuum takes what is gone out of an HNSW index by searching for new neighbours of all that knew it, minutes for a large
 * one; an embedded database would do nothing else meanwhile, so there its index is left alone until it is made anew.
 */
function createTable(number: number, dimensions: number, isEmbedded: boolean): SqlStatement[] {
  const table = tableOf(number);
  const storage = dimensions <= INLINE_DIMENSIONS ? "plain" : "external";
  const options = `toast_tuple_target = 8160${isEmbedded ? ", vacuum_index_cleanup = off" : ""}`;
  return [
    {
      text: `create table ${table} (id text collate "C" primary key,
        embedding halfvec(${dimensions}) not null, metadata jsonb not null, text text not null,
        stored_by text not null, stored_at timestamptz not null
      ) with (${options})`,
    },
    { text: `alter table ${table} alter column embedding set storage ${storage}` },
  ];
}

function createIndexes(number: number, dimensions: number): SqlStatement[] {
  const table = tableOf(number);
  return [
    {
      text: `create index on ${table}
        using hnsw ((binary_quantize(embedding)::bit(${dimensions})) bit_hamming_ops)`,
    },
    { text: `create index on ${table} using gin (metadata jsonb_path_ops)` },
  ];
}

export function dropCollection(number: number): SqlStatement[] {
  return [
    { text: `drop table ${tableOf(number)}` },
    { text: `delete from vector_collection where number = $1`, params: [number] },
  ];
}

/** Answers one row with `fresh`: how many ids were new. */
export function storePoints(number: number, points: readonly Point[]): SqlStatement {
  return {
    text: `with point as (
        insert into ${tableOf(number)} (id, text, metadata, embedding, stored_by, stored_at)
        select id, text, metadata::jsonb, embedding::halfvec, stored_by,
          to_timestamp(stored_at / 1000.0)
        from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::float8[])
          as given (id, text, metadata, embedding, stored_by, stored_at)
        on conflict (id) do update set text = excluded.text, metadata = excluded.metadata,
          embedding = excluded.embedding, stored_by = excluded.stored_by,
          stored_at = excluded.stored_at
        returning xmax = 0 as fresh
      ), counted as (
        select count(*) filter (where fresh) as fresh, count(*) filter (where not fresh) as replaced
        from point
      )
      update vector_collection set points = points + fresh, stale = stale + replaced from counted
      where number = $1 returning fresh`,
    params: [
      number,
      points.map(({ id }) => id),
      points.map(({ text }) => text),
      points.map(({ metadata }) => JSON.stringify(metadata)),
      points.map(({ vector }) => vectorText(vector)),
      points.map(({ storedBy }) => storedBy),
      points.map(({ storedAtMs }) => storedAtMs),
    ],
  };
}

/** Answers one row with `known`: how many of the ids there are. */
export function countIds(number: number, ids: readonly string[]): SqlStatement {
  return {
    text: `select count(*) as known from ${tableOf(number)} where id = any ($1::text[])`,
    params: [ids],
  };
}

export function removePoints(number: number, ids: readonly string[]): SqlStatement {
  return {
    text: `with point as (
        delete from ${tableOf(number)} where id = any ($2::text[]) returning 1
      ), counted as (select count(*) as gone from point)
      update vector_collection set points = points - gone, stale = stale + gone from counted
      where number = $1 returning gone`,
    params: [number, ids],
  };
}

/** Answers one row with `matching`: how many points a filter lets through, counted up to `most`. */
export function countMatching(
  number: number,
  filter: VectorQuery["filter"],
  most: number,
): SqlStatement {
  return {
    text: `select count(*) as matching
      from (select 1 from ${tableOf(number)} where metadata @> $1::jsonb limit $2) as point`,
    params: [JSON.stringify(filter), most],
  };
}

/** Compares every point that the filter lets through. */
export function searchExactly(
  { number, dimensions }: CollectionRow,
  query: VectorQuery,
): SqlStatement {
  const all = `select id, embedding from ${tableOf(number)} ${whereMatching(query)}`;
  return nearest(number, dimensions, query, all);
}

/** How many candidates the index is asked for. */
export function candidatesFor({ limit, skip }: VectorQuery): number {
  return Math.min(
    MOST_CANDIDATES,
    Math.max(LEAST_CANDIDATES, (limit + skip) * CANDIDATES_PER_POINT),
  );
}

/**
 * Lets the index choose what is compared; it goes on until the filter has let enough through, or `mostTuples` are looked
 * at. Each row says in `candidates` how many there were.
 */
export function searchByIndex(
  { number, dimensions }: CollectionRow,
  query: VectorQuery,
  mostTuples: number,
): SqlStatement[] {
  const candidates = candidatesFor(query);
  const bits = `bit(${dimensions})`;
  const likely = `select id, embedding from ${tableOf(number)} ${whereMatching(query)}
    order by binary_quantize(embedding)::${bits}
      <~> binary_quantize($1::halfvec(${dimensions}))::${bits} limit ${candidates}`;
  return [
    indexSettings(candidates, mostTuples),
    nearest(number, dimensions, query, likely),
  ];
}

/** The nearest of what `likely` (ids and embeddings, the filter as $4) answers, whole. */
function nearest(
  number: number,
  dimensions: number,
  query: VectorQuery,
  likely: string,
): SqlStatement {
  return {
    text: `select id, text, metadata, stored_by, stored_at, 1 - distance as score, candidates
      from (
        select id, embedding <=> $1::halfvec(${dimensions}) as distance,
          count(*) over () as candidates
        from (${likely}) as likely order by distance, id limit $2 offset $3
      ) as near join ${tableOf(number)} using (id) order by distance, id`,
    params: [
      vectorText(query.vector),
      query.limit,
      query.skip,
      ...(query.filter === null ? [] : [JSON.stringify(query.filter)]),
    ],
  };
}

function tableOf(number: number): string {
  return `vector_points_${number}`;
}

/**
 * Has the planner use the HNSW index, whatever it makes of the filter: any other way would compare every point. Without
 * the iterative scan a rare filter would leave few of the candidates, or none.
 */
function indexSettings(candidates: number, mostTuples: number): SqlStatement {
  return {
    text: `select set_config('hnsw.ef_search', $1, true),
      set_config('hnsw.iterative_scan', 'relaxed_order', true),
      set_config('hnsw.max_scan_tuples', $2, true),
      set_config('work_mem', '32MB', true), set_config('enable_seqscan', 'off', true),
      set_config('enable_bitmapscan', 'off', true), set_config('enable_sort', 'off', true)`,
    params: [String(candidates), String(mostTuples)],
  };
}

function whereMatching({ filter }: VectorQuery): string {
  return filter === null ? "" : "where metadata @> $4::jsonb";
}

/** A direction as pgvector reads it, rotated as all of the store are. */
function vectorText(vector: Float32Array): string {
  return `[${Array.from(rotated(vector), (value) => value.toFixed(6)).join(",")}]`;
}
