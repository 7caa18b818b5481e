/**
 * The thread that PGlite runs in: takes commands one after the other and answers each, so that
 * neither WebAssembly nor a commit's wait for the disk ever stops the thread that routes.
 */
import { BatchLine } from "./batch_line.ts";
import { initialiseFolder } from "./pglite_folder.ts";
import { EngineDiedError, PgliteEngine } from "./pglite_engine.ts";
import type {
  EngineCommand,
  EngineFailure,
  EngineMessage,
  EngineRequest,
} from "./pglite_messages.ts";
import { asSqlError } from "./sql_failure.ts";

interface WorkerScope {
  onmessage: ((event: MessageEvent<EngineRequest>) => void) | null;
  postMessage(message: EngineMessage, transfer?: Transferable[]): void;
}

const scope = globalThis as unknown as WorkerScope;
let engine: PgliteEngine | null = null;
const line = new BatchLine();
let turn: Promise<void> = Promise.resolve();

scope.onmessage = (event) => {
  turn = turn.then(() => handle(event.data));
};

async function handle({ id, command }: EngineRequest): Promise<void> {
  try {
    const value = await execute(command);
    const transfer = value instanceof Uint8Array && value.buffer instanceof ArrayBuffer
      ? [value.buffer]
      : [];
    scope.postMessage({ kind: "answer", id, value }, transfer);
  } catch (error) {
    if (error instanceof EngineDiedError) fatal(error.message);
    else scope.postMessage({ kind: "failure", id, failure: failureOf(error) });
  }
  if (command.kind === "run" || command.kind === "write") await maintain();
}

/** After the answer, so that nobody waits for it but who comes next. */
async function maintain(): Promise<void> {
  try {
    await engine?.maintain();
  } catch (error) {
    if (error instanceof EngineDiedError) fatal(error.message);
    else scope.postMessage({ kind: "warning", message: asSqlError(error).message });
  }
}

async function execute(command: EngineCommand): Promise<unknown> {
  if (command.kind === "initialise") {
    await initialiseFolder(command.options, { onNotification, onFatal: fatal });
    return null;
  }
  if (command.kind === "open") {
    engine = await PgliteEngine.open(command.options, { onNotification, onFatal: fatal });
    return null;
  }
  const open = engine;
  if (open === null) throw new EngineDiedError("the embedded PostgreSQL is not open");
  switch (command.kind) {
    case "run":
      return await open.run(command.statements);
    case "write":
      await line.add(command.behind, () => open.write(command.statements));
      return null;
    case "script":
      return await open.script(command.text);
    case "dump":
      return await open.dump();
    case "close":
      await open.close();
      return null;
  }
}

function onNotification(channel: string, payload: string): void {
  scope.postMessage({ kind: "notification", channel, payload });
}

function fatal(message: string): void {
  scope.postMessage({ kind: "fatal", message });
}

function failureOf(error: unknown): EngineFailure {
  const { kind, message, sqlState, constraint } = asSqlError(error);
  return { kind, message, sqlState, constraint };
}
