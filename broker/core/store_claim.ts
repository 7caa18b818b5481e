/**
 * One broker per database: what is in memory is only right while nobody else writes. The embedded store has its folder's
 * lock; on a PostgreSQL server one transaction holds an advisory lock for as long as the broker runs.
 */
import type { Sql, SqlExecutor } from "../../storage/sql/port.ts";
import type { Clock } from "./clock.ts";

/** "clmeshbr" in ASCII, without its last bit: advisory locks are signed 64-bit numbers in JavaScript's range. */
const LOCK_ID = 0x636c6d656272;
/** Below the server's limit for idle transactions. */
const KEEP_MS = 20_000;
const RETRY_MS = 1_000;
/** A broker that was killed a moment ago may still be seen by the server. */
const ATTEMPTS = 5;

/** The database has a broker. */
export class StoreTaken extends Error {
  override readonly name = "StoreTaken";
}

export interface StoreClaimOptions {
  readonly clock: Clock;
  /** Another broker has taken the database while its server was out of reach. */
  readonly onLost: () => void;
}

/** A held claim. */
export class StoreClaim {
  readonly #sql: Sql;
  readonly #options: StoreClaimOptions;
  #holding: Promise<void> = Promise.resolve();
  #wake: () => void = () => {};
  #released = false;

  private constructor(sql: Sql, options: StoreClaimOptions) {
    this.#sql = sql;
    this.#options = options;
  }

  /**
   * Claims the database.
   * @throws {StoreTaken} when another broker has it; {SqlError} when it does not answer.
   */
  static async take(sql: Sql, options: StoreClaimOptions): Promise<StoreClaim> {
    const claim = new StoreClaim(sql, options);
    if (sql.driver === "pglite") return claim;
    for (let attempt = 1;; attempt += 1) {
      try {
        await claim.#hold();
        return claim;
      } catch (error) {
        if (!(error instanceof StoreTaken) || attempt === ATTEMPTS) throw error;
        await claim.#pause(RETRY_MS);
      }
    }
  }

  /** Lets others have it. Resolves when the lock is gone. */
  async release(): Promise<void> {
    this.#released = true;
    this.#wake();
    await this.#holding;
  }

  /** Resolves once the lock is held; the transaction goes on in the background. */
  async #hold(): Promise<void> {
    const held = Promise.withResolvers<void>();
    let isHeld = false;
    this.#holding = this.#sql.transaction(async (tx) => {
      await lock(tx);
      isHeld = true;
      held.resolve();
      while (!this.#released) {
        await this.#pause(KEEP_MS);
        await tx.query("select 1");
      }
    }).catch((error) => {
      held.reject(error);
      if (isHeld && !this.#released) return this.#holdAgain();
    });
    await held.promise;
  }

  /** The server went away and the lock with it. */
  async #holdAgain(): Promise<void> {
    while (!this.#released) {
      await this.#pause(RETRY_MS);
      if (this.#released) return;
      try {
        return await this.#hold();
      } catch (error) {
        if (error instanceof StoreTaken) return this.#options.onLost();
      }
    }
  }

  async #pause(forMs: number): Promise<void> {
    if (this.#released) return;
    await new Promise<void>((resolve) => {
      const cancel = this.#options.clock.after(forMs, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
  }
}

async function lock(tx: SqlExecutor): Promise<void> {
  const [row] = await tx.query<{ locked: boolean }>(
    "select pg_try_advisory_xact_lock($1::int8) as locked",
    [LOCK_ID],
  );
  if (row?.locked === true) return;
  throw new StoreTaken(
    "another broker uses this database; stop it first, or give this one a database of its own",
  );
}
