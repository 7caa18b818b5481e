/**
 * What an operator may choose about a broker, as the rest of the broker reads it. `config.ts` fills it from flags,
 * environment and file.
 */
import type { Limits } from "../api/limits.ts";

/** Who may make a mesh: callers on this machine and holders of the operator token, or anybody. */
export type MeshCreation = "operator" | "open";

export type LogLevel = "debug" | "info" | "warning" | "error";

/** An address of an object server. */
export interface ObjectServerPlace {
  readonly host: string;
  readonly port: number;
  readonly secure: boolean;
}

/** An S3 server that keeps the bytes of shared files. */
export interface ObjectServer extends ObjectServerPlace {
  readonly accessKey: string;
  readonly secretKey: string;
  /** `MINIO_PUBLIC_URL`: as peers reach it, who then fetch from there; null: the broker hands the bytes on. */
  readonly publicPlace: ObjectServerPlace | null;
}

/** A server of Neo4j. */
export interface GraphServer {
  readonly url: string;
  readonly user: string;
  readonly password: string;
}

/** A server of Qdrant. */
export interface QdrantSettings {
  readonly url: string;
  readonly apiKey: string | null;
}

/** A model that embeds texts, behind OpenAI's HTTP interface. */
export interface EmbeddingsSettings {
  /** With or without `/embeddings` at its end. */
  readonly url: string;
  readonly model: string;
  readonly apiKey: string | null;
}

export interface Settings {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Absolute path of the folder that holds the embedded store, the lock and the operator's token. */
  readonly dataDir: string;
  /** How peers and browsers reach the broker, without a trailing slash; null: the address it listens on. */
  readonly publicUrl: string | null;
  /** PostgreSQL's connection string; null: the embedded store in `dataDir`. */
  readonly databaseUrl: string | null;
  /** Where the bytes of shared files are kept; null: the folder `objects` in `dataDir`. */
  readonly objectServer: ObjectServer | null;
  /** Where graphs are kept; null: in the meshes' own databases. */
  readonly graphServer: GraphServer | null;
  /** Where vectors are kept; null: in the meshes' own databases. */
  readonly qdrant: QdrantSettings | null;
  /** What embeds texts; null: the built-in embedding. */
  readonly embeddings: EmbeddingsSettings | null;
  /** The operator's token when it was configured; null: the file in `dataDir`. */
  readonly operatorToken: string | null;
  /** The key for secrets at rest when it was configured (64 hex characters); null: the file in `dataDir`. */
  readonly encryptionKey: string | null;
  /** Inside a container nothing is made that would be lost with the volume. */
  readonly container: boolean;
  readonly meshCreation: MeshCreation;
  /** `TRUSTED_PROXY`: addresses or networks (CIDR) whose `X-Forwarded-For` is believed; none by default. */
  readonly trustedProxies: readonly string[];
  /** Accept clients of the original broker: session keys without proof, attestations that name no mesh. */
  readonly compat: boolean;
  /** `working` without news for so long becomes `idle`. */
  readonly statusTtlMs: number;
  /** For so long a status from a hook is fresh. */
  readonly hookFreshMs: number;
  readonly logLevel: LogLevel;
  /** `MEMORY_LANGUAGES`: PostgreSQL's text-search configurations that memories are indexed with, at least one. */
  readonly memoryLanguages: readonly string[];
  readonly limits: Limits;
}
