/**
 * Reads a request's JSON body: counted while it streams, so that no length a client claims or hides makes the broker
 * hold more than the limit.
 */
import type * as z from "zod";
import { MeshError } from "../api/errors.ts";
import type { Clock } from "../core/clock.ts";
import { isStorable } from "../core/storable.ts";

/** A body that trickles in holds memory and a socket: it must be here by then. */
const DEADLINE_MS = 10_000;

/**
 * Returns the body as `schema` reads it.
 * @throws {MeshError} `too_large` past `limitBytes`, `malformed` when it is no JSON or takes longer than ten seconds, `invalid_argument` naming the field
 * when a field is missing or wrong.
 */
export async function readBody<Schema extends z.ZodType>(
  request: Request,
  schema: Schema,
  limitBytes: number,
  clock: Clock,
): Promise<z.output<Schema>> {
  // A browser sends this type across sites only after a preflight, which is never answered.
  const type = request.headers.get("content-type")?.split(";")[0]?.trim().toLowerCase();
  if (type !== "application/json") {
    throw new MeshError("malformed", "send the body as content-type application/json");
  }
  const value = parseJson(await readBytes(request, limitBytes, clock));
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

async function readBytes(
  request: Request,
  limitBytes: number,
  clock: Clock,
): Promise<Uint8Array> {
  const claimed = Number(request.headers.get("content-length") ?? 0);
  if (claimed > limitBytes) throw tooLarge(limitBytes);
  if (request.body === null) return new Uint8Array();
  const reader = request.body.getReader();
  const chunks: Uint8Array[] = [];
  let length = 0;
  let late = false;
  const cancelDeadline = clock.after(DEADLINE_MS, () => {
    late = true;
    reader.cancel().catch(() => {});
  });
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      length += read.value.length;
      if (length > limitBytes) throw tooLarge(limitBytes);
      chunks.push(read.value);
    }
  } finally {
    cancelDeadline();
    // What is not read is not waited for either; after the end this does nothing.
    reader.cancel().catch(() => {});
  }
  if (late) {
    throw new MeshError("malformed", `the body did not arrive within ${DEADLINE_MS / 1000} s`);
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
