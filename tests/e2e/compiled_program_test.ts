/**
 * The compiled program, run as a user gets it: from an empty folder, without the source beside it. `CLAUDEMESH_BINARY`
 * names it; without that these tests are counted as skipped, since building it needs a runtime to embed.
 */
import assert from "node:assert/strict";
import config from "../../deno.json" with { type: "json" };

const binary = Deno.env.get("CLAUDEMESH_BINARY");
const READY_LIMIT_MS = 90_000;

interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

interface Place {
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
}

/** An empty folder that is the program's home, data folder and working folder at once. */
async function withPlace(use: (place: Place) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "claudemesh-compiled-" });
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const port = listener.addr.port;
  listener.close();
  const env = {
    HOME: folder,
    XDG_RUNTIME_DIR: folder,
    CLAUDEMESH_CONFIG_DIR: `${folder}/config`,
    CLAUDEMESH_DATA_DIR: `${folder}/data`,
    HOST: "127.0.0.1",
    PORT: String(port),
    NO_COLOR: "1",
  };
  try {
    await use({ folder, env });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function command(place: Place, args: readonly string[]): Deno.Command {
  assert.ok(binary, "CLAUDEMESH_BINARY is not set");
  return new Deno.Command(binary, {
    args: [...args],
    cwd: place.folder,
    clearEnv: true,
    env: place.env,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

async function run(place: Place, ...args: string[]): Promise<Run> {
  const { code, stdout, stderr } = await command(place, args).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** Asks the program itself until it calls the broker ready; `ended` tells when there is nothing left to ask. */
async function untilReady(place: Place, ended: () => boolean): Promise<void> {
  const giveUpAt = performance.now() + READY_LIMIT_MS;
  let last: Run | undefined;
  while (!ended() && performance.now() < giveUpAt) {
    last = await run(place, "health");
    if (last.code === 0) return;
  }
  assert.fail(`the broker did not get ready: ${last?.stdout} ${last?.stderr}`);
}

const options = { ignore: binary === undefined };

Deno.test("compiled program: --version names the version of deno.json", options, async () => {
  await withPlace(async (place) => {
    const { code, stdout } = await run(place, "--version");
    assert.deepEqual([code, stdout.trim()], [0, `claudemesh ${config.version}`]);
  });
});

Deno.test("compiled program: --help lists the roles", options, async () => {
  await withPlace(async (place) => {
    const { code, stdout } = await run(place, "--help");
    assert.equal(code, 0);
    assert.match(stdout, /\bserve\b/);
  });
});

Deno.test("compiled program: health fails while no broker runs", options, async () => {
  await withPlace(async (place) => {
    assert.notEqual((await run(place, "health")).code, 0);
  });
});

Deno.test(
  "compiled program: serves from an empty folder and stops on SIGTERM",
  options,
  async () => {
    await withPlace(async (place) => {
      const broker = command(place, ["serve"]).spawn();
      let ended = false;
      const output = broker.output().then((result) => {
        ended = true;
        return result;
      });
      let problem: unknown;
      try {
        await untilReady(place, () => ended);
      } catch (error) {
        problem = error;
      }
      if (!ended) broker.kill("SIGTERM");
      const { code, signal, stderr } = await output;
      const log = new TextDecoder().decode(stderr);
      if (problem !== undefined) throw new Error(`the broker said: ${log}`, { cause: problem });
      assert.deepEqual([code, signal], [0, null], log);
    });
  },
);
