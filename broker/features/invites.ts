/**
 * Invites over the wire: registering one that the caller's agent has made and signed, listing, revoking. Claims come over
 * HTTP (`broker/core/admission`).
 */
import { inviteCanonical } from "../../crypto/invite_v2.ts";
import { verify } from "../../crypto/sign.ts";
import {
  countUsableInvites,
  insertInvite,
  listInvites,
  revokeInvite,
} from "../../storage/sql/queries/invites.ts";
import { MeshError } from "../api/errors.ts";
import type { invites as contract } from "../api/invites.ts";
import type { Handlers } from "../api/op.ts";
import type { Call } from "../core/context.ts";
import type { Mesh } from "../core/model.ts";

const LONGEST_LIFE_MS = 366 * 86_400_000;

type CreateInput = Parameters<Handlers<typeof contract, Call>["createInvite"]>[1];

export const invites: Handlers<typeof contract, Call> = {
  async createInvite(call, input) {
    const { broker, connection: { mesh, member } } = call;
    const nowMs = broker.clock.now();
    requireLife(input.expiresAt, nowMs);
    requireEpoch(mesh, input);
    requireSigned(mesh, member.pubkey, input);
    await broker.ledger.transact(mesh, async (tx) => {
      const limit = broker.settings.limits.invitesPerMesh;
      if (await countUsableInvites(tx, mesh.id, nowMs) >= limit) {
        throw new MeshError(
          "limit",
          `this mesh has ${limit} invites that can still be used; revoke some first`,
          { data: { limit } },
        );
      }
      const added = await insertInvite(tx, {
        id: input.inviteId,
        meshId: mesh.id,
        code: input.code,
        role: input.role,
        maxUses: input.maxUses,
        preset: input.preset?.groups === undefined ? {} : { groups: input.preset.groups },
        inviterPubkey: member.pubkey,
        canonical: input.canonical,
        signature: input.signature,
        sealedSecret: input.sealedSecret,
        secretEpoch: input.epoch,
        createdBy: member.id,
        createdAtMs: nowMs,
        expiresAtMs: input.expiresAt,
      });
      if (!added) {
        throw new MeshError("already_exists", "this code or id is taken; make another at random");
      }
      const { inviteId, role, maxUses } = input;
      const payload = { inviteId, role, maxUses };
      return { result: null, audits: [{ event: "invite_created", actor: member, payload }] };
    });
    return {
      inviteId: input.inviteId,
      code: input.code,
      url: `${broker.publicUrl()}/i/${input.code}`,
      expiresAt: new Date(input.expiresAt).toISOString(),
    };
  },

  async listInvites({ broker, connection: { mesh } }) {
    const rows = await listInvites(broker.sql, mesh.id, broker.settings.limits.invitesPerMesh);
    return {
      invites: rows.map((row) => ({
        inviteId: row.id,
        code: row.code ?? "",
        role: row.role,
        maxUses: row.maxUses,
        usedCount: row.usedCount,
        expiresAt: row.expiresAt.toISOString(),
        revokedAt: row.revokedAt?.toISOString() ?? null,
        createdBy: mesh.membersById.get(row.createdBy ?? "")?.displayName ?? "",
      })),
    };
  },

  async revokeInvite({ broker, connection: { mesh, member } }, { code }) {
    const nowMs = broker.clock.now();
    await broker.ledger.transact(mesh, async (tx) => {
      const inviteId = await revokeInvite(tx, mesh.id, code, nowMs);
      if (inviteId === null) {
        throw new MeshError("not_found", `this mesh has no invite "${code}"; list them first`);
      }
      const payload = { inviteId };
      return { result: null, audits: [{ event: "invite_revoked", actor: member, payload }] };
    });
    return { code };
  },
};

function requireLife(expiresAt: number, nowMs: number): void {
  const message = expiresAt % 1000 !== 0
    ? "expiresAt must be whole seconds, in milliseconds"
    : expiresAt <= nowMs
    ? "expiresAt lies in the past"
    : expiresAt > nowMs + LONGEST_LIFE_MS
    ? "an invite lives a year at most"
    : null;
  if (message === null) return;
  throw new MeshError("invalid_argument", message, { data: { field: "expiresAt" } });
}

/** The secret is sealed under a key that members still have; without one there is nothing to say about the epoch. */
function requireEpoch(mesh: Mesh, input: CreateInput): void {
  if (input.sealedSecret === "" || (input.epoch > 0 && input.epoch <= mesh.epoch)) return;
  throw new MeshError("invalid_argument", `the mesh has no epoch ${input.epoch}`, {
    data: { field: "epoch" },
  });
}

function requireSigned(mesh: Mesh, pubkey: string, input: CreateInput): void {
  const canonical = inviteCanonical({
    meshId: mesh.id,
    inviteId: input.inviteId,
    expiresAtUnixS: input.expiresAt / 1000,
    role: input.role,
    ownerPubkey: mesh.ownerPubkey,
  });
  if (input.canonical === canonical && verify(canonical, input.signature, pubkey)) return;
  throw new MeshError(
    "bad_signature",
    "the invite's canonical text is not made of these fields, or not signed by your member key",
  );
}
