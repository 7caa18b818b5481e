/**
 * A skill that one person shares from a file runs as a slash command in another person's real Claude Code: the model gets
 * its text.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { type ClaudeCode, ClaudeSession, installClaudeCode } from "../support/claude_code.ts";
import { Person } from "../support/person.ts";
import { startProgramBroker } from "../support/program.ts";
import { ScriptedModel, scriptedModelMissing } from "../support/scripted_model.ts";

const SKILL = `---
description: Review a branch for risky changes
argument-hint: "[branch] [focus]"
---
Compare $ARGUMENTS with main. Look at error handling first.
`;
const CHANGED = SKILL.replace("error handling", "the tests");

const missing = scriptedModelMissing();
const installed = missing === null ? await installClaudeCode() : { reason: missing };
if ("reason" in installed) console.log(`Claude Code's skills test is skipped: ${installed.reason}`);

interface Stage {
  readonly ada: Person;
  readonly bobsClaude: ClaudeSession;
  readonly model: ScriptedModel;
}

async function openStage(claude: ClaudeCode, cleanUp: AsyncDisposableStack): Promise<Stage> {
  const broker = await startProgramBroker();
  cleanUp.defer(() => broker.close());
  const ada = await Person.create("Ada");
  cleanUp.defer(() => ada.close());
  const bob = await Person.create("Bob");
  cleanUp.defer(() => bob.close());
  const model = cleanUp.use(await ScriptedModel.start({ bob: [{ text: "1" }, { text: "2" }] }));
  await ada.ask("new", "team", "--broker", broker.url);
  const { url } = await ada.ask("invite");
  await bob.ask("join", String(url));
  await bob.ask("install");
  const bobsClaude = cleanUp.use(new ClaudeSession(claude, bob, model.url, "bob"));
  return { ada, bobsClaude, model };
}

async function share(ada: Person, text: string): Promise<void> {
  const file = join(ada.folder, "review.md");
  await Deno.writeTextFile(file, text);
  await ada.ask("skill", "share", file);
}

Deno.test({
  name: "a shared skill is a slash command of another person's Claude Code, in its newest version",
  ignore: "reason" in installed,
  async fn() {
    await using cleanUp = new AsyncDisposableStack();
    const { ada, bobsClaude, model } = await openStage(installed as ClaudeCode, cleanUp);
    for (const [text, focus] of [[SKILL, "error handling"], [CHANGED, "the tests"]] as const) {
      await share(ada, text);
      await bobsClaude.turn("/mcp__claudemesh__review topic/x money");
      const said = JSON.stringify(model.lastMessages("bob"));
      assert.match(said, /description: ..Review a branch for risky changes/);
      assert.ok(
        said.includes(`Compare topic/x money with main. Look at ${focus} first.`),
        said,
      );
    }
    assert.equal((await model.requests("bob")).length, 2);
  },
});
