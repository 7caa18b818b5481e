/**
 * The configuration of similarity search: a Qdrant server in the place of pgvector, and a model that embeds texts.
 */
import { modelName, secretText, type ValueKind, webAddress } from "./config_values.ts";
import type { EmbeddingsSettings, QdrantSettings } from "./settings.ts";

/** The names that are read here; those with a key in them are secrets. */
export const VECTOR_SECRETS = ["QDRANT_API_KEY", "EMBEDDINGS_API_KEY"] as const;
export const VECTOR_NAMES = ["QDRANT_URL", "EMBEDDINGS_URL", "EMBEDDINGS_MODEL"] as const;

/** What looks settings up and collects what is wrong. */
interface ConfigReader {
  value<T>(name: string, kind: ValueKind<T>): Promise<T | undefined>;
  problem(text: string): void;
}

/** Returns the Qdrant server; null when none is configured. */
export async function qdrantOf(reader: ConfigReader): Promise<QdrantSettings | null> {
  const url = await reader.value("QDRANT_URL", webAddress);
  const apiKey = await reader.value("QDRANT_API_KEY", secretText) ?? null;
  return url === undefined ? null : { url, apiKey };
}

/** Returns the embeddings model; null when none is configured. */
export async function embeddingsOf(reader: ConfigReader): Promise<EmbeddingsSettings | null> {
  const url = await reader.value("EMBEDDINGS_URL", webAddress);
  const model = await reader.value("EMBEDDINGS_MODEL", modelName);
  const apiKey = await reader.value("EMBEDDINGS_API_KEY", secretText) ?? null;
  if (url !== undefined && model !== undefined) return { url, model, apiKey };
  if (url !== undefined) {
    reader.problem(
      "EMBEDDINGS_URL is set and EMBEDDINGS_MODEL is not, or wrong; name the model, such as " +
        "text-embedding-3-small, or leave both out",
    );
  }
  return null;
}
