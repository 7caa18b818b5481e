/**
 * The statements of one mesh on its embedded PostgreSQL: the program's own, and what members write, each with the rights
 * of its role. Runs in the mesh's process, in a thread of its own, one call at a time.
 */
import { bindStatements } from "../sql/bind_writer.ts";
import { EngineDiedError } from "../sql/pglite_engine.ts";
import { maintain, type Maintenance } from "../sql/pglite_maintenance.ts";
import type { BoundStatements, ResultSet } from "../sql/pglite_messages.ts";
import type { WireWriter } from "../sql/wire_writer.ts";
import type { EmbeddedOptions } from "./embedded_messages.ts";
import {
  type EmbeddedEnd,
  type EmbeddedPostgres,
  openEmbeddedPostgres,
} from "./embedded_postgres.ts";
import { MemberReply } from "./member_reply.ts";
import {
  type AnswerBounds,
  type BoundedMemberSql,
  type MemberWire,
  runMemberSql,
} from "./member_transaction.ts";
import type { MemberSqlResult } from "./port.ts";

/** Everything a statement may leave in the session goes with it. */
const FRESH_SESSION = "DISCARD ALL";

const ROLES = "SELECT 'member'::regrole::oid::int8, 'program'::regrole::oid::int8";

/** The embedded database of one mesh. */
export class EmbeddedEngine implements MemberWire {
  readonly #postgres: EmbeddedPostgres;
  readonly #options: EmbeddedOptions;
  readonly #maintenance: Maintenance = { exchanges: 0, checkpointLsn: 0, due: [] };
  readonly #memberOid: number;
  readonly #programOid: number;

  private constructor(postgres: EmbeddedPostgres, options: EmbeddedOptions, oids: number[]) {
    this.#postgres = postgres;
    this.#options = options;
    [this.#memberOid = NaN, this.#programOid = NaN] = oids;
  }

  /** Opens a folder that `makeEmbeddedFolder` has made, or a copy of it. */
  static async open(
    options: EmbeddedOptions,
    onEnd: EmbeddedEnd,
  ): Promise<EmbeddedEngine> {
    const postgres = await openEmbeddedPostgres(options.folder, onEnd);
    await postgres.script("LOAD 'age'");
    await postgres.script(
      `CREATE SCHEMA IF NOT EXISTS "${options.schema}";
       GRANT USAGE, CREATE ON SCHEMA "${options.schema}" TO member`,
    );
    const [roles] = await postgres.run(bindStatements([{ text: ROLES }]));
    return new EmbeddedEngine(postgres, options, (roles?.cells ?? []).map(Number));
  }

  /**
   * Runs the program's own statements as one transaction.
   * @throws {SqlError} of the first failure; nothing is kept then.
   */
  async batch(statements: BoundStatements): Promise<ResultSet[]> {
    this.#postgres.become(this.#programOid);
    try {
      return await this.#postgres.run(statements);
    } finally {
      this.#postgres.becomeSuperuser();
    }
  }

  /** Runs a member's statement, in a transaction of its own. @throws {SqlError} as PostgreSQL refused it. */
  async run(sql: BoundedMemberSql): Promise<MemberSqlResult> {
    const { schema, diskBytes } = this.#options;
    this.#postgres.become(this.#memberOid);
    try {
      return await runMemberSql(this, sql, { searchPath: `"${schema}", public`, diskBytes });
    } finally {
      this.#postgres.becomeSuperuser();
      await this.#postgres.script(FRESH_SESSION);
    }
  }

  async ask(write: (writer: WireWriter) => void, bounds: AnswerBounds): Promise<MemberReply> {
    write(this.#postgres.writer);
    const reply = new MemberReply(bounds);
    await this.#postgres.exchange((bytes) => reply.push(bytes));
    if (reply.status === null) throw new EngineDiedError("the mesh's PostgreSQL stopped");
    return reply;
  }

  /** Checkpoints and vacuums when enough was written. */
  async maintain(): Promise<void> {
    await maintain(this.#postgres, this.#maintenance);
  }

  async close(): Promise<void> {
    await this.#postgres.close();
  }
}
