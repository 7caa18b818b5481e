/**
 * The one shape of an MCP tool, and what a tool works with.
 */
import type * as z from "zod";
import type { LocalMethodName, LocalParams, LocalResult } from "../../agent/core/local_api.ts";

/** What a tool knows of its surroundings. */
export interface ToolContext {
  /** The attached session's id, by which the agent knows who calls. */
  readonly sessionId: string;
  /** Calls the agent. @throws {LocalError} `not_connected` in words when there is no way to it yet. */
  call<M extends LocalMethodName>(method: M, params: LocalParams<M>): Promise<LocalResult<M>>;
}

export interface ToolAnswer {
  /** For people and for models that read text. */
  readonly text: string;
  /** The same as data; what hosts show a model where they prefer it. */
  readonly data: Readonly<Record<string, unknown>>;
  /** Messages that the answer puts before the model in full. */
  readonly carried?: readonly string[];
  readonly isError?: boolean;
}

export interface Tool<Input extends z.ZodObject = z.ZodObject> {
  readonly name: string;
  readonly description: string;
  /** True where nothing changes by calling it. */
  readonly readOnly: boolean;
  readonly input: Input;
  /** Does the work. @throws {MeshError | LocalError} shown as the tool's error, with the next step. */
  call(context: ToolContext, input: z.output<Input>): Promise<ToolAnswer>;
}

/** Declares a tool; returns it with its input type forgotten, as lists of tools need it. */
export function tool<Input extends z.ZodObject>(spec: Tool<Input>): Tool {
  return spec as unknown as Tool;
}
