/**
 * The README's set-up of two machines, word by word: its commands run in a shell, in a home per
 * machine, against a broker that its own command started. Only the public address and the link are
 * put in.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { selfCommand } from "../../agent/home/self_command.ts";
import { Person } from "../support/person.ts";
import { freePort } from "../../agent/verbs/demo/free_port.ts";
import { homeEnvironment, runCommand } from "../support/program.ts";
import { type CommandBlock, commandBlocks } from "../support/readme.ts";
import { until } from "../support/until.ts";

const README = await Deno.readTextFile(new URL("../../README.md", import.meta.url));
const PUBLIC_URL = "https://mesh.example.org";
const READY_LIMIT_MS = 30_000;
const BLOCK_LIMIT_MS = 90_000;
const SHELL = "/bin/sh";

/** A folder for PATH in which `claudemesh` is this program. */
async function installProgram(folder: string): Promise<string> {
  const words = selfCommand([]).map((word) => `'${word.replaceAll("'", `'\\''`)}'`);
  const script = `#!/bin/sh\nexec ${words.join(" ")} "$@"\n`;
  await Deno.writeTextFile(join(folder, "claudemesh"), script, { mode: 0o755 });
  return folder;
}

interface Broker extends AsyncDisposable {
  readonly url: string;
  readonly dataDir: string;
}

/** Runs the README's command for the broker on a free port. */
async function startBroker(binFolder: string): Promise<Broker> {
  const [block, ...others] = commandBlocks(README, "broker");
  assert.deepEqual(others, []);
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const dataDir = await Deno.makeTempDir({ prefix: "claudemesh-newcomer-broker-" });
  const environment = await homeEnvironment(dataDir);
  const child = new Deno.Command(SHELL, {
    args: ["-c", `exec ${block!.text.replaceAll(PUBLIC_URL, url)}`],
    env: {
      ...environment,
      PATH: `${binFolder}:${environment.PATH}`,
      PORT: String(port),
      CLAUDEMESH_DATA_DIR: dataDir,
    },
    clearEnv: true,
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const broker: Broker = {
    url,
    dataDir,
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await child.status;
      await Deno.remove(dataDir, { recursive: true });
    },
  };
  try {
    await until("the README's broker is ready", READY_LIMIT_MS, async () => {
      const response = await fetch(`${url}/health/ready`).catch(() => null);
      await response?.body?.cancel();
      return response?.ok;
    });
  } catch (error) {
    await broker[Symbol.asyncDispose]();
    throw error;
  }
  return broker;
}

/** What the commands of one block printed. */
async function runBlock(
  block: CommandBlock,
  person: Person,
  broker: Broker,
  variables: Readonly<Record<string, string>>,
): Promise<string> {
  const text = block.text.replaceAll(PUBLIC_URL, broker.url);
  const environment = { ...person.environment, ...variables };
  const output = await runCommand([SHELL, "-euc", text], environment, {
    cwd: person.folder,
    timeoutMs: BLOCK_LIMIT_MS,
  });
  const all = `${output.stdout}${output.stderr}`;
  assert.equal(output.code, 0, `README line ${block.line} fails for a newcomer:\n${text}\n${all}`);
  return output.stdout;
}

/** The digits that two people compare. */
function safetyNumber(text: string): string {
  const digits = /(?:\d{5}\s+){5,}\d{5}/.exec(text)?.[0];
  assert.ok(digits, `no safety number in: ${text}`);
  return digits.replaceAll(/\s+/g, " ");
}

Deno.test("a newcomer who follows the README has two machines that talk", async () => {
  await using cleanUp = new AsyncDisposableStack();
  const binFolder = await Deno.makeTempDir({ prefix: "claudemesh-newcomer-bin-" });
  cleanUp.defer(() => Deno.remove(binFolder, { recursive: true }));
  await installProgram(binFolder);
  const broker = cleanUp.use(await startBroker(binFolder));
  const people = new Map<string, Person>();
  const printed: string[] = [];
  let link: string | undefined;
  for (const block of commandBlocks(README, "two-machines")) {
    const home = block.attributes.home!;
    let person = people.get(home);
    if (person === undefined) {
      const made = await Person.create(home);
      cleanUp.defer(() => made.close());
      people.set(home, person = made);
      // The operator's token is carried to the first machine by hand.
      if (people.size === 1) {
        await Deno.copyFile(`${broker.dataDir}/operator.token`, `${made.folder}/operator.token`);
      }
    }
    const output = await runBlock(block, person, broker, {
      PATH: `${binFolder}:${person.environment.PATH}`,
      ...(link === undefined ? {} : { LINK: link }),
    });
    link = /https?:\/\/\S+\/i\/\w+#[\w-]+/.exec(output)?.[0] ?? link;
    printed.push(output);
  }
  const all = printed.join("\n");
  assert.match(all, /Hello from the other side/);
  const [ada, bob] = [people.get("ada")!, people.get("bob")!];
  const theirs = await bob.run(["verify", "Ada"]);
  assert.equal(safetyNumber(all), safetyNumber(theirs.stdout));
  const settings = await Deno.readTextFile(join(ada.folder, ".claude", "settings.json"));
  assert.match(settings, /claudemesh|main\.ts/);
});
