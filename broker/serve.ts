/**
 * `claudemesh serve`: runs a broker until it is told to stop.
 */
import { returnLargeBlocks } from "./allocator.ts";
import { MeshError } from "./api/errors.ts";
import { loadSettings } from "./core/config.ts";
import { brokerLog, startLog } from "./core/log.ts";
import type { Settings } from "./core/settings.ts";
import { printErrorLine, printLine } from "./core/print.ts";
import { havePrepared } from "./prepare_store.ts";
import { type Broker, startBroker } from "./server.ts";

/** A refused start: a wrong configuration, a taken port, a store that cannot be opened. */
const EXIT_NOT_STARTED = 3;
const EXIT_STORE_LOST = 4;
const SIGNALS: readonly Deno.Signal[] = Deno.build.os === "windows"
  ? ["SIGINT"]
  : ["SIGTERM", "SIGINT"];

/**
 * Starts a broker and waits for its end.
 * @param flags `port`, `host`, `dataDir`, `publicUrl`, `config`; the rest comes from the environment and the data folder.
 * @param prepareCommand starts this program's child that makes an embedded database in the folder named last.
 * @returns the exit code: 0 after a signal, 3 when it could not start, 4 when another broker took its database.
 */
export async function serve(
  flags: Readonly<Record<string, string>>,
  prepareCommand: readonly string[],
): Promise<number> {
  returnLargeBlocks();
  const stopped = Promise.withResolvers<number>();
  const onSignal = () => stopped.resolve(0);
  for (const signal of SIGNALS) Deno.addSignalListener(signal, onSignal);
  try {
    const settings = await loadSettings({ flags, env: Deno.env.toObject() });
    await startLog(settings.logLevel, (line) => printErrorLine(line));
    if (settings.databaseUrl === null) await havePrepared(settings.dataDir, prepareCommand);
    const onStoreLost = () => stopped.resolve(EXIT_STORE_LOST);
    const broker = await startBroker(settings, { onStoreLost });
    printLine(startUpLines(settings, broker).join("\n"));
    brokerLog().info("broker started", { port: broker.port, store: broker.context.sql.driver });
    prepareMeshDatabases(broker);
    const code = await stopped.promise;
    brokerLog().info("broker stops", { code });
    await broker.close();
    return code;
  } catch (error) {
    for (const line of reasonOf(error).split("\n")) printErrorLine(`claudemesh serve: ${line}`);
    return EXIT_NOT_STARTED;
  } finally {
    for (const signal of SIGNALS) Deno.removeSignalListener(signal, onSignal);
  }
}

/** In the background: the first member who uses a mesh's own database would wait for it. */
function prepareMeshDatabases({ context: { stores } }: Broker): void {
  stores.meshDatabases.prepare().catch((error) =>
    brokerLog().warn("meshes' own databases could not be prepared; their first use tries again", {
      error: reasonOf(error),
    })
  );
}

function startUpLines(settings: Settings, broker: Broker): string[] {
  const { sql, stores: { objects, vectors, embedder } } = broker.context;
  const store = sql.driver === "pglite" ? "embedded" : "PostgreSQL";
  const { encryptionKey, operatorTokenPath } = broker;
  return [
    `claudemesh broker ready`,
    `  address         ${settings.host} port ${broker.port}`,
    `  public url      ${broker.url}`,
    `  data folder     ${settings.dataDir}`,
    `  store           ${store}: ${sql.durability}`,
    `  shared files    ${objects.driver === "folder" ? "folder" : "S3"}: ${objects.place}`,
    `  vectors         ${vectors.driver}, texts embedded by ${embedder.embedding}`,
    `  operator token  ${operatorTokenPath ?? "configured (CLAUDEMESH_OPERATOR_TOKEN)"}`,
    `  encryption key  ${keyLine(encryptionKey)}`,
    ...(settings.meshCreation === "open" ? ["  anybody who reaches it may create meshes"] : []),
    ...(settings.compat
      ? ["  CLAUDEMESH_COMPAT=1: session keys of old clients are taken without proof"]
      : []),
  ];
}

function keyLine({ source, path }: Broker["encryptionKey"]): string {
  if (path === null) return "configured (BROKER_ENCRYPTION_KEY)";
  return source === "made" ? `${path} (made now; keep a copy)` : path;
}

/** What the operator reads when it does not start: the error's own text, never a stack. */
function reasonOf(error: unknown): string {
  if (error instanceof MeshError && error.cause instanceof Error) return error.cause.message;
  return error instanceof Error ? error.message : String(error);
}
