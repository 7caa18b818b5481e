/** Runs every script in this folder against the real program: processes, a broker, one home per person. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { selfCommand } from "../../agent/home/self_command.ts";
import { matches, parseScript, type Step } from "./script.ts";
import { startProgramBroker } from "../support/program.ts";

const FOLDER = new URL(".", import.meta.url);

/** Values that commands use: `${link}` after one that printed an invite, `${home}` for this person's own folder. */
function substitute(words: readonly string[], values: ReadonlyMap<string, string>): string[] {
  return words.map((word) =>
    word.replace(/\$\{(\w+)\}/g, (whole, name) => values.get(name) ?? whole)
  );
}

async function perform(step: Step, folder: string, values: Map<string, string>): Promise<void> {
  const home = join(folder, step.home);
  const [program, ...args] = selfCommand(
    substitute(step.words, new Map([...values, ["home", home]])),
  );
  const child = new Deno.Command(program, {
    args,
    env: {
      CLAUDEMESH_CONFIG_DIR: join(home, ".claudemesh"),
      CLAUDE_CONFIG_DIR: join(home, ".claude"),
      CLAUDEMESH_DISPLAY_NAME: step.home[0]!.toUpperCase() + step.home.slice(1),
      NO_COLOR: "1",
    },
    stdin: step.stdin === null ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  if (step.stdin !== null) {
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(`${step.stdin}\n`));
    await writer.close();
  }
  const output = await child.output();
  const [stdout, stderr] = [output.stdout, output.stderr].map((bytes) =>
    new TextDecoder().decode(bytes)
  ) as [string, string];
  const shown = `line ${step.line}: claudemesh ${step.words.join(" ")}\n${stdout}\n${stderr}`;
  assert.equal(output.code, step.exit, `exit code of ${shown}`);
  assert.ok(matches(step.stdout, stdout), `standard output of ${shown}`);
  assert.ok(matches(step.stderr, stderr), `standard error of ${shown}`);
  const link = /https?:\/\/\S+\/i\/\w+#[\w-]+/.exec(stdout)?.[0];
  if (link) values.set("link", link);
  const id = /\b[A-Za-z0-9]{32}\b/.exec(stdout)?.[0];
  if (id) values.set("id", id);
}

for (const entry of Deno.readDirSync(FOLDER)) {
  if (!entry.name.endsWith(".txt")) continue;
  Deno.test(`command line: ${entry.name}`, async () => {
    const text = await Deno.readTextFile(new URL(entry.name, FOLDER));
    const steps = parseScript(text);
    assert.ok(steps.length > 0, "the script has no command");
    const folder = await Deno.makeTempDir({ prefix: "claudemesh-cli-" });
    const broker = text.includes("${broker}") ? await startProgramBroker() : null;
    const values = new Map(broker ? [["broker", broker.url]] : []);
    const homes = new Set(steps.map((step) => step.home));
    try {
      for (const home of homes) await Deno.mkdir(join(folder, home));
      for (const step of steps) await perform(step, folder, values);
    } finally {
      for (const home of homes) await stopAgent(join(folder, home));
      await broker?.close();
      await Deno.remove(folder, { recursive: true });
    }
  });
}

async function stopAgent(home: string): Promise<void> {
  const [program, ...args] = selfCommand(["agent", "stop"]);
  const env = { CLAUDEMESH_CONFIG_DIR: join(home, ".claudemesh"), NO_COLOR: "1" };
  const { code, stderr } = await new Deno.Command(program, { args, env }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
}
