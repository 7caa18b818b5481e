/**
 * The guides under docs/, word by word: the commands of their `sh` blocks run in a shell, in a mesh of two people. A block
 * says `home=bob` where Bob runs it; Ada does otherwise.
 */
import assert from "node:assert/strict";
import { selfCommand } from "../../agent/home/self_command.ts";
import { Person } from "../support/person.ts";
import { runCommand, startProgramBroker } from "../support/program.ts";
import { type CommandBlock, fencedBlocks } from "../support/readme.ts";

const DOCS = new URL("../../docs/", import.meta.url);
/** Made by scripts, with no commands to follow. */
const GENERATED: ReadonlySet<string> = new Set([
  "BENCHMARKS.md",
  "PROTOCOL.md",
  "TOOLS.md",
  "VERBS.md",
]);
const BLOCK_LIMIT_MS = 90_000;

const guides = [...Deno.readDirSync(DOCS)]
  .map(({ name }) => name)
  .filter((name) => name.endsWith(".md") && !GENERATED.has(name))
  .sort();

/** A folder for PATH in which `claudemesh` is this program. */
async function programFolder(): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "claudemesh-guide-bin-" });
  const words = selfCommand([]).map((word) => `'${word.replaceAll("'", `'\\''`)}'`);
  const script = `#!/bin/sh\nexec ${words.join(" ")} "$@"\n`;
  await Deno.writeTextFile(`${folder}/claudemesh`, script, { mode: 0o755 });
  return folder;
}

async function runBlock(guide: string, block: CommandBlock, person: Person, bin: string) {
  const environment = { ...person.environment, PATH: `${bin}:${person.environment.PATH}` };
  const { code, stdout, stderr } = await runCommand(["/bin/sh", "-euc", block.text], environment, {
    cwd: person.folder,
    timeoutMs: BLOCK_LIMIT_MS,
  });
  assert.equal(
    code,
    0,
    `docs/${guide} line ${block.line} fails for a reader:\n${block.text}\n${stdout}${stderr}`,
  );
}

Deno.test("there is a guide for each family", () => {
  assert.deepEqual(guides, [
    "audit.md",
    "clock.md",
    "contexts.md",
    "files.md",
    "graph.md",
    "memory.md",
    "schedules.md",
    "skills.md",
    "sql.md",
    "state.md",
    "streams.md",
    "tasks.md",
    "vectors.md",
  ]);
});

Deno.test("the commands of every guide work for who follows it", async (test) => {
  await using cleanUp = new AsyncDisposableStack();
  const bin = await programFolder();
  cleanUp.defer(() => Deno.remove(bin, { recursive: true }));
  const broker = await startProgramBroker();
  cleanUp.defer(() => broker.close());
  const [ada, bob] = [await Person.create("Ada"), await Person.create("Bob")];
  cleanUp.defer(() => ada.close());
  cleanUp.defer(() => bob.close());
  await ada.ask("new", "team", "--broker", broker.url);
  const { url } = await ada.ask("invite");
  await bob.ask("join", String(url));
  for (const guide of guides) {
    await test.step(guide, async () => {
      const blocks = fencedBlocks(await Deno.readTextFile(new URL(guide, DOCS)))
        .filter(({ language }) => language === "sh");
      assert.ok(blocks.length > 0, `docs/${guide} has no worked example`);
      for (const block of blocks) {
        await runBlock(guide, block, block.attributes.home === "bob" ? bob : ada, bin);
      }
    });
  }
});
