/**
 * What PostgreSQL's background processes do on a server, and nobody does in the embedded one:
 * checkpoints, so that the write-ahead log and the recovery after a crash stay short, and vacuum,
 * so that queues do not bloat. Paced by what was written, so an idle store stays idle.
 */
import { bindStatements } from "./bind_writer.ts";
import type { BoundStatements, ResultSet } from "./pglite_messages.ts";

/** How many exchanges pass between two looks at the log's length. */
const EXCHANGES_PER_LOOK = 64;
/**
 * Log bytes after which a checkpoint is due. It holds up whoever comes next, for as long as there
 * are pages to write: often and little is better than seldom and much.
 */
const CHECKPOINT_BYTES = 8_388_608;

/** The pace: counted by `maintain`. */
export interface Maintenance {
  exchanges: number;
  /** The log position of the last checkpoint, in bytes; 0 before the first look. */
  checkpointLsn: number;
  /** What is due, each to be run after an exchange of its own. */
  readonly due: string[];
}

/** What maintenance needs of the engine. */
export interface MaintainedEngine {
  run(statements: BoundStatements): Promise<ResultSet[]>;
  script(text: string): Promise<string>;
}

const LOG_POSITION = bindStatements([{
  text: "SELECT (pg_current_wal_insert_lsn() - '0/0')::int8",
}]);

/**
 * Tables with more dead rows than a fifth and 1,000, or that have doubled. Logs only grow until
 * what is old is purged, and going through them for nothing would hold up commits.
 */
const WORN_TABLES = bindStatements([{
  text: `SELECT format('%s %I.%I', CASE
      WHEN n_dead_tup > 1000 + n_live_tup / 5 OR n_ins_since_vacuum > 1000000 + n_live_tup
      THEN 'VACUUM (ANALYZE, SKIP_LOCKED)' ELSE 'ANALYZE (SKIP_LOCKED)' END, schemaname, relname)
    FROM pg_stat_user_tables
    WHERE n_dead_tup > 1000 + n_live_tup / 5 OR n_ins_since_vacuum > 1000000 + n_live_tup
      OR n_mod_since_analyze > 10000 + n_live_tup`,
}]);

/** Called after every command; most calls only count. Others wait for one statement at most. */
export async function maintain(engine: MaintainedEngine, state: Maintenance): Promise<void> {
  const due = state.due.shift();
  if (due !== undefined) {
    await engine.script(due);
    return;
  }
  if (++state.exchanges < EXCHANGES_PER_LOOK) return;
  state.exchanges = 0;
  const position = Number((await engine.run(LOG_POSITION))[0]?.cells[0]);
  if (state.checkpointLsn === 0) state.checkpointLsn = position;
  if (position - state.checkpointLsn < CHECKPOINT_BYTES) return;
  state.checkpointLsn = position;
  const worn = (await engine.run(WORN_TABLES))[0]?.cells ?? [];
  state.due.push(...worn.map(String), "CHECKPOINT");
}
