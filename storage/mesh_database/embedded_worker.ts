/**
 * The thread that a mesh's embedded PostgreSQL runs in. The main thread sends one command at a time, and ends the thread
 * when a command takes too long.
 */
import { EngineDiedError } from "../sql/pglite_engine.ts";
import type { SqlError } from "../sql/port.ts";
import { asSqlError } from "../sql/sql_failure.ts";
import { EmbeddedEngine } from "./embedded_engine.ts";
import { makeEmbeddedFolder } from "./embedded_folder.ts";
import type { EmbeddedCommand, EmbeddedMessage } from "./embedded_messages.ts";
import { lowerPriority } from "./low_priority.ts";

interface WorkerScope {
  onmessage: ((event: MessageEvent<EmbeddedCommand>) => void) | null;
  postMessage(message: EmbeddedMessage): void;
}

const scope = globalThis as unknown as WorkerScope;
let engine: EmbeddedEngine | null = null;

lowerPriority();
scope.onmessage = (event) => void handle(event.data);

async function handle(command: EmbeddedCommand): Promise<void> {
  try {
    scope.postMessage({ kind: "answer", value: await execute(command) });
  } catch (error) {
    if (error instanceof EngineDiedError) return fatal(error.message);
    fail(asSqlError(error));
  }
}

async function execute(command: EmbeddedCommand): Promise<unknown> {
  if (command.kind === "make") {
    await makeEmbeddedFolder(command.folder, fatal);
    return null;
  }
  if (command.kind === "open") {
    engine = await EmbeddedEngine.open(command.options, fatal);
    return null;
  }
  if (engine === null) throw new EngineDiedError("the mesh's database is not open");
  switch (command.kind) {
    case "batch":
      return await engine.batch(command.statements);
    case "run":
      return await engine.run(command.sql);
    case "maintain":
      await engine.maintain();
      return null;
    case "close":
      await engine.close();
      return null;
  }
}

function fail({ kind, message, sqlState, constraint }: SqlError): void {
  scope.postMessage({ kind: "failure", failure: { kind, message, sqlState, constraint } });
}

function fatal(message: string, failure?: SqlError): void {
  if (failure !== undefined) fail(failure);
  scope.postMessage({ kind: "fatal", message });
}
