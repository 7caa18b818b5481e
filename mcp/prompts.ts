/**
 * MCP prompts: one per skill that the mesh has published. Sources register what they serve; without one the list is
 * empty, and every name is unknown.
 */
// @ts-types="@modelcontextprotocol/sdk/types"
import { ErrorCode, McpError } from "@modelcontextprotocol/sdk/types.js";
import type { GetPromptResult, Prompt } from "@modelcontextprotocol/sdk/types";

/** What publishes prompts. */
export interface PromptSource {
  list(): Promise<readonly Prompt[]>;
  /** Null for a name that it does not know. */
  get(name: string, args: Readonly<Record<string, string>>): Promise<GetPromptResult | null>;
}

/** Returns all prompts, in the order of the sources. */
export async function listPrompts(
  sources: readonly PromptSource[],
): Promise<{ prompts: Prompt[] }> {
  const lists = await Promise.all(sources.map((source) => source.list()));
  return { prompts: lists.flat() };
}

/** Returns one prompt. @throws {McpError} invalid params for an unknown name. */
export async function getPrompt(
  sources: readonly PromptSource[],
  name: string,
  args: Readonly<Record<string, string>>,
): Promise<GetPromptResult> {
  for (const source of sources) {
    const prompt = await source.get(name, args);
    if (prompt !== null) return prompt;
  }
  throw new McpError(ErrorCode.InvalidParams, `No prompt is called "${name.slice(0, 100)}"`);
}
