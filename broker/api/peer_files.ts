/**
 * The relay of peer files: one agent asks another for a part of a file or a listing of a folder that the other shares
 * (`claudemesh share DIR`). Frames: reference protocol 2.23, but for the content, which the agents encrypt: the broker
 * sees who asks whom and how much, never a path or a byte of a file (against D36).
 *
 *   asking agent --peer_file_request {targetPubkey, requestId, sealed}--> broker
 *       broker: same mesh, asked member connected, `file-read` granted by it to the asking member, bounds; answers
 *               at once
 *   broker --peer_file_request_forward {requestId, requesterPubkey, ..., sealed}--> asked agent
 *       its agent checks the grant and its own shares again, reads, seals
 *   asked agent --peer_file_response {requesterPubkey, requestId, sealed | error}--> broker
 *   broker --peer_file_response_forward {requestId, targetPubkey, sealed | error}--> the connection that asked
 *
 * Each request has one answer: data (at most `peerFileChunkBytes` of content; a larger file is asked for in parts,
 * up to `peerFileBytes` in all), or an error of the list below. `sealed` is bound by its content to both member
 * keys, the mesh and the request id, and signed, so that neither the broker nor a third member can answer. All
 * requests of a connection that is gone are forgotten; the agents keep time as well (`peerFileMs`).
 */
import * as z from "zod";
import { event } from "./event.ts";
import { base64, id, publicKey } from "./fields.ts";
import { LIMITS } from "./limits.ts";
import { op } from "./op.ts";

const ada = "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c";
const requestId = id.describe("Chosen at random by the asking agent; names the request.");

/**
 * Why there is no data: by word of the asked agent (the first two) or of the broker. What is wrong with a path stands
 * inside `sealed`.
 */
export const PEER_FILE_ERRORS = ["refused", "unreadable", "gone", "timeout"] as const;

export const peerFiles = {
  peerFileRequest: op({
    wire: "peer_file_request",
    reply: "peer_file_requested",
    since: 3,
    summary:
      "Ask a peer's agent for a part of a file or for a listing, encrypted to its member key.",
    grant: "member",
    rate: "request",
    audit: null,
    fails: ["not_found", "limit", "already_exists"],
    input: z.object({
      targetPubkey: publicKey.describe(
        "The asked member's key, or the key of one of its sessions.",
      ),
      requestId,
      sealed: base64.min(4).max(LIMITS.peerFileRequestChars.value).describe("What is asked."),
    }),
    output: z.object({
      requestId: z.string(),
      targetPubkey: publicKey.describe("The asked member's key."),
      timeoutMs: z.int().describe("When the broker gives the request up."),
    }),
    example: {
      input: { targetPubkey: ada, requestId: "r1", sealed: "AAAA" },
      output: { requestId: "r1", targetPubkey: ada, timeoutMs: 30_000 },
    },
  }),
  peerFileResponse: op({
    wire: "peer_file_response",
    reply: "peer_file_answered",
    quiet: true,
    since: 3,
    summary: "Answer a peer's request, encrypted to its member key, or refuse it.",
    grant: "member",
    rate: "free",
    audit: null,
    fails: ["not_found"],
    input: z.object({
      requesterPubkey: publicKey.describe("As the request had it."),
      requestId,
      sealed: base64.min(4).max(LIMITS.peerFileSealedChars.value).optional().describe(
        "The answer.",
      ),
      error: z.enum(["refused", "unreadable"]).optional().describe(
        "In its place: `refused` serves nothing to this member, `unreadable` could not be opened.",
      ),
    }),
    output: z.object({ requestId: z.string() }),
    example: {
      input: { requesterPubkey: ada, requestId: "r1", sealed: "AAAA" },
      output: { requestId: "r1" },
    },
  }),
};

export const peerFileEvents = {
  peerFileRequestForward: event({
    wire: "peer_file_request_forward",
    name: null,
    since: 3,
    summary: "To the asked agent: answer with peer_file_response.",
    data: z.object({
      requestId: z.string(),
      requesterPubkey: publicKey.describe("Member key of who asks."),
      requesterMemberId: z.string(),
      requesterName: z.string(),
      sealed: z.string(),
    }),
    example: {
      requestId: "r1",
      requesterPubkey: ada,
      requesterMemberId: "member1",
      requesterName: "Ada",
      sealed: "AAAA",
    },
  }),
  peerFileResponseForward: event({
    wire: "peer_file_response_forward",
    name: null,
    since: 3,
    summary: "To the connection that asked: the answer, or why there is none.",
    data: z.object({
      requestId: z.string(),
      targetPubkey: publicKey.describe("Member key of who was asked."),
      sealed: z.string().optional(),
      error: z.enum(PEER_FILE_ERRORS).optional(),
    }),
    example: { requestId: "r1", targetPubkey: ada, sealed: "AAAA" },
  }),
};
