/**
 * The configuration of a Neo4j server in the place of the embedded graph: `NEO4J_URL` with its user and password.
 */
import { boltAddress, secretText, type ValueKind } from "./config_values.ts";
import type { GraphServer } from "./settings.ts";

/** The names that are read here; the password is a secret. */
export const GRAPH_SECRETS = ["NEO4J_PASSWORD"] as const;
export const GRAPH_NAMES = ["NEO4J_URL", "NEO4J_USER"] as const;

const DEFAULT_USER = "neo4j";

/** What looks settings up and collects what is wrong. */
interface ConfigReader {
  value<T>(name: string, kind: ValueKind<T>): Promise<T | undefined>;
  problem(text: string): void;
}

/** Returns the Neo4j server; null when none is configured. */
export async function graphServerOf(reader: ConfigReader): Promise<GraphServer | null> {
  const url = await reader.value("NEO4J_URL", boltAddress);
  const user = await reader.value("NEO4J_USER", secretText) ?? DEFAULT_USER;
  const password = await reader.value("NEO4J_PASSWORD", secretText);
  if (url !== undefined && password !== undefined) return { url, user, password };
  if (url !== undefined) {
    reader.problem(
      "NEO4J_URL is set and NEO4J_PASSWORD is not, or wrong; set both, or neither to keep graphs in " +
        "the broker's own store",
    );
  }
  return null;
}
