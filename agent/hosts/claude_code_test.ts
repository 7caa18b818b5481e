/** Tests of the registration in Claude Code, on files in a folder of their own. */
import assert from "node:assert/strict";
import { join } from "node:path";
import {
  claudeFiles,
  HOOK_EVENTS,
  install,
  type Registration,
  uninstall,
  withoutSettings,
} from "./claude_code.ts";

const registration: Registration = {
  command: ["/opt/claude mesh/claudemesh"],
  environment: {},
  allowedTools: ["mcp__claudemesh__send_message"],
  hooks: true,
};

async function inHome(run: (home: string, config: string) => Promise<void>): Promise<void> {
  const home = await Deno.makeTempDir();
  const earlier = Deno.env.get("CLAUDE_CONFIG_DIR");
  Deno.env.set("CLAUDE_CONFIG_DIR", join(home, "claude"));
  try {
    await Deno.mkdir(join(home, "claude"));
    await run(home, join(home, "mesh"));
  } finally {
    if (earlier === undefined) Deno.env.delete("CLAUDE_CONFIG_DIR");
    else Deno.env.set("CLAUDE_CONFIG_DIR", earlier);
    await Deno.remove(home, { recursive: true });
  }
}

const USER_SETTINGS = `{
    "model": "opus",
    "hooks": { "Stop": [ { "hooks": [ { "type": "command", "command": "say done" } ] } ] },
    "permissions": { "allow": ["Bash(ls)"], "deny": [] }
}`;

Deno.test("install() adds the server, the hooks and the permissions beside what was there", async () => {
  await inHome(async (_home, config) => {
    const files = claudeFiles();
    await Deno.writeTextFile(files.settings, USER_SETTINGS);
    await install(config, registration, false);
    const server = JSON.parse(await Deno.readTextFile(files.server));
    assert.deepEqual(server.mcpServers.claudemesh, {
      type: "stdio",
      command: "/opt/claude mesh/claudemesh",
      args: ["mcp"],
      env: {},
    });
    const settings = JSON.parse(await Deno.readTextFile(files.settings));
    assert.equal(settings.model, "opus");
    assert.deepEqual(settings.permissions.allow, ["Bash(ls)", "mcp__claudemesh__send_message"]);
    assert.equal(settings.hooks.Stop.length, 2);
    for (const event of HOOK_EVENTS) {
      const command = settings.hooks[event].at(-1).hooks[0].command;
      assert.equal(command, "'/opt/claude mesh/claudemesh' hook");
    }
  });
});

Deno.test("install() twice changes nothing the second time", async () => {
  await inHome(async (_home, config) => {
    await install(config, registration, false);
    const before = await Deno.readTextFile(claudeFiles().settings);
    const outcomes = await install(config, registration, false);
    assert.deepEqual(outcomes.map((each) => each.outcome), ["unchanged", "unchanged"]);
    assert.equal(await Deno.readTextFile(claudeFiles().settings), before);
  });
});

Deno.test("install() with a dry run writes nothing", async () => {
  await inHome(async (home, config) => {
    const outcomes = await install(config, registration, true);
    assert.deepEqual(outcomes.map((each) => each.outcome), ["added", "added"]);
    assert.deepEqual([...Deno.readDirSync(home)].map((each) => each.name), ["claude"]);
    assert.deepEqual([...Deno.readDirSync(join(home, "claude"))], []);
  });
});

Deno.test("uninstall() restores the files byte by byte, also after an update", async () => {
  await inHome(async (_home, config) => {
    const files = claudeFiles();
    await Deno.writeTextFile(files.settings, USER_SETTINGS);
    await install(config, registration, false);
    await install(config, { ...registration, command: ["/opt/new/claudemesh"] }, false);
    await uninstall(config, false);
    assert.equal(await Deno.readTextFile(files.settings), USER_SETTINGS);
    await assert.rejects(Deno.stat(files.server), Deno.errors.NotFound);
  });
});

Deno.test("uninstall() keeps what was written after install()", async () => {
  await inHome(async (_home, config) => {
    const files = claudeFiles();
    await Deno.writeTextFile(files.settings, USER_SETTINGS);
    await install(config, registration, false);
    const settings = JSON.parse(await Deno.readTextFile(files.settings));
    await Deno.writeTextFile(files.settings, JSON.stringify({ ...settings, theme: "dark" }));
    await uninstall(config, false);
    assert.deepEqual(JSON.parse(await Deno.readTextFile(files.settings)), {
      ...JSON.parse(USER_SETTINGS),
      permissions: { allow: ["Bash(ls)"], deny: [] },
      theme: "dark",
    });
  });
});

Deno.test("install() refuses a file that is not JSON and leaves both files alone", async () => {
  await inHome(async (_home, config) => {
    const files = claudeFiles();
    await Deno.writeTextFile(files.settings, "{ broken");
    await assert.rejects(install(config, registration, false), /settings\.json" is not valid JSON/);
    assert.equal(await Deno.readTextFile(files.settings), "{ broken");
    await assert.rejects(Deno.stat(files.server), Deno.errors.NotFound);
  });
});

Deno.test("withoutSettings() leaves hooks of other programs in a shared entry", () => {
  const ours = { type: "command", command: "deno run -A /x/main.ts hook" };
  const theirs = { type: "command", command: "notify-hook" };
  assert.deepEqual(
    withoutSettings({ hooks: { Stop: [{ hooks: [theirs, ours] }] } }, []),
    { hooks: { Stop: [{ hooks: [theirs] }] } },
  );
});

/** What Claude Code makes of its file: read, changed, written in its own layout without a last newline. */
async function rewrite(path: string, change: Record<string, unknown>) {
  const content = JSON.parse(await Deno.readTextFile(path));
  await Deno.writeTextFile(path, JSON.stringify({ ...content, ...change }, null, 2));
}

const CLAUDE_FILES = [
  { numStartups: 1, projects: { "/x": { mcpServers: {}, allowedTools: [] } } },
  { mcpServers: {}, numStartups: 1 },
  { numStartups: 1, mcpServers: { other: { command: "other" } }, userID: "u" },
  { mcpServers: { claudemesh: { command: "older", args: [] } }, numStartups: 1 },
];

for (const [index, content] of CLAUDE_FILES.entries()) {
  Deno.test(`uninstall() after Claude Code rewrote its file leaves its bytes (${index})`, async () => {
    await inHome(async (_home, config) => {
      const { server } = claudeFiles();
      const change = { numStartups: 2, oauthAccount: { id: "a" } };
      await Deno.writeTextFile(server, JSON.stringify(content, null, 2));
      await install(config, registration, false);
      await rewrite(server, change);
      await uninstall(config, false);
      const wanted = JSON.stringify({ ...content, ...change }, null, 2);
      assert.equal(await Deno.readTextFile(server), wanted);
    });
  });
}

const USER_FILES = [
  { permissions: { allow: [], deny: ["Bash(rm)"] }, hooks: { Stop: [], PreToolUse: [] } },
  { permissions: { allow: ["mcp__claudemesh__send_message", "Bash(ls)"] }, hooks: {} },
  { hooks: { Stop: [{ hooks: [{ type: "command", command: "say done" }] }] } },
];

for (const [index, content] of USER_FILES.entries()) {
  Deno.test(`uninstall() after settings were rewritten leaves their bytes (${index})`, async () => {
    await inHome(async (_home, config) => {
      const { settings } = claudeFiles();
      await Deno.writeTextFile(settings, JSON.stringify(content));
      await install(config, registration, false);
      const installed = JSON.parse(await Deno.readTextFile(settings));
      await Deno.writeTextFile(settings, JSON.stringify({ theme: "dark", ...installed }));
      await uninstall(config, false);
      const wanted = JSON.stringify({ theme: "dark", ...content });
      assert.equal(await Deno.readTextFile(settings), wanted);
    });
  });
}

Deno.test("uninstall() keeps what Claude Code wrote between two installs", async () => {
  await inHome(async (_home, config) => {
    const { server } = claudeFiles();
    await Deno.writeTextFile(server, JSON.stringify({ numStartups: 1 }, null, 2));
    await install(config, registration, false);
    await rewrite(server, { oauthAccount: { id: "a" } });
    await install(config, { ...registration, command: ["/opt/new/claudemesh"] }, false);
    await uninstall(config, false);
    const wanted = JSON.stringify({ numStartups: 1, oauthAccount: { id: "a" } }, null, 2);
    assert.equal(await Deno.readTextFile(server), wanted);
  });
});

Deno.test("uninstall() where nothing of ours is leaves both files alone", async () => {
  await inHome(async (_home, config) => {
    const { server, settings } = claudeFiles();
    const texts = [
      `{"mcpServers":{}}`,
      `{ "permissions": { "allow": [] }, "hooks": {"Stop": []} }`,
    ];
    await Deno.writeTextFile(server, texts[0]!);
    await Deno.writeTextFile(settings, texts[1]!);
    const outcomes = await uninstall(config, false);
    assert.deepEqual(outcomes.map((each) => each.outcome), [
      "nothing to remove",
      "nothing to remove",
    ]);
    assert.deepEqual([server, settings].map((each) => Deno.readTextFileSync(each)), texts);
  });
});

Deno.test("uninstall() takes our entries out where the backup is gone", async () => {
  await inHome(async (_home, config) => {
    const { settings } = claudeFiles();
    await Deno.writeTextFile(settings, USER_SETTINGS);
    await install(config, registration, false);
    await Deno.remove(join(config, "hosts", "backup"), { recursive: true });
    await uninstall(config, false);
    assert.deepEqual(JSON.parse(await Deno.readTextFile(settings)), JSON.parse(USER_SETTINGS));
  });
});
