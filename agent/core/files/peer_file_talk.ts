/**
 * What agents ask and answer about files that one of them shares, as it stands inside a sealed message
 * (`crypto/peer_file_message.ts`): JSON, checked on both sides, since either may be anybody.
 */
import * as z from "zod";
import { isErrorCode, MeshError } from "../../../broker/api/errors.ts";
import { LIMITS } from "../../../broker/api/limits.ts";
import { MAX_LISTED } from "./list_shared_files.ts";

const path = z.string().max(4_096);
const hostname = z.string().max(256).describe("Of the asking machine.");

const question = z.discriminatedUnion("do", [
  z.object({
    do: z.literal("read"),
    path,
    offset: z.int().nonnegative(),
    /** What the first part of the file said, so that all parts are of one file. */
    version: z.string().max(64).nullable(),
    hostname,
  }),
  z.object({ do: z.literal("list"), path, pattern: z.string().max(1_024).nullable() }),
]);
export type PeerFileQuestion = z.infer<typeof question>;

const entry = z.object({
  path,
  kind: z.enum(["file", "folder"]),
  sizeBytes: z.int().nonnegative().nullable(),
});

const answer = z.union([
  z.object({
    ok: z.literal(true),
    do: z.literal("read"),
    path,
    offset: z.int().nonnegative(),
    sizeBytes: z.int().nonnegative().max(LIMITS.peerFileBytes.value),
    version: z.string().max(64),
    /** Where the file lies, told to an asking machine of the same name alone. */
    hostPath: z.string().max(4_096).nullable(),
  }),
  z.object({
    ok: z.literal(true),
    do: z.literal("list"),
    entries: z.array(entry).max(MAX_LISTED),
    truncated: z.boolean(),
  }),
  z.object({ ok: z.literal(false), code: z.string().max(64), message: z.string().max(10_000) }),
]);
export type PeerFileAnswer = z.infer<typeof answer>;
export type PeerFilePart = Extract<PeerFileAnswer, { do: "read" }>;
export type PeerFileListing = Extract<PeerFileAnswer, { do: "list" }>;

const MAX_REASON_CHARS = 400;
// deno-lint-ignore no-control-regex -- control characters are what it takes out
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]+/g;

/** The question in `body`, null when it is none that this program knows. Never throws. */
export function readQuestion(body: string): PeerFileQuestion | null {
  return parsed(question, body);
}

/** The answer in `body`, null when it is none that this program knows. Never throws. */
export function readAnswer(body: string): PeerFileAnswer | null {
  return parsed(answer, body);
}

/**
 * What a peer's refusal is for who asked: its code where this program knows it, its words marked as the peer's, on one
 * line.
 */
export function refusalOf(
  { code, message }: Extract<PeerFileAnswer, { ok: false }>,
  peerName: string,
): MeshError {
  const reason = message.replace(CONTROL, " ").slice(0, MAX_REASON_CHARS);
  const known = isErrorCode(code) && code !== "internal" ? code : "unavailable";
  return new MeshError(known, `${peerName}'s agent says: ${reason}`);
}

function parsed<T extends z.ZodType>(schema: T, body: string): z.output<T> | null {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    // Not JSON, so nothing that an agent of ours wrote.
    return null;
  }
  const result = schema.safeParse(value);
  return result.success ? result.data : null;
}
