/**
 * Reads an inbox as it is on disk, whether or not its agent runs: the last witness of what arrived.
 */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Person } from "./person.ts";

/** One message as it stands in somebody's inbox, in the order of arrival. */
export interface Arrived {
  /** The sender's display name. */
  readonly from: string;
  readonly text: string;
}

/**
 * Returns a person's messages of one mesh in the order of arrival; none when there is no inbox yet.
 * @throws {Error} for a message that could not be opened or believed: here all are good.
 */
export function readInboxFile(person: Person, meshId: string): Arrived[] {
  const path = join(person.paths.stateDir, meshId, "inbox.db");
  try {
    Deno.statSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
  const file = new DatabaseSync(path, { readOnly: true });
  try {
    const rows = file.prepare(
      "select sender_name, body, state, reason from message order by seq",
    ).all();
    return rows.map((row) => {
      if (row.state !== "ok") throw new Error(`${person.name}: ${row.state}: ${row.reason}`);
      return { from: String(row.sender_name), text: String(row.body) };
    });
  } finally {
    file.close();
  }
}
