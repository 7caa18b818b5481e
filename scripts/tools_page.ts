/** Writes the reference of the MCP tools from the list that the MCP server serves. */
import { code, GENERATED_MARK, page, table } from "./markdown.ts";
import { type JsonSchema, schemaRows } from "./schema_rows.ts";

/** A tool as `tools/list` shows it. */
export interface ToolEntry {
  readonly name: string;
  readonly description: string;
  readonly inputSchema: JsonSchema;
}

function toolBlocks(tool: ToolEntry): string[] {
  const rows = schemaRows(tool.inputSchema);
  return [
    `## ${code(tool.name)}`,
    tool.description,
    rows.length === 0 ? "No parameters." : table(
      ["parameter", "type", "required", "meaning"],
      rows.map((row) => [code(row.name), row.type, row.required ? "yes" : "no", row.description]),
    ),
  ];
}

/** The page as Markdown, not yet formatted; tools in the order given. */
export function toolsPage(tools: readonly ToolEntry[]): string {
  return page([
    GENERATED_MARK,
    "# MCP tools",
    `The ${tools.length} tools of the ${code("claudemesh")} MCP server.`,
    ...tools.flatMap(toolBlocks),
  ]);
}
