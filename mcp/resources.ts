/**
 * MCP resources: `skill://claudemesh/NAME` per skill that the mesh has published. Sources register what they serve;
 * without one the list is empty, and every address is unknown.
 */
// @ts-types="@modelcontextprotocol/sdk/types"
import { McpError } from "@modelcontextprotocol/sdk/types.js";
import type { ReadResourceResult, Resource } from "@modelcontextprotocol/sdk/types";

/** What publishes resources. */
export interface ResourceSource {
  list(): Promise<readonly Resource[]>;
  /** Null for an address that it does not know. */
  read(uri: string): Promise<ReadResourceResult | null>;
}

/** The protocol's own number for an unknown resource. */
const RESOURCE_NOT_FOUND = -32002;

/** Returns all resources, in the order of the sources. */
export async function listResources(
  sources: readonly ResourceSource[],
): Promise<{ resources: Resource[] }> {
  const lists = await Promise.all(sources.map((source) => source.list()));
  return { resources: lists.flat() };
}

/** Returns one resource's content. @throws {McpError} -32002 for an unknown address, which stands in its data. */
export async function readResource(
  sources: readonly ResourceSource[],
  uri: string,
): Promise<ReadResourceResult> {
  for (const source of sources) {
    const content = await source.read(uri);
    if (content !== null) return content;
  }
  throw new McpError(RESOURCE_NOT_FOUND, "Resource not found", { uri });
}
