/**
 * A process to be killed: commits numbered rows into the embedded database of the folder given, as
 * fast as it can, and prints a number's line only after its commit was acknowledged.
 */
import { openPglite } from "../../storage/sql/pglite.ts";

const [dataDir, first] = Deno.args;
if (dataDir === undefined || first === undefined) throw new Error("usage: <folder> <first number>");

/** Rows of one commit: all of them survive, or none. */
const BATCH = 5;

const encoder = new TextEncoder();
const sql = await openPglite({ dataDir });
await sql.query("CREATE TABLE IF NOT EXISTS written (number int8 PRIMARY KEY, body text)");
let number = Number(first);
const underWay: Promise<void>[] = [];
for (;;) {
  underWay.push(commit(number));
  number += BATCH;
  if (underWay.length >= 8) await underWay.shift();
}

async function commit(from: number): Promise<void> {
  const numbers = Array.from({ length: BATCH }, (_, index) => from + index);
  await sql.batch([{
    text: "INSERT INTO written SELECT n, repeat('x', 600) FROM unnest($1::int8[]) AS n",
    params: [numbers],
  }]);
  Deno.stdout.writeSync(encoder.encode(numbers.map((n) => `${n}\n`).join("")));
}
