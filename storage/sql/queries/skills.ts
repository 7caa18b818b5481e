/**
 * Queries of the skills of a mesh and their versions. `key` is a name in lower case.
 */
import type { SqlExecutor } from "../port.ts";

/** Whose a skill is, and its newest version. */
export interface SkillHead {
  readonly name: string;
  readonly version: number;
  readonly authorMemberId: string;
  readonly authorName: string;
}

/** Reads the head of a skill, null when there is none. */
export async function selectSkillHead(
  sql: SqlExecutor,
  meshId: string,
  key: string,
): Promise<SkillHead | null> {
  const [row] = await sql.query<SkillHead>(
    `select name, version, author_member_id as "authorMemberId", author_name as "authorName"
      from mesh.skill where mesh_id = $1 and key = $2`,
    [meshId, key],
  );
  return row ?? null;
}

/** A version to write. */
export interface SkillWrite {
  readonly key: string;
  readonly name: string;
  readonly description: string;
  readonly instructions: string;
  readonly tags: readonly string[];
  readonly manifest: object;
  readonly memberId: string;
  readonly memberName: string;
  readonly atMs: number;
}

/**
 * Writes the next version of a skill, whose author is who wrote the first, and deletes what is older than the newest
 * `kept`.
 * @returns the number of the version.
 */
export async function insertSkillVersion(
  sql: SqlExecutor,
  meshId: string,
  skill: SkillWrite,
  kept: number,
): Promise<number> {
  const at = new Date(skill.atMs);
  const [row] = await sql.query<{ version: number }>(
    `insert into mesh.skill (mesh_id, key, name, version, author_member_id, author_name, created_at)
      values ($1, $2, $3, 1, $4, $5, $6)
      on conflict (mesh_id, key) do update set name = excluded.name, version = skill.version + 1
      returning version`,
    [meshId, skill.key, skill.name, skill.memberId, skill.memberName, at],
  );
  const { version } = row!;
  await sql.query(
    `insert into mesh.skill_version (mesh_id, key, version, description, instructions, tags,
        manifest, shared_by_name, shared_at)
      values ($1, $2, $3, $4, $5, $6::text[], $7::jsonb, $8, $9)`,
    [
      meshId,
      skill.key,
      version,
      skill.description,
      skill.instructions,
      skill.tags,
      JSON.stringify(skill.manifest),
      skill.memberName,
      at,
    ],
  );
  await sql.query(
    "delete from mesh.skill_version where mesh_id = $1 and key = $2 and version <= $3",
    [meshId, skill.key, version - kept],
  );
  return version;
}

/** One version of a skill. */
export interface SkillRow {
  readonly name: string;
  readonly authorMemberId: string;
  readonly authorName: string;
  readonly createdAt: Date;
  readonly version: number;
  readonly description: string;
  readonly instructions: string;
  readonly tags: readonly string[];
  readonly manifest: Readonly<Record<string, unknown>>;
  readonly sharedByName: string;
  readonly sharedAt: Date;
}

/** Reads one version of a skill, the newest where none is named; null when there is none. */
export async function selectSkill(
  sql: SqlExecutor,
  meshId: string,
  { key, version = null }: { key: string; version?: number | null },
): Promise<SkillRow | null> {
  const [row] = await sql.query<SkillRow>(
    `select skill.name, skill.author_member_id as "authorMemberId",
        skill.author_name as "authorName", skill.created_at as "createdAt", each.version,
        each.description, each.instructions, each.tags, each.manifest,
        each.shared_by_name as "sharedByName", each.shared_at as "sharedAt"
      from mesh.skill
      join mesh.skill_version as each on each.mesh_id = skill.mesh_id and each.key = skill.key
        and each.version = coalesce($3::int4, skill.version)
      where skill.mesh_id = $1 and skill.key = $2`,
    [meshId, key, version],
  );
  return row ?? null;
}

/** A version without its text. */
export interface SkillVersionRow {
  readonly version: number;
  readonly sharedByName: string;
  readonly sharedAt: Date;
}

/** Lists the versions of a skill that are kept, newest first. */
export async function selectSkillVersions(
  sql: SqlExecutor,
  meshId: string,
  key: string,
): Promise<SkillVersionRow[]> {
  return await sql.query<SkillVersionRow>(
    `select version, shared_by_name as "sharedByName", shared_at as "sharedAt"
      from mesh.skill_version where mesh_id = $1 and key = $2 order by version desc`,
    [meshId, key],
  );
}

/** A skill without its instructions. */
export type ListedSkillRow = Omit<SkillRow, "instructions" | "sharedByName">;

/** Lists the skills with `query` in the name, the description or a tag, in any case, by name. */
export async function selectSkills(
  sql: SqlExecutor,
  meshId: string,
  query: string,
): Promise<ListedSkillRow[]> {
  return await sql.query<ListedSkillRow>(
    `select skill.name, skill.author_member_id as "authorMemberId",
        skill.author_name as "authorName", skill.created_at as "createdAt", each.version,
        each.description, each.tags, each.manifest, each.shared_at as "sharedAt"
      from mesh.skill
      join mesh.skill_version as each on each.mesh_id = skill.mesh_id and each.key = skill.key
        and each.version = skill.version
      where skill.mesh_id = $1 and ($2 = '' or strpos(skill.key, lower($2)) > 0
        or strpos(lower(each.description), lower($2)) > 0
        or exists (select 1 from unnest(each.tags) as tag where strpos(lower(tag), lower($2)) > 0))
      order by skill.key`,
    [meshId, query],
  );
}

/** How many skills a mesh has. */
export async function countSkills(sql: SqlExecutor, meshId: string): Promise<number> {
  const [row] = await sql.query<{ count: number }>(
    "select count(*) as count from mesh.skill where mesh_id = $1",
    [meshId],
  );
  return row?.count ?? 0;
}

/** Deletes a skill with all its versions. */
export async function deleteSkill(sql: SqlExecutor, meshId: string, key: string): Promise<void> {
  await sql.query("delete from mesh.skill where mesh_id = $1 and key = $2", [meshId, key]);
}
