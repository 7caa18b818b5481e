/**
 * The program's migrations, in order. Each file is imported as text, so that a bundled or compiled
 * program carries them. A released migration never changes: its checksum is in every database.
 */
import foundation from "./migrations/0001_foundation.sql" with { type: "text" };
import state from "./migrations/0002_state.sql" with { type: "text" };
import memory from "./migrations/0003_memory.sql" with { type: "text" };
import files from "./migrations/0004_files.sql" with { type: "text" };
import streams from "./migrations/0005_streams.sql" with { type: "text" };
import contexts from "./migrations/0006_contexts.sql" with { type: "text" };
import tasks from "./migrations/0007_tasks.sql" with { type: "text" };
import schedules from "./migrations/0008_schedules.sql" with { type: "text" };
import simulationClock from "./migrations/0009_simulation_clock.sql" with { type: "text" };
import skills from "./migrations/0010_skills.sql" with { type: "text" };
import meshDatabases from "./migrations/0011_mesh_databases.sql" with { type: "text" };
import vectors from "./migrations/0012_vectors.sql" with { type: "text" };
import memberStats from "./migrations/0013_member_stats.sql" with { type: "text" };
import leanerAuditLog from "./migrations/0014_leaner_audit_log.sql" with { type: "text" };

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
  { number: 2, name: "state", text: state },
  { number: 3, name: "memory", text: memory },
  { number: 4, name: "files", text: files },
  { number: 5, name: "streams", text: streams },
  { number: 6, name: "contexts", text: contexts },
  { number: 7, name: "tasks", text: tasks },
  { number: 8, name: "schedules", text: schedules },
  { number: 9, name: "simulation_clock", text: simulationClock },
  { number: 10, name: "skills", text: skills },
  { number: 11, name: "mesh_databases", text: meshDatabases },
  { number: 12, name: "vectors", text: vectors },
  { number: 13, name: "member_stats", text: memberStats },
  { number: 14, name: "leaner_audit_log", text: leanerAuditLog },
];
