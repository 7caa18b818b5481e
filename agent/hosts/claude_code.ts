/**
 * Registers claudemesh in Claude Code: the MCP server in user scope (`.claude.json`), hooks and permissions
 * (`settings.json`). What was added is recorded, so that uninstalling takes exactly that away.
 */
import { join } from "node:path";
import {
  changeFile,
  type FileChange,
  isJsonObject,
  isUntouched,
  type JsonObject,
  parseObject,
  readText,
  render,
  undoChange,
} from "./json_file.ts";

/** The hook events of Claude Code that report status or carry waiting messages. */
export const HOOK_EVENTS = [
  "SessionStart",
  "UserPromptSubmit",
  "PostToolUse",
  "Notification",
  "Stop",
  "SessionEnd",
] as const;

const SERVER_NAME = "claudemesh";
const HOOK_TIMEOUT_S = 5;

/** What is registered: how to start this program, and which tools need no question. */
export interface Registration {
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly allowedTools: readonly string[];
  readonly hooks: boolean;
}

/** Where Claude Code keeps its files; `CLAUDE_CONFIG_DIR` moves both. */
export function claudeFiles(): { server: string; settings: string } {
  const moved = Deno.env.get("CLAUDE_CONFIG_DIR");
  if (moved) return { server: join(moved, ".claude.json"), settings: join(moved, "settings.json") };
  const home = Deno.env.get("HOME") ?? Deno.env.get("USERPROFILE") ?? ".";
  return { server: join(home, ".claude.json"), settings: join(home, ".claude", "settings.json") };
}

function quote(word: string): string {
  return /^[A-Za-z0-9_./:@=+-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** The shell line that hooks run. */
export function hookCommand(registration: Registration): string {
  const environment = Object.entries(registration.environment)
    .map(([name, value]) => `${name}=${quote(value)}`);
  return [...environment, ...registration.command.map(quote), "hook"].join(" ");
}

/** Returns `servers` file content with the MCP server registered in user scope. */
export function withServer(file: JsonObject, registration: Registration): JsonObject {
  const servers = isJsonObject(file.mcpServers) ? file.mcpServers : {};
  const [command, ...args] = [...registration.command, "mcp"];
  const entry = { type: "stdio", command, args, env: { ...registration.environment } };
  return { ...file, mcpServers: { ...servers, [SERVER_NAME]: entry } };
}

/** Returns the file without our MCP server, or with the one of that name that `original` had. */
export function withoutServer(file: JsonObject, original: JsonObject = {}): JsonObject {
  if (!isJsonObject(file.mcpServers) || !Object.hasOwn(file.mcpServers, SERVER_NAME)) return file;
  const earlier = original.mcpServers;
  if (isJsonObject(earlier) && Object.hasOwn(earlier, SERVER_NAME)) {
    const servers = { ...file.mcpServers, [SERVER_NAME]: earlier[SERVER_NAME] };
    return { ...file, mcpServers: servers };
  }
  const { [SERVER_NAME]: _ours, ...servers } = file.mcpServers;
  return withOrWithout(file, "mcpServers", servers, original);
}

/** Returns settings with our hooks and permissions beside whatever was there; `original` is what was there at first. */
export function withSettings(
  settings: JsonObject,
  registration: Registration,
  original: JsonObject,
): JsonObject {
  const clean = withoutSettings(settings, registration.allowedTools, original);
  const permissions = isJsonObject(clean.permissions) ? clean.permissions : {};
  const allowed = Array.isArray(permissions.allow) ? permissions.allow : [];
  const next = {
    ...clean,
    permissions: {
      ...permissions,
      allow: [...new Set([...allowed, ...registration.allowedTools])],
    },
  };
  if (!registration.hooks) return next;
  const hooks = isJsonObject(clean.hooks) ? { ...clean.hooks } : {};
  for (const event of HOOK_EVENTS) {
    const present = Array.isArray(hooks[event]) ? hooks[event] as unknown[] : [];
    const command = {
      type: "command",
      command: hookCommand(registration),
      timeout: HOOK_TIMEOUT_S,
    };
    const matcher = event === "PostToolUse" ? { matcher: "*" } : {};
    hooks[event] = [...present, { ...matcher, hooks: [command] }];
  }
  return { ...next, hooks };
}

/**
 * Returns settings without our hooks and without `allowedTools`. Containers that become empty go too, and what `original`
 * had stays: rules of the same name, containers that were empty before.
 */
export function withoutSettings(
  settings: JsonObject,
  allowedTools: readonly string[],
  original: JsonObject = {},
): JsonObject {
  let next = settings;
  if (isJsonObject(settings.permissions) && Array.isArray(settings.permissions.allow)) {
    const earlier = isJsonObject(original.permissions) ? original.permissions : {};
    const own = Array.isArray(earlier.allow) ? earlier.allow : [];
    const allow = settings.permissions.allow
      .filter((rule) => !allowedTools.includes(rule) || own.includes(rule));
    if (allow.length < settings.permissions.allow.length) {
      const permissions = withOrWithout(settings.permissions, "allow", allow, earlier);
      next = withOrWithout(next, "permissions", permissions, original);
    }
  }
  if (!isJsonObject(settings.hooks)) return next;
  const earlier = isJsonObject(original.hooks) ? original.hooks : {};
  let hooks = settings.hooks;
  for (const [event, entries] of Object.entries(settings.hooks)) {
    if (!Array.isArray(entries)) continue;
    const kept = entries.map(withoutOurHook);
    if (kept.every((entry, index) => entry === entries[index])) continue;
    hooks = withOrWithout(hooks, event, kept.filter((entry) => entry !== null), earlier);
  }
  return hooks === settings.hooks ? next : withOrWithout(next, "hooks", hooks, original);
}

function isOurHook(hook: unknown): boolean {
  return isJsonObject(hook) && typeof hook.command === "string" &&
    /(^|[\s/'])(claudemesh'?|main\.ts'?) hook$/.test(hook.command);
}

function withoutOurHook(entry: unknown): unknown {
  if (!isJsonObject(entry) || !Array.isArray(entry.hooks)) return entry;
  const hooks = entry.hooks.filter((hook) => !isOurHook(hook));
  if (hooks.length === entry.hooks.length) return entry;
  return hooks.length === 0 ? null : { ...entry, hooks };
}

/** An empty value stays only where `original` had the key. */
function withOrWithout(
  container: JsonObject,
  key: string,
  value: object,
  original: JsonObject,
): JsonObject {
  const isEmpty = Object.keys(value).length === 0;
  if (!isEmpty || Object.hasOwn(original, key)) return { ...container, [key]: value };
  const { [key]: _empty, ...rest } = container;
  return rest;
}

/** What a run of `install` or `uninstall` did, or would do, to each file. */
export interface FileOutcome {
  readonly path: string;
  readonly outcome:
    | "added"
    | "updated"
    | "unchanged"
    | "restored"
    | "removed our entries"
    | "nothing to remove";
  readonly backup: string | null;
}

interface InstallRecord {
  readonly allowedTools: readonly string[];
  readonly changes: readonly FileChange[];
}

function recordPath(configDir: string): string {
  return join(configDir, "hosts", "claude-code.json");
}

async function readRecord(configDir: string): Promise<InstallRecord> {
  const record = parseObject(recordPath(configDir), await readText(recordPath(configDir)));
  return {
    allowedTools: Array.isArray(record.allowedTools) ? record.allowedTools as string[] : [],
    changes: Array.isArray(record.changes) ? record.changes as FileChange[] : [],
  };
}

async function writeRecord(configDir: string, record: InstallRecord): Promise<void> {
  await Deno.mkdir(join(configDir, "hosts"), { recursive: true, mode: 0o700 });
  const text = JSON.stringify(record, null, 2) + "\n";
  await Deno.writeTextFile(recordPath(configDir), text, { mode: 0o600 });
}

/**
 * Registers claudemesh. Running it again changes nothing, or updates what moved.
 * @param configDir claudemesh's own folder, which keeps the record and the backups.
 * @throws {LocalError} when a file of Claude Code is not a JSON object; nothing is changed then.
 */
export async function install(
  configDir: string,
  registration: Registration,
  dryRun: boolean,
): Promise<FileOutcome[]> {
  const files = claudeFiles();
  const record = await readRecord(configDir);
  const edits = [
    {
      path: files.server,
      edit: (file: JsonObject) => withServer(file, registration),
    },
    {
      path: files.settings,
      edit: (file: JsonObject, original: JsonObject) => {
        const clean = withoutSettings(file, record.allowedTools, original);
        return withSettings(clean, registration, original);
      },
    },
  ];
  const planned = await Promise.all(edits.map(async ({ path, edit }) => {
    const before = await readText(path);
    const current = parseObject(path, before);
    const next = edit(current, await originalOf(path, record) ?? current);
    const same = JSON.stringify(next) === JSON.stringify(current);
    return { path, before, next: same ? before! : render(next, before), same };
  }));
  const outcomes: FileOutcome[] = [];
  const changes = new Map(record.changes.map((change) => [change.path, change]));
  for (const plan of planned) {
    const outcome = plan.same ? "unchanged" : changes.has(plan.path) ? "updated" : "added";
    let backup = changes.get(plan.path)?.backup ?? null;
    if (!plan.same && !dryRun) {
      const name = plan.path.replaceAll(/[^A-Za-z0-9.]+/g, "_").replace(/^_/, "");
      const place = join(configDir, "hosts", "backup", `${name}.${Date.now()}`);
      const change = await changeFile(plan.path, plan.before, plan.next, place);
      // The first backup is what the user had; a later one already holds our entries.
      const kept = changes.get(plan.path);
      changes.set(plan.path, kept ? updated(kept, plan.before, change) : change);
      backup = changes.get(plan.path)!.backup;
    }
    outcomes.push({ path: plan.path, outcome, backup });
  }
  if (!dryRun) {
    await writeRecord(configDir, {
      allowedTools: registration.allowedTools,
      changes: [...changes.values()],
    });
  }
  return outcomes;
}

/**
 * What to take back after a second change. If the host wrote between the two, its words are in no backup: putting the
 * first one back would lose them, so our entries alone will be taken out.
 */
function updated(first: FileChange, between: string | null, second: FileChange): FileChange {
  const isWhole = between !== null && isUntouched(first, between);
  return { ...second, backup: first.backup, ...(isWhole ? {} : { writtenHash: "" }) };
}

/** Takes away what `install` added: byte by byte where nobody wrote since, else our entries alone. */
export async function uninstall(configDir: string, dryRun: boolean): Promise<FileOutcome[]> {
  const files = claudeFiles();
  const record = await readRecord(configDir);
  const outcomes: FileOutcome[] = [];
  for (const path of [files.server, files.settings]) {
    const without = path === files.server
      ? withoutServer
      : (file: JsonObject, original: JsonObject) =>
        withoutSettings(file, record.allowedTools, original);
    outcomes.push(await undo(path, record, without, dryRun));
  }
  if (!dryRun) await Deno.remove(recordPath(configDir)).catch(ignoreMissing);
  return outcomes;
}

async function undo(
  path: string,
  record: InstallRecord,
  without: (file: JsonObject, original: JsonObject) => JsonObject,
  dryRun: boolean,
): Promise<FileOutcome> {
  const text = await readText(path);
  const current = parseObject(path, text);
  // Without a record (a lost folder) our entries are still known by their names.
  const change = record.changes.find((each) => each.path === path) ??
    { path, backup: null, writtenHash: "" };
  const original = await originalOf(path, record) ?? {};
  const ours = JSON.stringify(without(current, original)) !== JSON.stringify(current);
  if (!ours) return { path, outcome: "nothing to remove", backup: null };
  if (dryRun) return { path, outcome: "removed our entries", backup: change.backup };
  const outcome = await undoChange(change, (file) => without(file, original));
  return {
    path,
    outcome: outcome === "restored" ? "restored" : "removed our entries",
    backup: change.backup,
  };
}

/** What a file held before the first install; null when nothing was installed yet. */
async function originalOf(path: string, record: InstallRecord): Promise<JsonObject | null> {
  const change = record.changes.find((each) => each.path === path);
  if (change === undefined) return null;
  return change.backup === null ? {} : parseObject(path, await readText(change.backup));
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}
