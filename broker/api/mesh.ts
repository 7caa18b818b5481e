/**
 * The mesh itself: its overview, and its creation over HTTP (`POST /meshes`).
 */
import * as z from "zod";
import {
  base64,
  custody,
  displayName,
  groups,
  isoTime,
  milliseconds,
  publicKey,
  role,
} from "./fields.ts";
import { signature, slug } from "./fields.ts";
import { rotationProof, sealedKey } from "./hello.ts";
import { DATABASE_PATIENCE_MS, op } from "./op.ts";

export const mesh = {
  meshInfo: op({
    wire: "mesh_info",
    reply: "mesh_info_result",
    since: 1,
    summary: "Describe the mesh: who, which groups, who keeps the key, what is shared.",
    grant: "member",
    rate: "request",
    patienceMs: DATABASE_PATIENCE_MS,
    audit: null,
    fails: [],
    tool: {
      name: "mesh_info",
      readOnly: true,
      reach: "one",
      description: "Overview of the mesh for orientation at session start.",
    },
    input: z.object({}),
    output: z.object({
      mesh: z.string(),
      slug: z.string(),
      name: z.string(),
      createdAt: isoTime,
      peers: z.int(),
      members: z.int(),
      groups: z.array(z.string()),
      custody,
      epoch: z.int(),
      rekeyNeeded: z.boolean(),
      yourName: z.string(),
      yourRole: role,
      yourGroups: z.array(z.string()),
      queued: z.int().describe("Open deliveries to you."),
      stateKeys: z.array(z.string()).describe("Those you may read; at most 200."),
      memoryCount: z.int().describe("Not counted beyond 10,000, as files are not."),
      fileCount: z.int(),
      skillCount: z.int(),
      tasks: z.object({ open: z.int(), claimed: z.int(), completed: z.int() }),
      streams: z.array(z.string()).describe("At most 200, as tables and collections."),
      tables: z.array(z.string()).nullable().describe(
        "null: the mesh's own database does not answer.",
      ),
      collections: z.array(z.string()).nullable().describe("Of texts found by similarity."),
    }),
    example: {
      input: {},
      output: {
        mesh: "mesh1",
        slug: "team",
        name: "Team",
        createdAt: "2026-11-21T10:00:00.000Z",
        peers: 2,
        members: 3,
        groups: ["@eng"],
        custody: "members",
        epoch: 1,
        rekeyNeeded: false,
        yourName: "Ada",
        yourRole: "owner",
        yourGroups: ["@eng"],
        queued: 0,
        stateKeys: ["sprint"],
        memoryCount: 12,
        fileCount: 1,
        skillCount: 2,
        tasks: { open: 3, claimed: 1, completed: 7 },
        streams: ["builds"],
        tables: ["deploys"],
        collections: [],
      },
    },
  }),
  meshStats: op({
    wire: "mesh_stats",
    reply: "mesh_stats_result",
    since: 3,
    summary: "What each member has done since it joined, counted by the broker.",
    grant: "member",
    rate: "request",
    audit: null,
    fails: [],
    verb: {
      path: "stats",
      positionals: [],
      examples: ["claudemesh stats", "claudemesh stats --json"],
    },
    tool: {
      name: "mesh_stats",
      reach: "one",
      readOnly: true,
      description: "Who has been how active in the mesh: messages, tool calls, time, errors.",
    },
    input: z.object({}),
    output: z.object({
      peers: z.array(z.object({
        name: z.string(),
        memberId: z.string(),
        online: z.boolean(),
        messagesIn: z.int(),
        messagesOut: z.int(),
        toolCalls: z.int().describe("Requests other than messages."),
        uptimeMinutes: z.int().describe("Time with a connection."),
        errors: z.int().describe("Requests that were refused."),
      })).describe("Connected members first."),
    }),
    example: {
      input: {},
      output: {
        peers: [{
          name: "Ada",
          memberId: "member1",
          online: true,
          messagesIn: 3,
          messagesOut: 12,
          toolCalls: 40,
          uptimeMinutes: 95,
          errors: 0,
        }],
      },
    },
  }),
};

/** Text that the creator signs in `POST /meshes`. */
export function createMeshText(
  body: { slug: string; pubkey: string; custody: string; timestamp: number },
): string {
  return `claudemesh-create|v1|${body.slug}|${body.pubkey}|${body.custody}|${body.timestamp}`;
}

/** Body of `POST /meshes`. */
export const createMeshBody = z.object({
  mesh_id: z.string().regex(/^[A-Za-z0-9]{32}$/),
  slug,
  name: z.string().min(1).max(80),
  pubkey: publicKey,
  display_name: displayName,
  custody,
  timestamp: milliseconds,
  signature,
  sealed_key: sealedKey.describe("Epoch 1, sealed to the creator."),
  proof: rotationProof,
  default_groups: groups.optional().describe("Groups that the creator is in."),
  broker_key: base64.max(64).optional().describe("Epoch 1 itself; custody `broker` only."),
});

/** Answer of `POST /meshes`. */
export const createMeshResult = z.object({
  mesh_id: z.string(),
  slug: z.string(),
  member_id: z.string(),
  broker_url: z.string(),
});
export type CreateMeshBody = z.infer<typeof createMeshBody>;
export type CreateMeshResult = z.infer<typeof createMeshResult>;
