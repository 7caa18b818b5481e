/**
 * The vectors port: texts with a direction each, in collections of a mesh, found by the angle between directions. Either
 * in the meshes' own databases with pgvector, or at a Qdrant server.
 */

/** How the directions of a collection came to be; fixed by its first point. */
export interface CollectionKind {
  /** Who or what made them: the name of an embedding. Only directions of one making can be compared. */
  readonly embedding: string;
  /** Numbers per direction. */
  readonly dimensions: number;
}

export interface Collection extends CollectionKind {
  readonly name: string;
  readonly points: number;
  readonly createdAtMs: number;
}

/** JSON of the caller's own. */
export type Metadata = Readonly<Record<string, unknown>>;

export interface Point {
  /** Unique in its collection. */
  readonly id: string;
  readonly text: string;
  readonly metadata: Metadata;
  /** Of any length but 0; only the direction counts. */
  readonly vector: Float32Array;
  readonly storedBy: string;
  readonly storedAtMs: number;
}

export interface FoundPoint extends Omit<Point, "vector"> {
  /** The cosine of the angle to what was searched for: 1 same direction, 0 unrelated, -1 opposite. */
  readonly score: number;
}

export interface VectorQuery {
  readonly vector: Float32Array;
  readonly limit: number;
  /** Nearest points to leave out; `limit` and `skip` together at most `MAX_DEPTH`. */
  readonly skip: number;
  /**
   * Only points whose metadata contain this: every key with an equal value, in objects of objects too; a list is
   * contained in a list that has all its elements. Lists of objects or lists are no filter.
   */
  readonly filter: Metadata | null;
}

/** How many points a search may look at beyond those left out. */
export const MAX_DEPTH = 1_000;

/** How much a mesh may keep. */
export interface VectorBounds {
  readonly collections: number;
  /** Of all collections together. */
  readonly points: number;
}

/**
 * Why a call was refused: `mismatch` (of another embedding or dimension than the collection), `collections` or `points`
 * (the mesh has as many as it may), `absent` (no such collection), `unavailable` (the server does not answer, or not in
 * time), `full` (its disk or memory), `other`.
 */
export type VectorsErrorKind =
  | "mismatch"
  | "collections"
  | "points"
  | "absent"
  | "unavailable"
  | "full"
  | "other";

/** A refusal; its message holds no text, metadata or keys of points. */
export class VectorsError extends Error {
  override readonly name = "VectorsError";
  readonly kind: VectorsErrorKind;

  constructor(kind: VectorsErrorKind, message: string, options: { cause?: unknown } = {}) {
    super(message, options);
    this.kind = kind;
  }
}

/**
 * The collections of all meshes. Names and ids are told apart exactly, by every character. What a call stored is on disk
 * when it resolves, and found by the next. Every call may throw a `VectorsError`, or the `SqlError` of the database it
 * works on.
 */
export interface Vectors {
  /** For people: which store; no address, for everybody may see it. */
  readonly driver: string;
  /** One collection; null when there is none of that name. */
  collection(meshId: string, name: string): Promise<Collection | null>;
  /** All of a mesh, by name. */
  collections(meshId: string): Promise<Collection[]>;
  /**
   * Stores points, in the place of those of the same ids; all or none. A collection that is missing is made.
   * @param points of different ids.
   * @returns how many ids were new.
   */
  store(
    meshId: string,
    name: string,
    kind: CollectionKind,
    points: readonly Point[],
    bounds: VectorBounds,
  ): Promise<number>;
  /** The nearest points, nearest first. */
  search(meshId: string, name: string, query: VectorQuery): Promise<FoundPoint[]>;
  /** How many of the ids there are. */
  count(meshId: string, name: string, ids: readonly string[]): Promise<number>;
  /** Removes points; a collection goes with its last one. @returns how many there were. */
  remove(meshId: string, name: string, ids: readonly string[]): Promise<number>;
  /** Removes a collection. @returns how many points it had. */
  drop(meshId: string, name: string): Promise<number>;
  /** Whether the store answers; rejects when not. */
  ping(): Promise<void>;
  close(): Promise<void>;
}
