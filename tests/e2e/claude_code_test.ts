/**
 * Two real Claude Code processes in two homes, registered by `claudemesh install` and driven by a
 * scripted model: one sends, the other reads and answers, and messages that arrive in the middle of
 * a turn are carried by hooks.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { type ClaudeCode, ClaudeSession, installClaudeCode } from "../support/claude_code.ts";
import { readInboxFile } from "../support/inbox_file.ts";
import { Person } from "../support/person.ts";
import { startProgramBroker } from "../support/program.ts";
import {
  type LoggedRequest,
  ScriptedModel,
  scriptedModelMissing,
  type ScriptStep,
} from "../support/scripted_model.ts";
import { until } from "../support/until.ts";

const ARRIVAL_LIMIT_MS = 15_000;
const QUESTION = "Which colour does the new button have?";
const ANSWER = "It is teal.";
const URGENT = "Stop the deployment: the tests of the payment service fail.";
const MORE = "The third payment test fails too.";
const WAITING = "The designs are in the shared folder.";
const LATE = "The rollback is done; please confirm.";

const missing = scriptedModelMissing();
const installed = missing === null ? await installClaudeCode() : { reason: missing };
if ("reason" in installed) console.log(`Claude Code tests are skipped: ${installed.reason}`);

function call(tool: string, input: Record<string, unknown> = {}): ScriptStep {
  return { tool: `mcp__claudemesh__${tool}`, input };
}

function say(to: string, message: string, priority: string): ScriptStep {
  return call("send_message", { to, message, priority });
}

/** Each array is a turn; a step too many or too few would show as a turn that goes wrong. */
function script(notes: string): Record<string, ScriptStep[]> {
  const ada = [
    [say("Bob", QUESTION, "low"), { text: "asked" }],
    [call("check_messages"), { text: "read" }],
    ...[URGENT, MORE, LATE].map((text) => [say("Bob", text, "now"), { text: "told" }]),
    [say("Bob", WAITING, "next"), { text: "left a message" }],
  ];
  const bob = [
    [call("check_messages"), say("Ada", ANSWER, "low"), { text: "answered" }],
    [
      { tool: "Read", input: { file_path: notes } },
      call("list_peers"),
      { text: "done" },
      { text: "confirmed" },
    ],
    [{ text: "understood" }],
  ];
  return { ada: ada.flat(), bob: bob.flat() };
}

/** Everything a request's last message says. */
function textOf(request: LoggedRequest): string {
  return JSON.stringify(request.last.content);
}

interface Stage {
  readonly model: ScriptedModel;
  readonly ada: Person;
  readonly bob: Person;
  readonly adasClaude: ClaudeSession;
  readonly bobsClaude: ClaudeSession;
  readonly meshId: string;
}

async function openStage(claude: ClaudeCode, cleanUp: AsyncDisposableStack): Promise<Stage> {
  const broker = await startProgramBroker();
  cleanUp.defer(() => broker.close());
  const ada = await Person.create("Ada");
  cleanUp.defer(() => ada.close());
  const bob = await Person.create("Bob");
  cleanUp.defer(() => bob.close());
  const notes = join(bob.folder, "notes.md");
  await Deno.writeTextFile(notes, "Nothing here yet.\n");
  const model = cleanUp.use(await ScriptedModel.start(script(notes)));
  await ada.ask("new", "team", "--broker", broker.url);
  const { url } = await ada.ask("invite");
  await bob.ask("join", String(url));
  await Promise.all([ada, bob].map((person) => person.ask("install")));
  const { meshes } = await ada.ask("list") as { meshes: { mesh_id: string }[] };
  return {
    model,
    ada,
    bob,
    adasClaude: cleanUp.use(new ClaudeSession(claude, ada, model.url, "ada")),
    bobsClaude: cleanUp.use(new ClaudeSession(claude, bob, model.url, "bob")),
    meshId: meshes[0]!.mesh_id,
  };
}

async function inInbox(person: Person, meshId: string, text: string): Promise<void> {
  await until(`"${text}" is in ${person.name}'s inbox`, ARRIVAL_LIMIT_MS, () => {
    return readInboxFile(person, meshId).some((message) => message.text === text);
  });
}

async function talk({ model, ada, bob, adasClaude, bobsClaude, meshId }: Stage): Promise<void> {
  await adasClaude.turn("Ask Bob.");
  await inInbox(bob, meshId, QUESTION);
  await bobsClaude.turn("Read your messages and answer.");
  const [, afterReading] = (await model.requests("bob")).map(textOf);
  assert.match(afterReading!, /from\W+Ada\W.*Which colour does the new button have\?/s);
  await inInbox(ada, meshId, ANSWER);
  await adasClaude.turn("Read the answer.");
  assert.match(textOf((await model.requests("ada")).at(-1)!), /It is teal\./);
}

/**
 * Three messages come while Bob's turn runs, each before one step of it ends: they are in the next
 * hook's context, in the next result of one of our tools, and in what keeps the turn going when the
 * model has nothing more to do.
 */
async function interrupt(stage: Stage): Promise<void> {
  const { model, bob, adasClaude, bobsClaude, meshId } = stage;
  const before = (await model.requests("bob")).length;
  const steps = [URGENT, MORE, LATE].map((text, index) => ({
    text,
    asked: model.hold("bob", before + 1 + index),
  }));
  const turn = bobsClaude.turn("Read the notes and look who is there.");
  for (const { text, asked } of steps) {
    const request = await asked;
    await adasClaude.turn("Tell Bob.");
    await inInbox(bob, meshId, text);
    request.release();
  }
  await turn;
  const said = (await model.requests("bob")).slice(before).map(textOf);
  assert.equal(said.length, 4, "the turn went on although nothing was new");
  const [prompted, afterRead, afterPeers, afterStop] = said as [string, string, string, string];
  assert.doesNotMatch(prompted, /Stop the deployment/);
  assert.match(afterRead, /PostToolUse:Read hook.*Stop the deployment/s);
  assert.match(afterPeers, /The third payment test/);
  assert.match(afterStop, /[Ss]top hook.*The rollback is done/s);
  assert.doesNotMatch(afterPeers + afterStop, /Stop the deployment/);
}

/** Nobody is there when it comes: the next session has it before its first prompt. */
async function wait({ model, bob, adasClaude, bobsClaude, meshId }: Stage): Promise<void> {
  const before = (await model.requests("bob")).length;
  await adasClaude.turn("Leave Bob a message.");
  await inInbox(bob, meshId, WAITING);
  await bobsClaude.turn("Good morning.");
  const [first, ...others] = (await model.requests("bob")).slice(before).map(textOf);
  assert.match(first!, /The designs are in the shared folder/);
  assert.deepEqual(others, []);
}

async function unseen(person: Person, meshId: string): Promise<string[]> {
  const { messages } = await person.ask("inbox", "--all");
  const here = (messages as { id: string; meshId: string; seenAt: string | null; text: string }[])
    .filter((message) => message.meshId === meshId);
  return here.filter((message) => message.seenAt === null).map((message) => message.text);
}

Deno.test({
  name: "two real Claude Codes ask, answer and interrupt each other",
  ignore: "reason" in installed,
  async fn(test) {
    await using cleanUp = new AsyncDisposableStack();
    const startedMs = performance.now();
    const stage = await openStage(installed as ClaudeCode, cleanUp);
    console.log(`set up in ${Math.round(performance.now() - startedMs)} ms`);
    const { ada, bob, adasClaude, bobsClaude, meshId } = stage;
    const step = async (name: string, run: () => Promise<void>) => {
      // A step builds on those before it.
      assert.ok(await test.step(name, run), "what follows makes no sense any more");
    };
    await step("claude mcp list says Connected in both homes", async () => {
      for (const claude of [adasClaude, bobsClaude]) {
        const { stdout } = await claude.run("mcp", "list");
        assert.match(stdout, /claudemesh: .*Connected/);
      }
    });
    await step("one sends, the other reads and answers", () => talk(stage));
    await step("what comes in the middle of a turn is carried into it", () => interrupt(stage));
    await step("what came while nobody was there is before the first prompt", () => wait(stage));
    await step("everything arrived once, and what was carried counts as seen", async () => {
      const texts = (person: Person) => readInboxFile(person, meshId).map(({ text }) => text);
      assert.deepEqual(texts(bob), [QUESTION, URGENT, MORE, LATE, WAITING]);
      assert.deepEqual(texts(ada), [ANSWER]);
      assert.deepEqual(await unseen(bob, meshId), []);
      assert.deepEqual(await unseen(ada, meshId), []);
    });
  },
});
