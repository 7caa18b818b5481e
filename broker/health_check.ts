/**
 * `claudemesh health`: asks a broker on this machine whether it is ready, for container health checks that have no shell.
 */
import { loadSettings } from "./core/config.ts";
import { printErrorLine, printLine } from "./core/print.ts";

const PATIENCE_MS = 4_000;
const EXIT_NOT_READY = 4;
const EXIT_ARGUMENTS = 3;

/**
 * Asks `GET /health/ready`.
 * @param flags `port` and `host`; the configuration of `serve` without them.
 * @returns the exit code: 0 ready, 4 not ready or not there, 3 when the configuration is wrong.
 */
export async function healthCheck(flags: Readonly<Record<string, string>>): Promise<number> {
  let url: string;
  try {
    const { host, port } = await loadSettings({ flags, env: Deno.env.toObject() });
    url = `http://${addressOf(host)}:${port}/health/ready`;
  } catch (error) {
    printErrorLine(`claudemesh health: ${error instanceof Error ? error.message : String(error)}`);
    return EXIT_ARGUMENTS;
  }
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(PATIENCE_MS) });
    const { status } = await response.json() as { status?: string };
    printLine(`${url}: ${status ?? response.status}`);
    return response.ok ? 0 : EXIT_NOT_READY;
  } catch (error) {
    printErrorLine(`${url}: ${error instanceof Error ? error.message : String(error)}`);
    return EXIT_NOT_READY;
  }
}

/** Where a program on the same machine reaches a broker that listens on `host`. */
function addressOf(host: string): string {
  if (host === "0.0.0.0") return "127.0.0.1";
  if (host === "::") return "[::1]";
  return host.includes(":") ? `[${host}]` : host;
}
