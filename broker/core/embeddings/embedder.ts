/**
 * Which direction a text has: the one its caller gives, that of the operator's embeddings model, or the built-in one. What
 * a collection began with decides for all that comes after, for directions of two makings cannot be compared.
 */
import { MeshError } from "../../api/errors.ts";
import type { EmbeddingsEndpoint } from "./embeddings_endpoint.ts";
import { LEXICAL_EMBEDDING, lexicalEmbedding } from "./lexical_embedding.ts";

/** The kind of collections whose callers bring the directions along. */
export const CALLER_EMBEDDING = "caller";

/** What is to be embedded. */
export interface Embeddable {
  readonly text: string;
  /** What the caller gave. */
  readonly embedding: readonly number[] | undefined;
}

/** The collection that it is for. */
export interface EmbeddedCollection {
  readonly name: string;
  readonly embedding: string;
  readonly dimensions: number;
}

export interface Embedded {
  /** Who or what made it. */
  readonly embedding: string;
  readonly vector: Float32Array;
}

export class Embedder {
  readonly #endpoint: EmbeddingsEndpoint | null;

  /** @param endpoint the operator's model; null: the built-in embedding for texts. */
  constructor(endpoint: EmbeddingsEndpoint | null) {
    this.#endpoint = endpoint;
  }

  /** What makes the directions of texts in new collections. */
  get embedding(): string {
    return this.#endpoint?.embedding ?? LEXICAL_EMBEDDING;
  }

  /**
   * Embeds something for a collection.
   * @param collection null when there is none yet.
   * @throws {MeshError} `invalid_argument` when it has no direction or one that is not of the collection's kind;
   *   `unavailable` when the model cannot be asked.
   */
  async embed(
    { text, embedding }: Embeddable,
    collection: EmbeddedCollection | null,
  ): Promise<Embedded> {
    if (embedding !== undefined) return given(embedding, collection);
    const kind = collection?.embedding ?? this.embedding;
    if (kind === LEXICAL_EMBEDDING) return { embedding: kind, vector: lexical(text) };
    if (this.#endpoint !== null && kind === this.#endpoint.embedding) {
      if (text.trim() === "") throw wrong("text", "a blank text has no direction");
      return { embedding: kind, vector: await this.#endpoint.embed(text) };
    }
    if (kind === CALLER_EMBEDDING) {
      const { name, dimensions } = collection as EmbeddedCollection;
      throw wrong(
        "embedding",
        `the collection "${name}" has embeddings of its callers; give \`embedding\`, ${dimensions} numbers`,
      );
    }
    throw wrong(
      "collection",
      `the collection "${collection?.name}" was made with ${kind}, which this broker does not have now; use ` +
        "another collection, or have its operator set EMBEDDINGS_URL and EMBEDDINGS_MODEL again",
    );
  }

  /** Ends what is under way. */
  close(): void {
    this.#endpoint?.close();
  }
}

function given(numbers: readonly number[], collection: EmbeddedCollection | null): Embedded {
  if (collection !== null && collection.embedding !== CALLER_EMBEDDING) {
    throw wrong(
      "embedding",
      `the collection "${collection.name}" embeds texts itself (${collection.embedding}); leave \`embedding\` ` +
        "out, or use another collection",
    );
  }
  if (collection !== null && collection.dimensions !== numbers.length) {
    throw wrong(
      "embedding",
      `the collection "${collection.name}" has ${collection.dimensions} dimensions, the embedding ${numbers.length}`,
    );
  }
  const vector = Float32Array.from(numbers);
  if (!vector.every(Number.isFinite)) throw wrong("embedding", "a number is beyond 32-bit floats");
  if (!vector.some((value) => value !== 0)) throw wrong("embedding", "all zeros have no direction");
  return { embedding: CALLER_EMBEDDING, vector };
}

function lexical(text: string): Float32Array {
  const vector = lexicalEmbedding(text);
  if (vector === null) throw wrong("text", "the text has no letter or digit that could be found");
  return vector;
}

function wrong(field: string, message: string): MeshError {
  return new MeshError("invalid_argument", message, { data: { field } });
}
