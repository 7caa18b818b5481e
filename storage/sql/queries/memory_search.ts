/**
 * The search over what a mesh remembers: turns terms into a text-search query, and runs it over the newest memories that
 * match. How it stays fast is said in `migrations/0003_memory.sql`.
 */
import type { SqlExecutor } from "../port.ts";
import { LEVELS } from "./memory.ts";

/** A memory as it is read. */
export interface MemoryRow {
  readonly id: string;
  readonly content: string;
  readonly tags: readonly string[];
  /** Member id of its author. */
  readonly rememberedBy: string;
  readonly rememberedByName: string;
  readonly rememberedSession: string;
  readonly rememberedAt: Date;
  readonly updatedByName: string | null;
  readonly updatedAt: Date | null;
  readonly expiresAt: Date | null;
}

/** What to look for; made by the parser of queries. */
export interface SearchTerm {
  readonly kind: "word" | "phrase" | "prefix";
  readonly text: string;
  readonly excluded: boolean;
}

/** A term as PostgreSQL writes it in its own query language. */
interface TermForms {
  /** The term in each language's form; null where no language has a word for it. */
  readonly forms: readonly string[] | null;
  /** One of the languages counts it as a word that says nothing. */
  readonly weak: boolean;
}

/** The queries of one search, in PostgreSQL's query language; null where there is nothing to ask. */
export interface SearchQuery {
  /** All terms. */
  readonly all: string | null;
  /** Some of them, for where nothing has all; null where that is no other query. */
  readonly any: string | null;
  /** What the matches of `all` and `any` must not have. */
  readonly excluded: string | null;
}

/**
 * Brings terms into the forms that the index holds: stems of each language, without words that say nothing where others
 * say something.
 */
export async function searchQuery(
  sql: SqlExecutor,
  terms: readonly SearchTerm[],
  languages: readonly string[],
): Promise<SearchQuery> {
  if (terms.length === 0) return { all: null, any: null, excluded: null };
  const forms = await sql.query<TermForms>(
    `select array_agg(distinct form::text) filter (where numnode(form) > 0) as forms,
        bool_or(numnode(form) = 0) as weak
      from unnest($1::text[], $2::text[]) with ordinality as term (kind, text, n)
      cross join unnest($3::text[]) as language
      cross join lateral (select case kind
        when 'phrase' then phraseto_tsquery(language::regconfig, text)
        when 'prefix' then to_tsquery(language::regconfig,
          '''' || replace(replace(text, '\\', '\\\\'), '''', '''''') || ''':*')
        else plainto_tsquery(language::regconfig, text) end) as made (form)
      group by n order by n`,
    [terms.map((term) => term.kind), terms.map((term) => term.text), languages],
  );
  const asked: { text: string; weak: boolean }[] = [];
  const excluded: string[] = [];
  terms.forEach((term, index) => {
    const { forms: texts = null, weak = true } = forms[index] ?? {};
    if (texts === null) return;
    const text = `(${texts.join(" | ")})`;
    if (term.excluded) excluded.push(text);
    else asked.push({ text, weak: weak && term.kind === "word" });
  });
  const strong = asked.filter((each) => !each.weak);
  const used = [...new Set((strong.length > 0 ? strong : asked).map((each) => each.text))];
  return {
    all: used.length === 0 ? null : used.join(" & "),
    any: used.length < 2 ? null : used.join(" | "),
    excluded: excluded.length === 0 ? null : excluded.join(" | "),
  };
}

/** One search. */
export interface MemorySearch {
  /** What is asked for, in PostgreSQL's query language; null: every memory. */
  readonly query: string | null;
  readonly excluded: string | null;
  /** Lower-case tags that a memory must have, and must not have. */
  readonly tags: readonly string[];
  readonly excludedTags: readonly string[];
  readonly nowMs: number;
  /** How many of the newest are looked at where the index alone cannot decide. */
  readonly examined: number;
  /** How many of the newest that match are ranked. */
  readonly ranked: number;
  readonly limit: number;
  readonly offset: number;
}

/** What one search found. */
export interface FoundMemories {
  /** Best first; newest first where no words were asked for. */
  readonly rows: readonly MemoryRow[];
  /** How many match, at most `ranked`. */
  readonly matches: number;
}

/** Searches the memories of a mesh. */
export async function searchMemories(
  sql: SqlExecutor,
  meshId: string,
  search: MemorySearch,
): Promise<FoundMemories> {
  const indexed = search.query === null ? null : withoutOrder(search.query);
  const exact = indexed === search.query ? null : search.query;
  const sifted = exact !== null || search.excluded !== null || search.excludedTags.length > 0;
  // Each search for the beginning of a word gathers all its places first, so that few are better.
  const least = indexed?.includes(":*") ? 1 : 0;
  const placeOf = (tag: string) => `${meshId}#${tag}`;
  const rows = await sql.query<Partial<MemoryRow> & { matches: number }>(
    searchSql(indexed !== null, least),
    [
      meshId,
      exact,
      search.excluded,
      search.tags.map(placeOf),
      search.excludedTags.map(placeOf),
      new Date(search.nowMs),
      sifted ? Math.max(search.examined, search.ranked) : search.ranked,
      search.ranked,
      search.limit,
      search.offset,
      ...(indexed === null ? [] : [indexed]),
    ],
  );
  return {
    // A search that finds nothing still has a row, for the count.
    rows: rows.filter((row): row is MemoryRow & { matches: number } => row.id !== null),
    matches: rows[0]?.matches ?? 0,
  };
}

/** The same words in any order: what the index can decide without reading the row. Quoted words stay as they are. */
function withoutOrder(query: string): string {
  return query.replace(
    /'(?:[^'\\]|''|\\.)*'|<(?:-|\d+)>/gs,
    (part) => part[0] === "<" ? "&" : part,
  );
}

/** Ranks by how close together and in which column the words stand, less the length. */
const RANK = "ts_rank_cd(search, coalesce($2::tsquery, $11::tsquery), 1)";

/**
 * Places of the mesh `$1` from its newest number down, each number in one of them: at least as many small spans as make a
 * larger one, then larger ones, so that few searches of the index cover everything and none goes much further than the
 * ones before it. The smallest are those of the level `least`.
 */
function spansSql(least: number): string {
  const levels = LEVELS.map((_, level) => level).filter((level) => level >= least);
  return `select $1 || '/' || level || '/' || place as place
    from (select max(number) as number from mesh.memory where mesh_id = $1) as newest
    cross join lateral (${
    levels.map((level) => spansOfLevel(level, least)).join(" union all ")
  }) as spans
    order by level, place desc`;
}

/** SQL of one level's spans: from where the smaller ones ended down to the last but one that is larger. */
function spansOfLevel(level: number, least: number): string {
  const [span, larger] = [LEVELS[level]!, LEVELS[level + 1]];
  const first = level === least ? `number / ${span}` : `number / ${span} - 2`;
  const last = larger === undefined
    ? "0"
    : `greatest(number / ${larger} - 1, 0) * ${larger / span}`;
  return `select ${level} as level, generate_series(${first}, ${last}, -1) as place`;
}

/** The statement of a search, with or without words (`$11`); `least` as in `spansSql`. */
function searchSql(hasWords: boolean, least: number): string {
  return `with ranked as materialized (
      select id, number, ${hasWords ? RANK : "0::float4"} as rank
      from (
        select found.* from (${spansSql(least)}) as span
        cross join lateral (
          select id, number, search, places from mesh.memory
          where mesh_id = $1 and places @> (array[span.place] || $4::text[])
            ${hasWords ? "and search @@ $11::tsquery" : ""}
            and forgotten_at is null and (expires_at is null or expires_at > $6)
          order by number desc limit $7
        ) as found
        limit $7
      ) as examined
      where ($2::tsquery is null or search @@ $2::tsquery)
        and ($3::tsquery is null or not search @@ $3::tsquery) and not places && $5::text[]
      limit $8
    ),
    page as (select * from ranked order by rank desc, number desc limit $9 offset $10)
    select (select count(*) from ranked) as matches, memory.id, memory.content, memory.tags,
      memory.remembered_by as "rememberedBy", memory.remembered_by_name as "rememberedByName",
      memory.remembered_session as "rememberedSession", memory.remembered_at as "rememberedAt",
      memory.updated_by_name as "updatedByName", memory.updated_at as "updatedAt",
      memory.expires_at as "expiresAt"
    from (select 1) as one
    left join page on true
    left join mesh.memory on memory.mesh_id = $1 and memory.id = page.id
    order by page.rank desc, page.number desc`;
}

/** The text-search configurations that the database has, by name. */
export async function textSearchLanguages(sql: SqlExecutor): Promise<string[]> {
  const rows = await sql.query<{ name: string }>(
    "select cfgname as name from pg_catalog.pg_ts_config where pg_ts_config_is_visible(oid) order by 1",
  );
  return rows.map(({ name }) => name);
}
