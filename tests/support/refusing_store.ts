/**
 * A store that does all the work of a change and then refuses to keep it, as when the server is lost in the middle of a commit.
 */
import {
  type Sql,
  SqlError,
  type SqlStatement,
  type SqlTransaction,
} from "../../storage/sql/port.ts";

/** Told apart from what a handler throws of its own. */
const LOST = "the commit was refused";

export class RefusingStore {
  /** The store to give to a broker. */
  readonly sql: Sql;
  readonly #inner: Sql;
  #refuses = false;

  constructor(inner: Sql) {
    this.#inner = inner;
    const own: Partial<Sql> = {
      query: (text, params) => this.#query(text, params),
      batch: (statements) => this.#batch(statements),
      batchInLine: (statements, behind) => this.#batchInLine(statements, behind),
      transaction: (run) => this.#transaction(run),
    };
    this.sql = new Proxy(inner, {
      get(target, name) {
        const value = Reflect.get(own, name) ?? Reflect.get(target, name);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  }

  /** While `run` runs nothing is kept. */
  async refusing<T>(run: () => Promise<T>): Promise<T> {
    this.#refuses = true;
    try {
      return await run();
    } finally {
      this.#refuses = false;
    }
  }

  /** Reads go through; what would write outside of a transaction fails. */
  async #query<Row extends object>(text: string, params?: readonly unknown[]): Promise<Row[]> {
    if (!this.#refuses) return await this.#inner.query<Row>(text, params);
    return await this.#inner.transaction(async (tx) => {
      await tx.query("SET TRANSACTION READ ONLY");
      return await tx.query<Row>(text, params);
    });
  }

  async #batch(statements: readonly SqlStatement[]) {
    if (!this.#refuses) return await this.#inner.batch(statements);
    return await this.#undone(async (tx) => {
      for (const { text, params } of statements) await tx.query(text, params);
    });
  }

  async #batchInLine(statements: readonly SqlStatement[], behind: boolean): Promise<void> {
    if (this.#refuses) await this.#batch(statements);
    else await this.#inner.batchInLine(statements, behind);
  }

  async #transaction<T>(run: (tx: SqlTransaction) => Promise<T>): Promise<T> {
    if (!this.#refuses) return await this.#inner.transaction(run);
    return await this.#undone(run);
  }

  async #undone(run: (tx: SqlTransaction) => Promise<unknown>): Promise<never> {
    await this.#inner.transaction(async (tx) => {
      await run(tx);
      throw new SqlError("unavailable", LOST);
    });
    throw new SqlError("unavailable", LOST);
  }
}
