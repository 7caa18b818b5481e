/**
 * The statements of one mesh on its embedded PostgreSQL: the program's own, and what members write, each with the rights
 * of its role. Runs in the mesh's worker, one call at a time.
 */
import { EngineDiedError } from "../sql/pglite_engine.ts";
import type { ResultSet } from "../sql/pglite_messages.ts";
import { maintain, type Maintenance } from "../sql/pglite_maintenance.ts";
import type { EncodedStatement } from "../sql/values.ts";
import type { EmbeddedMemberSql, EmbeddedOptions } from "./embedded_messages.ts";
import { type EmbeddedPostgres, openEmbeddedPostgres } from "./embedded_postgres.ts";
import { MemberReply } from "./member_reply.ts";
import { builtInTypeName } from "./member_values.ts";
import type { MemberSqlColumn, MemberSqlResult } from "./port.ts";

/** Everything a statement may leave in the session goes with it. */
const FRESH_SESSION = "DISCARD ALL";

/** The embedded database of one mesh. */
export class EmbeddedEngine {
  readonly #postgres: EmbeddedPostgres;
  readonly #options: EmbeddedOptions;
  readonly #maintenance: Maintenance = { exchanges: 0, checkpointLsn: 0 };
  readonly #memberOid: number;
  readonly #programOid: number;

  private constructor(
    postgres: EmbeddedPostgres,
    options: EmbeddedOptions,
    roles: { member: number; program: number },
  ) {
    this.#postgres = postgres;
    this.#options = options;
    this.#memberOid = roles.member;
    this.#programOid = roles.program;
  }

  /** Opens a folder that `makeEmbeddedFolder` has made. */
  static async open(
    options: EmbeddedOptions,
    onFatal: (message: string) => void,
  ): Promise<EmbeddedEngine> {
    const postgres = await openEmbeddedPostgres(options.folder, onFatal);
    await postgres.script("LOAD 'age'");
    await postgres.script(`CREATE SCHEMA IF NOT EXISTS "${options.schema}" AUTHORIZATION member`);
    postgres.writer.parse("", "SELECT 'member'::regrole::oid::int8, 'program'::regrole::oid::int8");
    postgres.writer.execute("", []);
    postgres.writer.sync();
    const { results } = await postgres.reply();
    const [member, program] = results[0]?.cells ?? [];
    return new EmbeddedEngine(postgres, options, {
      member: Number(member),
      program: Number(program),
    });
  }

  /**
   * Runs the program's own statements as one transaction.
   * @throws {SqlError} of the first failure; nothing is kept then.
   */
  async batch(statements: readonly EncodedStatement[]): Promise<ResultSet[]> {
    const { writer } = this.#postgres;
    for (const { text, params } of statements) {
      writer.parse("", text);
      writer.execute("", params);
    }
    writer.sync();
    this.#postgres.become(this.#programOid);
    try {
      return [...(await this.#postgres.reply()).results];
    } finally {
      this.#postgres.becomeSuperuser();
    }
  }

  /** Runs a member's statement, in a transaction of its own. @throws {SqlError} as PostgreSQL refused it. */
  async run(sql: EmbeddedMemberSql): Promise<MemberSqlResult> {
    const postgres = this.#postgres;
    postgres.become(this.#memberOid);
    try {
      await postgres.script(
        `BEGIN READ ${sql.readOnly ? "ONLY" : "WRITE"};
         SET LOCAL search_path = "${this.#options.schema}", public`,
      );
      const reply = await this.#exchange(sql);
      const isOver = reply.status === "I";
      if (!isOver) await postgres.script(reply.failure === null ? "COMMIT" : "ROLLBACK");
      if (reply.failure !== null) throw reply.failure;
      return await this.#result(reply);
    } finally {
      postgres.becomeSuperuser();
      await postgres.script(FRESH_SESSION);
    }
  }

  /** Checkpoints and vacuums when enough was written. */
  async maintain(): Promise<void> {
    await maintain({
      run: async (statements) => {
        const { writer } = this.#postgres;
        for (const { text, params } of statements) {
          writer.parse("", text);
          writer.execute("", params);
        }
        writer.sync();
        return [...(await this.#postgres.reply()).results];
      },
      script: async (text) => {
        await this.#postgres.script(text);
        return "";
      },
    }, this.#maintenance);
  }

  async close(): Promise<void> {
    await this.#postgres.close();
  }

  async #exchange({ text, readOnly, bounds }: EmbeddedMemberSql): Promise<MemberReply> {
    const { writer } = this.#postgres;
    writer.parse("", text);
    // What changes rows runs to its end, so that it can tell how many.
    writer.execute("", [], readOnly ? bounds.skipRows + bounds.maxRows + 1 : 0);
    writer.copyFail();
    writer.sync();
    const reply = new MemberReply(bounds);
    await this.#postgres.exchange((bytes) => reply.push(bytes));
    if (reply.status === null) throw new EngineDiedError("the mesh's PostgreSQL stopped");
    return reply;
  }

  async #result(reply: MemberReply): Promise<MemberSqlResult> {
    return {
      columns: await this.#columns(reply),
      rows: reply.rows,
      rowCount: reply.rowCount,
      isCut: reply.isCut,
    };
  }

  async #columns({ columns }: MemberReply): Promise<MemberSqlColumn[]> {
    const foreign = columns.map(({ typeOid }) => typeOid)
      .filter((oid) => builtInTypeName(oid) === undefined);
    const names = new Map<number, string>();
    if (foreign.length > 0) {
      const { writer } = this.#postgres;
      writer.parse(
        "",
        "SELECT oid::int8, oid::regtype::text FROM pg_type WHERE oid = ANY ($1::oid[])",
      );
      writer.execute("", [`{${foreign.join(",")}}`]);
      writer.sync();
      const cells = (await this.#postgres.reply()).results[0]?.cells ?? [];
      for (let at = 0; at < cells.length; at += 2) {
        names.set(Number(cells[at]), String(cells[at + 1]));
      }
    }
    return columns.map(({ name, typeOid }) => ({
      name,
      type: builtInTypeName(typeOid) ?? names.get(typeOid) ?? "unknown",
    }));
  }
}
