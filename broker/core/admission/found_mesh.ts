/**
 * `POST /meshes`: a new mesh with its owner. The creator's agent makes the mesh's id, its own key and the first epoch's
 * key; the broker learns public halves and a sealed copy. Everything is written in one transaction, or nothing.
 */
import { AUDIT_GENESIS } from "../../../crypto/audit_hash.ts";
import { verify } from "../../../crypto/sign.ts";
import { isSignedRotation } from "../../../crypto/mesh_key.ts";
import type { SqlExecutor } from "../../../storage/sql/port.ts";
import {
  countMeshes,
  findMeshes,
  insertMember,
  insertMesh,
  takenSlugs,
} from "../../../storage/sql/queries/mesh_creation.ts";
import { insertEpoch, insertSealedKeys } from "../../../storage/sql/queries/mesh_keys.ts";
import { MeshError } from "../../api/errors.ts";
import { type CreateMeshBody, type CreateMeshResult, createMeshText } from "../../api/mesh.ts";
import type { BrokerContext } from "../context.ts";
import type { Mesh } from "../model.ts";
import { isSealedKey, keptKey } from "./sealed_key.ts";

const FIRST_EPOCH = 1;
const MAX_SLUG_LENGTH = 32;
const SUGGESTIONS = 99;

/**
 * Makes a mesh. The same request again returns what the first one made and makes nothing: whose answer was lost may
 * repeat it, and whoever replays it gains nothing.
 * @throws {MeshError} `timestamp_skew`, `bad_signature`, `invalid_argument`, `limit`, `already_exists` with a free slug
 * among the candidates, or a failure of the store.
 */
export async function foundMesh(
  broker: BrokerContext,
  body: CreateMeshBody,
): Promise<CreateMeshResult> {
  requireSigned(broker, body);
  const brokerKey = firstKey(broker, body);
  const mesh = unborn(body, broker.clock.now());
  const memberId = await broker.ledger.transact(mesh, async (tx) => {
    const { createdAtMs } = mesh;
    if (!await insertMesh(tx, mesh)) return await earlier(tx, body);
    await requireRoom(tx, broker.settings.limits.meshesPerBroker);
    const member = await insertMember(tx, {
      id: broker.random.id(),
      meshId: mesh.id,
      pubkey: body.pubkey,
      displayName: body.display_name,
      role: "owner",
      roleTag: null,
      defaultGroups: body.default_groups ?? [],
      messageMode: "push",
      proven: true,
      joinedAtMs: createdAtMs,
    });
    if (member === null) throw new Error("a new mesh had a member");
    await insertEpoch(tx, {
      meshId: mesh.id,
      epoch: FIRST_EPOCH,
      proof: body.proof,
      brokerKey,
      createdAtMs,
    });
    await insertSealedKeys(tx, {
      meshId: mesh.id,
      epoch: FIRST_EPOCH,
      sealed: new Map([[member.id, body.sealed_key]]),
      handoverMac: null,
      handoverBy: null,
      createdAtMs,
    });
    const actor = { id: member.id, displayName: body.display_name };
    const payload = { slug: mesh.slug, custody: mesh.custody };
    return { result: member.id, audits: [{ event: "mesh_created", actor, payload }] };
  });
  return {
    mesh_id: mesh.id,
    slug: mesh.slug,
    member_id: memberId,
    broker_url: broker.publicUrl(),
  };
}

function requireSigned(broker: BrokerContext, body: CreateMeshBody): void {
  if (Math.abs(broker.clock.now() - body.timestamp) > broker.settings.limits.helloWindowMs) {
    throw new MeshError(
      "timestamp_skew",
      "your clock and the broker's differ by more than a minute; set your clock",
    );
  }
  if (!verify(createMeshText(body), body.signature, body.pubkey)) {
    throw new MeshError("bad_signature", "the request is not signed by pubkey");
  }
}

/** Checks the first epoch; returns its key as the broker keeps it, null for custody `members`. */
function firstKey(broker: BrokerContext, body: CreateMeshBody): Uint8Array | null {
  const { proof, mesh_id: id, custody } = body;
  if (proof.by !== body.pubkey || proof.mac !== null) {
    throw new MeshError(
      "invalid_argument",
      "the first epoch's proof is the creator's, without MAC",
      {
        data: { field: "proof" },
      },
    );
  }
  if (!isSignedRotation(id, FIRST_EPOCH, proof)) {
    throw new MeshError("bad_signature", "the first epoch's proof is not signed by pubkey");
  }
  if (!isSealedKey(body.sealed_key)) {
    throw new MeshError("invalid_argument", "sealed_key is not a sealed key of 32 bytes", {
      data: { field: "sealed_key" },
    });
  }
  return keptKey(broker, { id, custody }, FIRST_EPOCH, body.broker_key, proof.keyHash);
}

/** The mesh as its first audit row needs it; what everybody uses is loaded from the store when it is first asked for. */
function unborn(body: CreateMeshBody, nowMs: number): Mesh {
  return {
    id: body.mesh_id,
    slug: body.slug,
    name: body.name,
    ownerPubkey: body.pubkey,
    custody: body.custody,
    createdAtMs: nowMs,
    epoch: FIRST_EPOCH,
    epochAtMs: nowMs,
    rekeyReason: null,
    membersById: new Map(),
    membersByPubkey: new Map(),
    membersByNumber: new Map(),
    connections: new Set(),
    auditHead: AUDIT_GENESIS,
  };
}

async function requireRoom(tx: SqlExecutor, limit: number): Promise<void> {
  if (await countMeshes(tx) <= limit) return;
  throw new MeshError("limit", `this broker holds its ${limit} meshes`, { data: { limit } });
}

/** Nothing was inserted: either this very request was answered before, or id or slug belong to another mesh. */
async function earlier(
  tx: SqlExecutor,
  body: CreateMeshBody,
): Promise<{ result: string; audits: readonly [] }> {
  const found = await findMeshes(tx, body.mesh_id, body.slug);
  const same = found.find((each) => each.id === body.mesh_id);
  if (same !== undefined) {
    const { slug, ownerPubkey, ownerMemberId } = same;
    if (slug === body.slug && ownerPubkey === body.pubkey && ownerMemberId !== null) {
      return { result: ownerMemberId, audits: [] };
    }
    throw new MeshError("already_exists", "there is a mesh with this id; make a new random id");
  }
  const free = await freeSlug(tx, body.slug);
  const advice = free === null ? "choose another" : `"${free}" is free`;
  throw new MeshError("already_exists", `"${body.slug}" is taken; ${advice}`, {
    data: { candidates: free === null ? [] : [free], field: "slug" },
  });
}

async function freeSlug(tx: SqlExecutor, slug: string): Promise<string | null> {
  const candidates = Array.from({ length: SUGGESTIONS }, (_, index) => {
    const suffix = `-${index + 2}`;
    return slug.slice(0, MAX_SLUG_LENGTH - suffix.length).replace(/-+$/, "") + suffix;
  });
  const taken = await takenSlugs(tx, candidates);
  return candidates.find((each) => !taken.has(each)) ?? null;
}
