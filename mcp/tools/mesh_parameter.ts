/**
 * The parameters that every tool may have beside its own.
 */
import * as z from "zod";

export const meshParameter = z.string().max(64).optional().describe(
  "Slug of the mesh, where several are joined.",
);

export const offsetParameter = z.int().nonnegative().optional().describe(
  "Where to read on, from an answer that was cut.",
);
