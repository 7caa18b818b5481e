/**
 * Reads a request's JSON body: counted while it streams, so that no length a client claims or hides makes the broker
 * hold more than the limit.
 */
import type * as z from "zod";
import { MeshError } from "../api/errors.ts";
import { isStorable } from "../core/storable.ts";

/**
 * Returns the body as `schema` reads it.
 * @throws {MeshError} `too_large` past `limitBytes`, `malformed` when it is no JSON, `invalid_argument` naming the field
 * when a field is missing or wrong.
 */
export async function readBody<Schema extends z.ZodType>(
  request: Request,
  schema: Schema,
  limitBytes: number,
): Promise<z.output<Schema>> {
  // A browser sends this type across sites only after a preflight, which is never answered.
  const type = request.headers.get("content-type")?.split(";")[0]?.trim().toLowerCase();
  if (type !== "application/json") {
    throw new MeshError("malformed", "send the body as content-type application/json");
  }
  const value = parseJson(await readBytes(request, limitBytes));
  if (!isStorable(value)) {
    throw new MeshError("invalid_argument", "the body holds text with NUL or half a character");
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const field = issue?.path.map(String).join(".") ?? "";
  const where = field === "" ? "the body" : `"${field}"`;
  throw new MeshError("invalid_argument", `${where}: ${issue?.message ?? "is wrong"}`, {
    data: field === "" ? {} : { field },
  });
}

async function readBytes(request: Request, limitBytes: number): Promise<Uint8Array> {
  const claimed = Number(request.headers.get("content-length") ?? 0);
  if (claimed > limitBytes) throw tooLarge(limitBytes);
  const chunks: Uint8Array[] = [];
  let length = 0;
  // Leaving the loop early cancels the stream, so that the rest is not read.
  for await (const chunk of request.body ?? []) {
    length += chunk.length;
    if (length > limitBytes) throw tooLarge(limitBytes);
    chunks.push(chunk);
  }
  const bytes = new Uint8Array(length);
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.length;
  }
  return bytes;
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new MeshError("malformed", "the body is not valid JSON", { cause });
  }
}

function tooLarge(limitBytes: number): MeshError {
  return new MeshError("too_large", `the body exceeds ${limitBytes} bytes`, {
    data: { limit: limitBytes },
  });
}
