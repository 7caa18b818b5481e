/**
 * The agent's log: one JSON line an event, in a file of its own that nobody else can read, turned over before it grows
 * large. Events carry ids, codes and counts; never text of messages, keys or links.
 */

export type LogFields = Readonly<Record<string, string | number | boolean | null>>;

export interface AgentLog {
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
}

const MAX_BYTES = 2_097_152;
const FILE_MODE = 0o600;

/** A log in a file; the file before the last turn is kept as `<path>.1`. */
export class FileLog implements AgentLog {
  readonly #path: string;
  readonly #maxBytes: number;
  #file: Deno.FsFile;
  #sizeBytes: number;

  /** Opens the log at `path`, whose folder must be there. Throws what the file system says. */
  constructor(path: string, maxBytes: number = MAX_BYTES) {
    this.#path = path;
    this.#maxBytes = maxBytes;
    this.#file = openForAppend(path);
    this.#sizeBytes = this.#file.statSync().size;
  }

  info(event: string, fields: LogFields = {}): void {
    this.#write("info", event, fields);
  }

  warn(event: string, fields: LogFields = {}): void {
    this.#write("warn", event, fields);
  }

  error(event: string, fields: LogFields = {}): void {
    this.#write("error", event, fields);
  }

  close(): void {
    this.#file.close();
  }

  #write(level: string, event: string, fields: LogFields): void {
    const line = JSON.stringify({ at: new Date().toISOString(), level, event, ...fields });
    const bytes = new TextEncoder().encode(`${line}\n`);
    if (this.#sizeBytes > 0 && this.#sizeBytes + bytes.length > this.#maxBytes) this.#turn();
    this.#sizeBytes += bytes.length;
    try {
      this.#file.writeSync(bytes);
    } catch (error) {
      // A full disk must not stop the agent: messages are kept by stores that report this themselves.
      if (error instanceof Deno.errors.BadResource) throw error;
    }
  }

  #turn(): void {
    this.#file.close();
    Deno.renameSync(this.#path, `${this.#path}.1`);
    this.#file = openForAppend(this.#path);
    this.#sizeBytes = 0;
  }
}

function openForAppend(path: string): Deno.FsFile {
  const file = Deno.openSync(path, { append: true, create: true, mode: FILE_MODE });
  // An older file may be wider; Windows has no modes.
  if (Deno.build.os !== "windows") Deno.chmodSync(path, FILE_MODE);
  return file;
}
