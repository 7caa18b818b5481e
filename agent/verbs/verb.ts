/**
 * The one shape of a verb of the command line: help, parsing, `--json` and the reference page are derived from it.
 */
import type { LocalClient } from "../core/local_client.ts";

/** The long-running roles, handed in by `main.ts`: verbs may not import the broker or the MCP server. */
export interface Roles {
  serve(options: Readonly<Record<string, string>>): Promise<number | null>;
  health(options: Readonly<Record<string, string>>): Promise<number>;
  agent(): Promise<number | null>;
  mcp(options: { meshes: readonly string[]; standalone: boolean }): Promise<number | null>;
}

export interface Argument {
  readonly name: string;
  readonly summary: string;
  readonly required: boolean;
  readonly variadic?: true;
}

export interface Flag {
  /** As commander writes it: `--mesh <slug>`, `-y, --yes`, `--wait [seconds]`. */
  readonly syntax: string;
  readonly summary: string;
  readonly choices?: readonly string[];
}

export interface VerbContext {
  readonly args: readonly (string | readonly string[] | undefined)[];
  readonly flags: Readonly<Record<string, string | boolean | undefined>>;
  readonly json: boolean;
  readonly roles: Roles;
  /** This program's version. */
  readonly version: string;
  /** Connects to the agent, which is started if it does not run unless `start` is false. */
  agent(options?: { start?: boolean }): Promise<LocalClient>;
  /** Has `work` done when the user interrupts the verb, before the program ends. */
  atCancel(work: () => Promise<void>): void;
}

export interface VerbResult {
  /** What `--json` prints inside the envelope; arrays stand under a name. */
  readonly data: Readonly<Record<string, unknown>>;
  /** What people read; printed without `--json`. */
  readonly text: string;
  /** What people read on standard error: the parts that failed. */
  readonly notice?: string;
  /** Exit code where it is not 0 although the verb has an answer (a failed check, a refused send). */
  readonly exit?: number;
}

export interface Verb {
  readonly path: string;
  readonly aliases?: readonly string[];
  readonly summary: string;
  readonly details?: string;
  readonly args: readonly Argument[];
  readonly flags: readonly Flag[];
  readonly examples: readonly string[];
  /** False for roles and filters, whose standard output is not an answer. */
  readonly json: boolean;
  /** Does the work; returns null when it has printed all there is or goes on running. */
  run(context: VerbContext): Promise<VerbResult | null>;
}

/** Selects a mesh where several are joined. */
export const MESH_FLAG: Flag = {
  syntax: "-m, --mesh <slug>",
  summary: "which mesh, where several are joined",
};

/** Returns the text of a flag, undefined when it was not given. */
export function textFlag(context: VerbContext, name: string): string | undefined {
  const value = context.flags[name];
  return typeof value === "string" ? value : undefined;
}

/** Returns `{ mesh }` when `--mesh` was given, for the parameters of agent calls. */
export function meshOption(context: VerbContext): { mesh?: string } {
  const mesh = textFlag(context, "mesh");
  return mesh === undefined ? {} : { mesh };
}

/** Returns the positional argument at `index`, which the parser has checked to be there. */
export function textArgument(context: VerbContext, index: number): string {
  const value = context.args[index];
  return Array.isArray(value) ? value.join(" ") : value as string;
}
