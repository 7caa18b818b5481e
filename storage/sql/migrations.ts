/**
 * The program's migrations, in order. Each file is imported as text, so that a bundled or compiled
 * program carries them. A released migration never changes: its checksum is in every database.
 */
import foundation from "./migrations/0001_foundation.sql" with { type: "text" };

/** One step of the schema. */
export interface Migration {
  readonly number: number;
  readonly name: string;
  /** Statements for PostgreSQL, run as one script in one transaction. */
  readonly text: string;
}

/** All of them, numbered from 1 without gaps. */
export const MIGRATIONS: readonly Migration[] = [
  { number: 1, name: "foundation", text: foundation },
];
