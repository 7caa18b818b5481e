/**
 * What PostgreSQL's background processes do on a server, and nobody does in the embedded one:
 * checkpoints, so that the write-ahead log and the recovery after a crash stay short, and vacuum,
 * so that queues do not bloat. Paced by what was written, so an idle store stays idle.
 */
import type { EncodedStatement } from "./values.ts";
import type { ResultSet } from "./pglite_messages.ts";

/** How many exchanges pass between two looks at the log's length. */
const EXCHANGES_PER_LOOK = 256;
/** Log bytes after which a checkpoint is due: well under a second of recovery. */
const CHECKPOINT_BYTES = 33_554_432;

/** The pace: counted by `maintain`. */
export interface Maintenance {
  exchanges: number;
  /** The log position of the last checkpoint, in bytes; 0 before the first look. */
  checkpointLsn: number;
}

/** What maintenance needs of the engine. */
export interface MaintainedEngine {
  run(statements: readonly EncodedStatement[]): Promise<ResultSet[]>;
  script(text: string): Promise<string>;
}

const LOG_POSITION: EncodedStatement = {
  text: "SELECT (pg_current_wal_insert_lsn() - '0/0')::int8",
  params: [],
};

/** Tables with more dead rows, or rows changed since they were analysed, than a fifth and 1,000. */
const WORN_TABLES: EncodedStatement = {
  text: `SELECT format('VACUUM (ANALYZE, SKIP_LOCKED) %I.%I', schemaname, relname)
    FROM pg_stat_user_tables
    WHERE greatest(n_dead_tup, n_mod_since_analyze) > 1000 + n_live_tup / 5`,
  params: [],
};

/** Called after every command; most calls only count. */
export async function maintain(engine: MaintainedEngine, state: Maintenance): Promise<void> {
  if (++state.exchanges < EXCHANGES_PER_LOOK) return;
  state.exchanges = 0;
  const position = Number((await engine.run([LOG_POSITION]))[0]?.cells[0]);
  if (state.checkpointLsn === 0) state.checkpointLsn = position;
  if (position - state.checkpointLsn < CHECKPOINT_BYTES) return;
  const worn = (await engine.run([WORN_TABLES]))[0]?.cells ?? [];
  for (const vacuum of worn) await engine.script(String(vacuum));
  await engine.script("CHECKPOINT");
  state.checkpointLsn = position;
}
