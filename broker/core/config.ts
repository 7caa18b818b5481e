/**
 * The broker's configuration (CONTRACTS 7): flags beat the environment, which beats `claudemesh.json` in the data folder.
 * Each name may also come as `<name>_FILE`, a file that holds the value. A bad value stops the start.
 */
import { join, resolve } from "node:path";
import { defaultLimits, type LimitName, LIMITS, type Limits } from "../api/limits.ts";
import {
  databaseUrl,
  flag,
  hostName,
  key,
  languages,
  networks,
  oneOf,
  operatorToken,
  path,
  type ValueKind,
  webAddress,
  wholeNumber,
} from "./config_values.ts";
import { GRAPH_NAMES, GRAPH_SECRETS, graphServerOf } from "./graph_config.ts";
import { OBJECT_SERVER_NAMES, objectServerOf } from "./object_server_config.ts";
import type { Settings } from "./settings.ts";
import { embeddingsOf, qdrantOf, VECTOR_NAMES, VECTOR_SECRETS } from "./vector_config.ts";

const CONFIG_FILE = "claudemesh.json";
const MAX_LIMIT = 1_000_000_000_000;
/** Values that must not be read by other users of the machine. */
const SECRETS: ReadonlySet<string> = new Set([
  "DATABASE_URL",
  "CLAUDEMESH_OPERATOR_TOKEN",
  "BROKER_ENCRYPTION_KEY",
  "MINIO_ACCESS_KEY",
  "MINIO_SECRET_KEY",
  ...VECTOR_SECRETS,
  ...GRAPH_SECRETS,
]);
/** The image's program; a checkout or an installed program stands elsewhere. */
const IMAGE_PROGRAM = "/claudemesh";

/** Why the broker does not start: every wrong value, with what it must be. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/** Where values come from. */
export interface ConfigSources {
  /** `port`, `host`, `dataDir`, `publicUrl`, `config`, as the command line has them. */
  readonly flags: Readonly<Record<string, string>>;
  readonly env: Readonly<Record<string, string | undefined>>;
}

const FLAGS: Readonly<Record<string, string>> = {
  port: "PORT",
  host: "HOST",
  dataDir: "CLAUDEMESH_DATA_DIR",
  publicUrl: "BROKER_PUBLIC_URL",
};

const LIMIT_NAMES: ReadonlyMap<string, LimitName> = new Map(
  Object.entries(LIMITS).flatMap(([name, spec]) =>
    "env" in spec ? [[spec.env, name as LimitName] as const] : []
  ),
);

/** Every setting, as the environment names it. */
export const SETTING_NAMES: ReadonlySet<string> = new Set([
  ...Object.values(FLAGS),
  ...SECRETS,
  ...LIMIT_NAMES.keys(),
  "MESH_CREATION",
  "TRUSTED_PROXY",
  "CLAUDEMESH_COMPAT",
  "CLAUDEMESH_CONTAINER",
  "STATUS_TTL_SECONDS",
  "HOOK_FRESH_WINDOW_SECONDS",
  "LOG_LEVEL",
  "MEMORY_LANGUAGES",
  ...OBJECT_SERVER_NAMES,
  ...VECTOR_NAMES,
  ...GRAPH_NAMES,
]);

/**
 * Reads the configuration.
 * @throws {ConfigError} with every value that is wrong and how it should look, never with the value.
 */
export async function loadSettings(sources: ConfigSources): Promise<Settings> {
  const reader = new Reader(sources);
  const dataDir = resolve(
    await reader.value("CLAUDEMESH_DATA_DIR", path) ?? defaultDataDir(sources.env),
  );
  await reader.readConfigFile(sources.flags.config ?? join(dataDir, CONFIG_FILE), {
    required: sources.flags.config !== undefined,
  });
  const settings: Settings = {
    host: await reader.value("HOST", hostName) ?? "127.0.0.1",
    port: await reader.value("PORT", wholeNumber(0, 65_535)) ?? 8787,
    dataDir,
    publicUrl: await reader.value("BROKER_PUBLIC_URL", webAddress) ?? null,
    databaseUrl: await reader.value("DATABASE_URL", databaseUrl) ?? null,
    objectServer: await objectServerOf(reader),
    graphServer: await graphServerOf(reader),
    qdrant: await qdrantOf(reader),
    embeddings: await embeddingsOf(reader),
    operatorToken: await reader.value("CLAUDEMESH_OPERATOR_TOKEN", operatorToken) ?? null,
    encryptionKey: await reader.value("BROKER_ENCRYPTION_KEY", key) ?? null,
    container: await reader.value("CLAUDEMESH_CONTAINER", flag) ??
      Deno.execPath() === IMAGE_PROGRAM,
    meshCreation: await reader.value("MESH_CREATION", oneOf("operator", "open")) ?? "operator",
    trustedProxies: await reader.value("TRUSTED_PROXY", networks) ?? [],
    compat: await reader.value("CLAUDEMESH_COMPAT", flag) ?? false,
    statusTtlMs: 1000 * (await reader.value("STATUS_TTL_SECONDS", wholeNumber(1, 86_400)) ?? 60),
    hookFreshMs: 1000 *
      (await reader.value("HOOK_FRESH_WINDOW_SECONDS", wholeNumber(1, 86_400)) ?? 60),
    logLevel: await reader.value("LOG_LEVEL", oneOf("debug", "info", "warning", "error")) ?? "info",
    memoryLanguages: await reader.value("MEMORY_LANGUAGES", languages) ?? ["simple", "english"],
    limits: await limitsOf(reader),
  };
  reader.requireNoProblems();
  return settings;
}

async function limitsOf(reader: Reader): Promise<Limits> {
  const limits: { [Name in LimitName]: number } = { ...defaultLimits() };
  for (const [name, limit] of LIMIT_NAMES) {
    const value = await reader.value(name, wholeNumber(1, MAX_LIMIT));
    if (value !== undefined) limits[limit] = value;
  }
  return limits;
}

function defaultDataDir(env: ConfigSources["env"]): string {
  const home = env.HOME ?? env.USERPROFILE;
  const configDir = env.CLAUDEMESH_CONFIG_DIR ?? (home && join(home, ".claudemesh"));
  if (configDir) return join(configDir, "broker");
  throw new ConfigError("CLAUDEMESH_DATA_DIR is not set and there is no HOME; set one of them");
}

/** Looks a name up in every source and collects what is wrong. */
class Reader {
  readonly #sources: ConfigSources;
  readonly #problems: string[] = [];
  #file: Readonly<Record<string, string>> = {};

  constructor(sources: ConfigSources) {
    this.#sources = sources;
  }

  async readConfigFile(file: string, { required }: { required: boolean }): Promise<void> {
    const text = await this.#textOf(file, required ? "--config" : null);
    if (text === null) return;
    let content: unknown;
    try {
      content = JSON.parse(text);
    } catch {
      // The parser's own message quotes the text, which may hold secrets.
      this.#problems.push(`${file} is not JSON; it must be one object of names and values`);
      return;
    }
    if (typeof content !== "object" || content === null || Array.isArray(content)) {
      this.#problems.push(`${file} must be one JSON object of names and values`);
      return;
    }
    this.#file = this.#checkedFile(file, Object.entries(content));
    if (Object.keys(this.#file).some((name) => SECRETS.has(name))) await this.#requirePrivate(file);
  }

  /** The value of a setting; undefined when no source has it, or when it is wrong. */
  async value<T>(name: string, kind: ValueKind<T>): Promise<T | undefined> {
    const given = await this.#given(name);
    if (given === undefined) return undefined;
    const value = kind.read(given.text);
    if (value !== undefined) return value;
    this.#problems.push(
      `${given.source} must be ${kind.shape}; the ${given.text.length} characters it has are not. ` +
        "Correct it or leave it out",
    );
    return undefined;
  }

  problem(text: string): void {
    this.#problems.push(text);
  }

  requireNoProblems(): void {
    if (this.#problems.length > 0) throw new ConfigError(this.#problems.join("\n"));
  }

  async #given(name: string): Promise<{ text: string; source: string } | undefined> {
    const { flags, env } = this.#sources;
    const [option] = Object.entries(FLAGS).find(([, owned]) => owned === name) ?? [];
    if (option !== undefined && flags[option] !== undefined) {
      const source = `--${option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
      return { text: flags[option], source };
    }
    return await this.#from(env, name, "") ??
      await this.#from(this.#file, name, "claudemesh.json: ");
  }

  /** The value, or that of the file that `<name>_FILE` names. An empty one counts as absent. */
  async #from(
    values: Readonly<Record<string, string | undefined>>,
    name: string,
    where: string,
  ): Promise<{ text: string; source: string } | undefined> {
    const direct = values[name] || undefined;
    const file = values[`${name}_FILE`] || undefined;
    if (direct !== undefined && file !== undefined) {
      this.#problems.push(`${where}${name} and ${name}_FILE are both set; leave one out`);
      return undefined;
    }
    if (direct !== undefined) return { text: direct, source: where + name };
    if (file === undefined) return undefined;
    const text = await this.#textOf(file, `${where}${name}_FILE`);
    return text === null ? undefined : { text: text.trim(), source: `${where}${name}_FILE` };
  }

  /** A file's text; null when it cannot be read, which is a problem if `name` had to. */
  async #textOf(file: string, name: string | null): Promise<string | null> {
    try {
      return await Deno.readTextFile(file);
    } catch (error) {
      if (name === null && error instanceof Deno.errors.NotFound) return null;
      const why = error instanceof Error ? error.name : "unreadable";
      this.#problems.push(`${name ?? file} names ${file}, which cannot be read (${why})`);
      return null;
    }
  }

  #checkedFile(file: string, entries: [string, unknown][]): Record<string, string> {
    const values: Record<string, string> = {};
    for (const [name, value] of entries) {
      const known = SETTING_NAMES.has(name) || SETTING_NAMES.has(name.replace(/_FILE$/, ""));
      if (!known || name === "CLAUDEMESH_DATA_DIR") {
        this.#problems.push(`${file}: "${name}" is no setting of this file`);
      } else if (["string", "number", "boolean"].includes(typeof value)) {
        values[name] = String(value);
      } else {
        this.#problems.push(`${file}: "${name}" must be a text, a number or true or false`);
      }
    }
    return values;
  }

  async #requirePrivate(file: string): Promise<void> {
    const { mode } = await Deno.stat(file);
    if (Deno.build.os === "windows" || mode === null || (mode & 0o077) === 0) return;
    this.#problems.push(`${file} holds a secret and others can read it. Fix: chmod 600 ${file}`);
  }
}
