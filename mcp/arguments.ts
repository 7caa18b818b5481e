/**
 * The flags of `claudemesh mcp`, read without the command-line parser: that and the verbs behind it would cost each MCP
 * server 6 MiB for its whole life.
 */

export interface McpArguments {
  readonly meshes: readonly string[];
  readonly standalone: boolean;
}

/** Returns what `argv` (after `mcp`) says; null for anything but the known flags, which the parser then explains. */
export function mcpArguments(argv: readonly string[]): McpArguments | null {
  const meshes: string[] = [];
  let standalone = false;
  for (let index = 0; index < argv.length; index++) {
    const argument = argv[index]!;
    const joined = /^--mesh=(.+)$/.exec(argument)?.[1];
    if (argument === "--standalone") standalone = true;
    else if (joined !== undefined) meshes.push(...joined.split(","));
    else if (argument === "--mesh" || argument === "-m") {
      const value = argv[++index];
      if (value === undefined || value.startsWith("-")) return null;
      meshes.push(...value.split(","));
    } else return null;
  }
  return { meshes, standalone };
}
