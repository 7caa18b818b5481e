/**
 * The mesh key's epochs: sealed copies per member, rotation, and the hand-over to joiners. The broker stores sealed
 * copies only, unless the mesh's custody is `broker`.
 */
import * as z from "zod";
import { event } from "./event.ts";
import { base64, isoTime, publicKey } from "./fields.ts";
import { rotationProof, sealedKey } from "./hello.ts";
import { op } from "./op.ts";

const mac = z.string().regex(/^[0-9a-f]{64}$/);
const key = "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c";

const heldKey = z.object({
  epoch: z.int(),
  sealedKey,
  proof: rotationProof,
  handoverMac: mac.nullable().describe("MAC under the invite's secret, when handed over."),
  handoverBy: publicKey.nullable(),
  createdAt: isoTime,
});

const request = z.object({
  memberId: z.string(),
  pubkey: publicKey,
  displayName: z.string(),
  inviteCode: z.string().nullable(),
  sealedSecret: z.string().describe("The invite's secret under the mesh key."),
  secretEpoch: z.int(),
  claimText: z.string(),
  claimMac: mac.nullable().describe(
    "Null: joined without the link's secret; a person must decide.",
  ),
  requestedAt: isoTime,
});
export type KeyRequest = z.infer<typeof request>;

const proofExample = { by: key, keyHash: "0".repeat(64), signature: "0".repeat(128), mac: null };

export const meshKeys = {
  getMeshKeys: op({
    wire: "get_mesh_keys",
    reply: "mesh_keys",
    since: 2,
    summary: "Fetch this member's sealed copies of the mesh keys that are still readable.",
    grant: "member",
    rate: "request",
    audit: null,
    fails: [],
    input: z.object({}),
    output: z.object({
      epoch: z.int().describe("The current epoch."),
      rekeyNeeded: z.boolean(),
      keys: z.array(heldKey),
    }),
    example: { input: {}, output: { epoch: 1, rekeyNeeded: false, keys: [] } },
  }),
  rotateMeshKey: op({
    wire: "rotate_mesh_key",
    reply: "mesh_key_rotated",
    since: 2,
    summary: "Start a new epoch: its key sealed to each member that is to read on.",
    grant: "admin",
    rate: "request",
    audit: "mesh_key_rotated",
    fails: ["conflict", "not_found", "bad_signature"],
    input: z.object({
      epoch: z.int().positive().describe("The current epoch plus one."),
      proof: rotationProof,
      sealed: z.record(z.string().max(64), sealedKey).describe("Member id -> sealed key."),
      brokerKey: base64.max(64).optional().describe("The key itself; custody `broker` only."),
    }),
    output: z.object({ epoch: z.int() }),
    example: {
      input: { epoch: 2, proof: proofExample, sealed: { member1: "AAAA" } },
      output: { epoch: 2 },
    },
  }),
  listKeyRequests: op({
    wire: "list_key_requests",
    reply: "key_requests",
    since: 2,
    summary: "List members that wait for the mesh key.",
    grant: "admin",
    rate: "request",
    audit: null,
    fails: [],
    input: z.object({}),
    output: z.object({ requests: z.array(request) }),
    example: { input: {}, output: { requests: [] } },
  }),
  handOverKey: op({
    wire: "hand_over_key",
    reply: "key_handed_over",
    since: 2,
    summary: "Give a waiting member the current mesh key, sealed to it.",
    grant: "admin",
    rate: "request",
    audit: "mesh_key_handed_over",
    fails: ["not_found", "conflict"],
    input: z.object({
      memberId: z.string().max(64),
      epoch: z.int(),
      sealedKey,
      mac: mac.nullable(),
    }),
    output: z.object({ memberId: z.string(), epoch: z.int() }),
    example: {
      input: { memberId: "member1", epoch: 1, sealedKey: "AAAA", mac: null },
      output: { memberId: "member1", epoch: 1 },
    },
  }),
};

export const meshKeyEvents = {
  meshKeyChanged: event({
    wire: "push",
    name: "mesh_key_changed",
    since: 2,
    summary: "There is a new epoch, or this member was handed the key: fetch it.",
    data: z.object({ epoch: z.int() }),
    example: { epoch: 2 },
  }),
  rekeyNeeded: event({
    wire: "push",
    name: "rekey_needed",
    since: 2,
    summary: "To owners and admins: the mesh key is to be rotated.",
    data: z.object({ epoch: z.int(), reason: z.string() }),
    example: { epoch: 1, reason: "member_banned" },
  }),
  keyRequested: event({
    wire: "push",
    name: "key_requested",
    since: 2,
    summary: "To owners and admins: a member waits for the mesh key.",
    data: z.object({ memberId: z.string(), name: z.string(), proven: z.boolean() }),
    example: { memberId: "member1", name: "Ada", proven: true },
  }),
};
