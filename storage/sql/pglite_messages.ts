/** What the main thread and PGlite's worker say to each other over `postMessage`. Types only. */
import type { SqlErrorKind } from "./port.ts";

/** How the worker is to open the database. */
export interface EngineOptions {
  /** The folder with PostgreSQL's files; null keeps everything in memory. */
  readonly folder: string | null;
  readonly sharedBuffersMb: number;
  /** A tar of a data folder to start from, in memory only. */
  readonly template: Uint8Array<ArrayBuffer> | null;
}

/** Statements with their parameters written out, one after the other, in `bytes`. */
export interface BoundStatements {
  readonly texts: readonly string[];
  /** Where each statement's parameters end. */
  readonly ends: readonly number[];
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** One of them. */
export interface BoundStatement {
  readonly text: string;
  readonly params: Uint8Array;
}

/** The rows of one statement: `cells` holds them one after the other, `columns.length` each. */
export interface ResultSet {
  readonly columns: readonly string[];
  readonly cells: readonly unknown[];
}

/**
 * Work for the worker, answered in the order it was asked:
 * `initialise` makes a data folder, on disk to the last file; `open` starts PostgreSQL; `run` takes
 * statements as one transaction (a part of one inside BEGIN); `write` takes a batch of the line,
 * whose rows nobody asks for (`Sql.batchInLine`); `script` runs several statements without
 * parameters; `dump` returns a tar of the data folder; `close` shuts down.
 */
export type EngineCommand =
  | { readonly kind: "initialise"; readonly options: EngineOptions }
  | { readonly kind: "open"; readonly options: EngineOptions }
  | { readonly kind: "run"; readonly statements: BoundStatements }
  | { readonly kind: "write"; readonly statements: BoundStatements; readonly behind: boolean }
  | { readonly kind: "script"; readonly text: string }
  | { readonly kind: "dump" }
  | { readonly kind: "close" };

/** What each command answers. */
export interface EngineAnswers {
  initialise: null;
  open: null;
  run: ResultSet[];
  write: null;
  /** The command tag of the script's last statement, such as `COMMIT`. */
  script: string;
  dump: Uint8Array<ArrayBuffer>;
  close: null;
}

/** A command with the number its answer carries. */
export interface EngineRequest {
  readonly id: number;
  readonly command: EngineCommand;
}

/** A `SqlError` taken apart for the way between threads. */
export interface EngineFailure {
  readonly kind: SqlErrorKind;
  readonly message: string;
  readonly sqlState: string | null;
  readonly constraint: string | null;
}

/**
 * What the worker sends: answers, notifications, `warning` when maintenance failed, and `fatal` when
 * the worker can no longer be trusted.
 */
export type EngineMessage =
  | { readonly kind: "answer"; readonly id: number; readonly value: unknown }
  | { readonly kind: "failure"; readonly id: number; readonly failure: EngineFailure }
  | { readonly kind: "notification"; readonly channel: string; readonly payload: string }
  | { readonly kind: "warning"; readonly message: string }
  | { readonly kind: "fatal"; readonly message: string };
