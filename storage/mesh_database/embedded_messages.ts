/** What the broker and the process of a mesh's embedded database say to each other. Types only. */
import type { BoundStatements, EngineFailure, ResultSet } from "../sql/pglite_messages.ts";
import type { BoundedMemberSql } from "./member_transaction.ts";
import type { MemberSqlResult } from "./port.ts";

/** How the worker is to open a mesh's database. */
export interface EmbeddedOptions {
  /** The folder with PostgreSQL's files. */
  readonly folder: string;
  /** The folder to copy them from where there are none yet; null where there are. */
  readonly template: string | null;
  /** The schema of the members' tables. */
  readonly schema: string;
  /** The largest size of its tables and indexes. */
  readonly diskBytes: number;
}

/**
 * Work for the process, one command at a time: `make` fills an empty folder with a database that any mesh may start from;
 * `open` starts PostgreSQL; `batch` runs the program's own statements; `run` a member's statement; `maintain` what
 * PostgreSQL's background processes would do; `close` shuts down.
 */
export type EmbeddedCommand =
  | { readonly kind: "make"; readonly folder: string }
  | { readonly kind: "open"; readonly options: EmbeddedOptions }
  | { readonly kind: "batch"; readonly statements: BoundStatements }
  | { readonly kind: "run"; readonly sql: BoundedMemberSql }
  | { readonly kind: "maintain" }
  | { readonly kind: "close" };

/** What each command answers. */
export interface EmbeddedAnswers {
  make: null;
  open: null;
  batch: ResultSet[];
  run: MemberSqlResult;
  maintain: null;
  close: null;
}

/** What the process sends: one answer or failure per command, or `fatal` when it can no longer be trusted. */
export type EmbeddedMessage =
  | { readonly kind: "answer"; readonly value: unknown }
  | { readonly kind: "failure"; readonly failure: EngineFailure }
  | { readonly kind: "fatal"; readonly message: string };
