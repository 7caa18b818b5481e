/**
 * Checks at start that the database knows the languages that memories are to be indexed with.
 */
import { textSearchLanguages } from "../../storage/sql/queries/memory_search.ts";
import type { Sql } from "../../storage/sql/port.ts";

/** @throws {Error} that names what the database does not have, and all that it has. */
export async function requireLanguages(sql: Sql, languages: readonly string[]): Promise<void> {
  const known = await textSearchLanguages(sql);
  const unknown = languages.filter((language) => !known.includes(language));
  if (unknown.length === 0) return;
  throw new Error(
    `MEMORY_LANGUAGES has ${unknown.join(", ")}, which the database does not know; choose from ` +
      known.join(", "),
  );
}
