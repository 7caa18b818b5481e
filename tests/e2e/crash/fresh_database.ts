/**
 * A database of a test's own on the server that `TEST_DATABASE_URL` names.
 */
import { randomUUID } from "node:crypto";
import { openPostgres } from "../../../storage/sql/postgres.ts";

/** Why there is no server to test on; null when there is one. */
export const noServer: string | null = Deno.env.get("TEST_DATABASE_URL") === undefined
  ? "TEST_DATABASE_URL is not set: what needs a PostgreSQL server is skipped"
  : null;

/** Makes an empty database; disposing drops it, with the connections to it. */
export async function freshDatabase(): Promise<AsyncDisposable & { readonly url: string }> {
  const name = `claudemesh_e2e_${randomUUID().replaceAll("-", "")}`;
  await onServer(`CREATE DATABASE ${name}`);
  return {
    url: urlOf(name),
    [Symbol.asyncDispose]: () => onServer(`DROP DATABASE ${name} WITH (FORCE)`),
  };
}

function urlOf(database: string): string {
  const url = new URL(Deno.env.get("TEST_DATABASE_URL")!);
  url.pathname = `/${database}`;
  return url.href;
}

async function onServer(statement: string): Promise<void> {
  const server = await openPostgres({ databaseUrl: urlOf("postgres"), maxConnections: 1 });
  try {
    await server.query(statement);
  } finally {
    await server.close();
  }
}
