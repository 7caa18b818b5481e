/**
 * A PostgreSQL server of a test's own, which it may stop: made in a temporary folder from the
 * installed binaries.
 */
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../../agent/verbs/demo/free_port.ts";

const BINARIES = "/usr/lib/postgresql";

/** The folder of the newest installed server's programs; null when there is none. */
export function postgresBinaries(): string | null {
  try {
    const versions = [...Deno.readDirSync(BINARIES)].map(({ name }) => Number(name));
    const newest = Math.max(...versions.filter(Number.isFinite));
    return Number.isFinite(newest) ? join(BINARIES, String(newest), "bin") : null;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

export class PrivatePostgres implements AsyncDisposable {
  /** The URL of an empty database. */
  readonly url: string;
  readonly #binaries: string;
  readonly #folder: string;
  readonly #port: number;
  #running = false;

  private constructor(binaries: string, folder: string, port: number) {
    this.#binaries = binaries;
    this.#folder = folder;
    this.#port = port;
    this.url = `postgres://claudemesh@127.0.0.1:${port}/postgres`;
  }

  /** Makes a server and starts it. @param binaries from `postgresBinaries`. */
  static async start(binaries: string): Promise<PrivatePostgres> {
    const folder = await Deno.makeTempDir({ dir: tmpdir(), prefix: "claudemesh-postgres-" });
    const server = new PrivatePostgres(binaries, folder, await freePort());
    try {
      // PostgreSQL refuses to run as root.
      if (Deno.uid() === 0) await run("chown", "postgres", folder);
      await server.#program(
        "initdb",
        "-U",
        "claudemesh",
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--locale=C",
      );
      await server.start();
      return server;
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Starts it and waits until it takes connections. */
  async start(): Promise<void> {
    const options = `-c listen_addresses=127.0.0.1 -p ${this.#port} -k ${this.#folder}`;
    await this.#program("pg_ctl", "-w", "-l", join(this.#folder, "log"), "-o", options, "start");
    this.#running = true;
  }

  /** Ends it at once, as a crash would. */
  async stop(): Promise<void> {
    await this.#program("pg_ctl", "-w", "-m", "immediate", "stop");
    this.#running = false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#running) await this.stop();
    await Deno.remove(this.#folder, { recursive: true });
  }

  async #program(name: string, ...args: string[]): Promise<void> {
    const command = [join(this.#binaries, name), "-D", join(this.#folder, "data"), ...args];
    await (Deno.uid() === 0 ? run("runuser", "-u", "postgres", "--", ...command) : run(...command));
  }
}

/**
 * Runs a command to its end. Its output goes nowhere: a server that it leaves behind would hold a
 * pipe open.
 */
async function run(...command: string[]): Promise<void> {
  const [program, ...args] = command;
  const { success, code } = await new Deno.Command(program!, {
    args,
    cwd: "/",
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn().status;
  if (!success) throw new Error(`${command.join(" ")}: exit code ${code}`);
}
