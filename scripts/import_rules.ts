/**
 * Who may import whom. This table is the one of `.github/ARCHITECTURE.md`; a new folder gets a row in both, in the
 * commit that makes it.
 */

/** What one folder may take from elsewhere. Imports inside the folder are always free. */
export interface ZoneRule {
  /** Path prefix with a trailing slash, or a file. The longest that matches a module names its zone. */
  readonly zone: string;
  /** Prefixes of project paths; `"*"` stands for all. */
  readonly may: readonly string[];
  /** Prefixes of which only types may be taken. */
  readonly mayTypes?: readonly string[];
  /** Import-map names it is limited to; absent = every name in the map and `node:`. */
  readonly packages?: readonly string[];
  /** True where the project's modules may only be loaded with `import()`. */
  readonly lazily?: true;
}

const BROKER_SHARED = ["broker/api/", "broker/core/", "storage/"] as const;

/** The table; order does not matter. */
export const ZONE_RULES: readonly ZoneRule[] = [
  { zone: "main.ts", may: ["*"], lazily: true },
  { zone: "broker/api/", may: [], packages: ["zod"] },
  { zone: "broker/features/", may: [...BROKER_SHARED, "crypto/"] },
  { zone: "broker/core/", may: ["broker/api/", "crypto/", "storage/"] },
  // /health names the program's version.
  { zone: "broker/http/", may: [...BROKER_SHARED, "deno.json"] },
  { zone: "broker/jobs/", may: BROKER_SHARED },
  { zone: "broker/server.ts", may: ["broker/", "storage/", "crypto/"] },
  // What main.ts loads for the role: reads the configuration, builds the server, waits for its end.
  { zone: "broker/serve.ts", may: ["broker/", "storage/", "crypto/"] },
  { zone: "broker/open_stores.ts", may: ["broker/", "storage/"] },
  { zone: "broker/prepare_store.ts", may: ["broker/", "storage/"] },
  { zone: "broker/health_check.ts", may: ["broker/"] },
  { zone: "broker/allocator.ts", may: [] },
  { zone: "storage/", may: [], mayTypes: ["broker/api/"] },
  { zone: "crypto/", may: [] },
  { zone: "agent/core/", may: ["broker/api/", "crypto/"] },
  // The agent process holds the keys, so it opens the home and hands it to the core (ADR 0002).
  { zone: "agent/daemon/", may: ["agent/core/", "agent/home/", "broker/api/", "mcp/"] },
  { zone: "agent/verbs/", may: ["agent/", "broker/api/", "crypto/"] },
  { zone: "agent/hosts/", may: ["agent/core/"] },
  { zone: "agent/ui/", may: [] },
  { zone: "agent/home/", may: ["crypto/"] },
  { zone: "mcp/", may: ["broker/api/", "agent/core/"] },
  // The role's entry: finds this user's agent, or runs one inside the process (`--standalone`).
  { zone: "mcp/main.ts", may: ["mcp/", "agent/core/", "agent/home/", "agent/daemon/"] },
  { zone: "tests/", may: ["*"] },
  { zone: "scripts/", may: ["broker/api/"] },
  // The reference of tools and verbs is made from the two catalogs that serve them.
  { zone: "scripts/gen.ts", may: ["scripts/", "broker/api/", "mcp/", "agent/verbs/"] },
];

/** What may stand at the top of the project. */
export const TOP_LEVEL: ReadonlySet<string> = new Set([
  ".ci",
  ".dockerignore",
  ".github",
  ".gitignore",
  "CHANGELOG.md",
  "Dockerfile",
  "LICENSE",
  "README.md",
  "agent",
  "broker",
  "compose.yaml",
  "crypto",
  "deno.json",
  "deno.lock",
  "docs",
  "main.ts",
  "mcp",
  "scripts",
  "storage",
  "tests",
]);

/** The rule whose zone holds `path`; undefined for a module in a folder that the table does not know. */
export function ruleFor(path: string): ZoneRule | undefined {
  let best: ZoneRule | undefined;
  for (const rule of ZONE_RULES) {
    const holds = rule.zone.endsWith("/") ? path.startsWith(rule.zone) : path === rule.zone;
    if (holds && rule.zone.length > (best?.zone.length ?? -1)) best = rule;
  }
  return best;
}
