/**
 * Inserts of any number of rows at once, in their order. Many rows travel as one array per column,
 * which PostgreSQL takes apart from the first to the last. One alone is inserted as plain values: it
 * is what a message on a calm mesh waits for, and a dozen arrays for it cost a tenth of its commit.
 */
import type { SqlStatement } from "../port.ts";

/** A column of a table, and where its value comes from. */
export interface InsertColumn<Row> {
  readonly name: string;
  /** The SQL type in which the value travels; no array. */
  readonly type: string;
  readonly value: (row: Row) => unknown;
  /** Makes the column's value of the one that travelled; the same unless told. */
  readonly stored?: (travelled: string) => string;
}

/**
 * Returns what makes statements that insert at least one row, in order.
 * @param table its name with its schema.
 */
export function rowInsert<Row>(
  table: string,
  columns: readonly InsertColumn<Row>[],
): (rows: readonly Row[]) => SqlStatement {
  const names = columns.map(({ name }) => name).join(", ");
  const storedAs = (travelled: (column: InsertColumn<Row>, index: number) => string) =>
    columns.map((column, index) => {
      const value = travelled(column, index);
      return column.stored?.(value) ?? value;
    }).join(", ");
  const into = `insert into ${table} (${names})`;
  const ofOne = `${into} values (${storedAs(({ type }, index) => `$${index + 1}::${type}`)})`;
  const ofMany = `${into} select ${storedAs(({ name }) => `w.${name}`)}
    from unnest(${columns.map(({ type }, index) => `$${index + 1}::${type}[]`).join(", ")})
    as w (${names})`;
  return (rows) => {
    const [only] = rows;
    return rows.length === 1 && only !== undefined
      ? { text: ofOne, params: columns.map(({ value }) => value(only)) }
      : { text: ofMany, params: columns.map(({ value }) => rows.map(value)) };
  };
}

/** For `stored`: a point in time that travels as milliseconds since 1970. */
export function timeOfMs(ms: string): string {
  return `'epoch'::timestamptz + ${ms} * interval '1 millisecond'`;
}
