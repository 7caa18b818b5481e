/**
 * Similarity search over texts.
 */
import type { Handlers } from "../api/op.ts";
import type { vectors as contract } from "../api/vectors.ts";
import type { Call } from "../core/context.ts";

export const vectors: Handlers<typeof contract, Call> = {};
