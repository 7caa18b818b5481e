/**
 * The thread that a mesh's embedded PostgreSQL runs in, within a process of its own. The broker sends one command at a
 * time, and kills the process when one takes too long.
 */
import { deserialize, serialize } from "node:v8";
import { EngineDiedError } from "../sql/pglite_engine.ts";
import type { SqlError } from "../sql/port.ts";
import { asSqlError } from "../sql/sql_failure.ts";
import { EmbeddedEngine } from "./embedded_engine.ts";
import { claimEmbeddedFolder, copyEmbeddedFolder, makeEmbeddedFolder } from "./embedded_folder.ts";
import type { EmbeddedCommand, EmbeddedMessage } from "./embedded_messages.ts";
import { frameOf } from "./frame_stream.ts";
import { lowerPriority, STATEMENT_NICENESS } from "./low_priority.ts";

/** Commands come and messages go as `node:v8` writes them. */
interface WorkerScope {
  onmessage: ((event: MessageEvent<Uint8Array>) => void) | null;
}

const scope = globalThis as unknown as WorkerScope;
let engine: EmbeddedEngine | null = null;

scope.onmessage = (event) => void handle(deserialize(event.data));

async function handle(command: EmbeddedCommand): Promise<void> {
  try {
    send({ kind: "answer", value: await execute(command) });
  } catch (error) {
    if (error instanceof EngineDiedError) return fatal(error.message);
    fail(asSqlError(error));
  }
}

async function execute(command: EmbeddedCommand): Promise<unknown> {
  if (command.kind === "make") {
    lowerPriority(STATEMENT_NICENESS);
    await makeEmbeddedFolder(command.folder, fatal);
    return null;
  }
  if (command.kind === "open") {
    const { folder, template } = command.options;
    await claimEmbeddedFolder(folder);
    if (template !== null) await copyEmbeddedFolder(template, folder);
    engine = await EmbeddedEngine.open(command.options, fatal);
    lowerPriority(STATEMENT_NICENESS);
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
  send({ kind: "failure", failure: { kind, message, sqlState, constraint } });
}

function fatal(message: string, failure?: SqlError): void {
  if (failure !== undefined) fail(failure);
  send({ kind: "fatal", message });
}

/** Written here and not in the main thread: two threads less on the way. */
function send(message: EmbeddedMessage): void {
  const frame = frameOf(serialize(message));
  for (let at = 0; at < frame.length;) at += Deno.stdout.writeSync(frame.subarray(at));
}
