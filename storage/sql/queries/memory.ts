/**
 * Queries of what a mesh remembers. How the search stays fast is said in `migrations/0003_memory.sql`.
 */
import type { SqlExecutor, SqlStatement } from "../port.ts";

/** How many numbers one place of each level spans. */
export const LEVELS = [1_024, 4_096, 16_384, 65_536] as const;

/** The text of a memory, new or replaced. */
export interface MemoryText {
  readonly id: string;
  readonly content: string;
  readonly tags: readonly string[];
  readonly byName: string;
  readonly atMs: number;
  readonly expiresAtMs: number | null;
  /** Text-search configurations to index it with. */
  readonly languages: readonly string[];
}

/** A new memory. */
export interface NewMemory extends MemoryText {
  readonly memberId: string;
  readonly sessionId: string;
}

/** SQL of the words of `content` and `tags` (expressions), in the configurations of the parameters from `first` on. */
function vectorSql(content: string, tags: string, first: number, languages: number): string {
  const parts = Array.from({ length: languages }, (_, index) => {
    const language = `$${first + index}::regconfig`;
    return `setweight(to_tsvector(${language}, array_to_string(${tags}, e'\\n')), 'A') ||
      setweight(to_tsvector(${language}, ${content}), 'B')`;
  });
  return parts.join(" || ");
}

/** SQL of the places of a row, from expressions of its mesh, number and tags. */
export function placesSql(mesh: string, number: string, tags: string): string {
  const levels = LEVELS.map((span, level) => `${mesh} || '/${level}/' || (${number} / ${span})`);
  return `array[${levels.join(", ")}] ||
    array(select ${mesh} || '#' || lower(tag) from unnest(${tags}) as tag)`;
}

/** The number after the newest of the mesh `$1`. Writers of one database come one after the other. */
const NEXT_NUMBER =
  "select coalesce(max(number), -1) + 1 as number from mesh.memory where mesh_id = $1";

/** Writes a new memory. */
export function insertMemory(meshId: string, memory: NewMemory): SqlStatement {
  const { languages } = memory;
  return {
    text: `insert into mesh.memory (mesh_id, id, number, content, tags, remembered_by,
        remembered_by_name, remembered_session, remembered_at, expires_at, languages, search, places)
      select $1, $2, next.number, $3::text, $4::text[], $5, $6, $7, $8, $9, $10,
        ${vectorSql("$3::text", "$4::text[]", 11, languages.length)},
        ${placesSql("$1", "next.number", "$4::text[]")}
      from (${NEXT_NUMBER}) as next`,
    params: [
      meshId,
      memory.id,
      memory.content,
      memory.tags,
      memory.memberId,
      memory.byName,
      memory.sessionId,
      new Date(memory.atMs),
      dateOrNull(memory.expiresAtMs),
      languages.join(),
      ...languages,
    ],
  };
}

/** Replaces the text of a memory, which is the newest of its mesh then. */
export async function updateMemory(
  sql: SqlExecutor,
  meshId: string,
  memory: MemoryText,
): Promise<void> {
  const { languages } = memory;
  await sql.query(
    `update mesh.memory set number = next.number, content = $3::text, tags = $4::text[],
        updated_by_name = $5, updated_at = $6, expires_at = $7, languages = $8,
        search = ${vectorSql("$3::text", "$4::text[]", 9, languages.length)},
        places = ${placesSql("$1", "next.number", "$4::text[]")}
      from (${NEXT_NUMBER}) as next
      where memory.mesh_id = $1 and memory.id = $2`,
    [
      meshId,
      memory.id,
      memory.content,
      memory.tags,
      memory.byName,
      new Date(memory.atMs),
      dateOrNull(memory.expiresAtMs),
      languages.join(),
      ...languages,
    ],
  );
}

/** Whose a memory is, and how it begins. */
export interface MemoryHead {
  readonly id: string;
  readonly rememberedBy: string;
  readonly rememberedByName: string;
  readonly beginning: string;
}

/** The memories whose id is `prefix` or begins with it, at most `limit`; none that is forgotten or has expired. */
export async function memoriesByPrefix(
  sql: SqlExecutor,
  meshId: string,
  { prefix, nowMs, limit }: { prefix: string; nowMs: number; limit: number },
): Promise<MemoryHead[]> {
  return await sql.query<MemoryHead>(
    `select id, remembered_by as "rememberedBy", remembered_by_name as "rememberedByName",
        left(content, 60) as beginning
      from mesh.memory
      where mesh_id = $1 and id >= $2 and id < $2 || chr(127) and forgotten_at is null
        and (expires_at is null or expires_at > $3)
      order by id limit $4`,
    [meshId, prefix, new Date(nowMs), limit],
  );
}

/** Marks a memory as forgotten. */
export async function forgetMemory(
  sql: SqlExecutor,
  meshId: string,
  { id, memberId, atMs }: { id: string; memberId: string; atMs: number },
): Promise<void> {
  await sql.query(
    `update mesh.memory set forgotten_at = $3, forgotten_by = $4
      where mesh_id = $1 and id = $2 and forgotten_at is null`,
    [meshId, id, new Date(atMs), memberId],
  );
}

/** How many memories a mesh has; those that have expired count until they are erased. */
export async function countMemories(sql: SqlExecutor, meshId: string): Promise<number> {
  const [row] = await sql.query<{ count: number }>(
    "select count(*) as count from mesh.memory where mesh_id = $1 and forgotten_at is null",
    [meshId],
  );
  return row?.count ?? 0;
}

/** Erases, in every mesh, what has expired and what was forgotten before `forgottenBeforeMs`. Returns how many rows. */
export async function eraseMemories(
  sql: SqlExecutor,
  { nowMs, forgottenBeforeMs }: { nowMs: number; forgottenBeforeMs: number },
): Promise<number> {
  const rows = await sql.query(
    "delete from mesh.memory where expires_at <= $1 or forgotten_at <= $2 returning 1",
    [new Date(nowMs), new Date(forgottenBeforeMs)],
  );
  return rows.length;
}

/**
 * Indexes up to `limit` memories, of whatever mesh, that were indexed with other languages than `languages`.
 * @returns how many there were.
 */
export async function reindexMemories(
  sql: SqlExecutor,
  languages: readonly string[],
  limit: number,
): Promise<number> {
  const rows = await sql.query(
    `update mesh.memory set languages = $1,
        search = ${vectorSql("memory.content", "memory.tags", 3, languages.length)}
      from ((select mesh_id, id from mesh.memory where languages < $1 limit $2)
        union all (select mesh_id, id from mesh.memory where languages > $1 limit $2)
        limit $2) as stale
      where memory.mesh_id = stale.mesh_id and memory.id = stale.id
      returning 1`,
    [languages.join(), limit, ...languages],
  );
  return rows.length;
}

function dateOrNull(timeMs: number | null): Date | null {
  return timeMs === null ? null : new Date(timeMs);
}
