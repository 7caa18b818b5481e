/**
 * `POST /join`: joining by a long version 1 token (reference protocol 4.7). Such tokens are read, never made. Role and
 * limits come from the invite's row, the token must be the one encoding of what it says (D9), and the joiner proves that
 * it holds the key that it names (D70).
 */
import { encodeInviteV1, type InviteV1, parseInviteV1 } from "../../../crypto/invite_v1.ts";
import { verify } from "../../../crypto/sign.ts";
import { findInviteByToken } from "../../../storage/sql/queries/invites.ts";
import { MeshError } from "../../api/errors.ts";
import { type JoinBody, type JoinResult, joinText } from "../../api/invites.ts";
import type { BrokerContext } from "../context.ts";
import type { Mesh } from "../model.ts";
import { admit } from "./admit.ts";
import { requireLive } from "./find_invite.ts";

/**
 * Joins by the token in `body`.
 * @throws {MeshError} `malformed`, `bad_signature`, `not_found`, `revoked`, `expired`, `timestamp_skew`,
 * `invalid_argument`, what `admit` throws.
 */
export async function joinByToken(broker: BrokerContext, body: JoinBody): Promise<JoinResult> {
  const nowMs = broker.clock.now();
  const claimText = requireProof(broker, body, nowMs);
  const token = readToken(body);
  const mesh = await broker.meshes.find(token.meshId);
  if (mesh === null) throw new MeshError("not_found", "the mesh of this invite does not exist");
  requireOwner(token, mesh);
  const invite = await findInviteByToken(broker.sql, body.invite_token);
  if (invite === null || invite.meshId !== mesh.id) {
    throw new MeshError("not_found", "this mesh has no such invite");
  }
  requireLive(invite, mesh, nowMs);
  if (token.expiresAtUnixS * 1000 <= nowMs) {
    throw new MeshError("expired", "this invite has expired; ask for a new one");
  }
  const { member, alreadyMember } = await admit(broker, mesh, invite, {
    pubkey: body.peer_pubkey,
    displayName: body.display_name,
    claimText,
    // The token itself has been at the broker: it proves nothing to the members.
    claimMac: null,
  });
  return {
    ok: true,
    memberId: member.id,
    ...(alreadyMember ? { alreadyMember } : {}),
    meshId: mesh.id,
    slug: mesh.slug,
    name: mesh.name,
    role: member.role,
    ownerPubkey: mesh.ownerPubkey,
    custody: mesh.custody,
    epoch: mesh.epoch,
    brokerUrl: broker.publicUrl(),
  };
}

/** Returns the text that the joiner signed, empty for a client of the original broker in compat mode. */
function requireProof(broker: BrokerContext, body: JoinBody, nowMs: number): string {
  const { timestamp, signature } = body;
  if (timestamp === undefined || signature === undefined) {
    if (broker.settings.compat) return "";
    throw new MeshError(
      "invalid_argument",
      "timestamp and signature are missing: prove that you hold peer_pubkey, or have the broker run with " +
        "CLAUDEMESH_COMPAT=1",
      { data: { field: "signature" } },
    );
  }
  if (Math.abs(nowMs - timestamp) > broker.settings.limits.helloWindowMs) {
    throw new MeshError(
      "timestamp_skew",
      "your clock and the broker's differ by more than a minute; set your clock",
    );
  }
  const text = joinText({ ...body, timestamp });
  if (!verify(text, signature, body.peer_pubkey)) {
    throw new MeshError("bad_signature", "the join is not signed by peer_pubkey");
  }
  return text;
}

function readToken(body: JoinBody): InviteV1 {
  // Expiry is looked at later, in the original's order; no token has expired at time 0.
  const parsed = parseInviteV1(body.invite_token, 0);
  if (!parsed.ok) {
    const message = parsed.reason === "bad_signature"
      ? "the invite is not signed by the owner key that it names"
      : "this is no invite token; it may have been cut off";
    throw new MeshError(parsed.reason, message);
  }
  const { invite } = parsed;
  const payload = body.invite_payload;
  const canonical = encodeInviteV1(invite) === body.invite_token &&
    (payload === undefined || encodePayload(payload) === body.invite_token);
  if (!canonical) {
    throw new MeshError("malformed", "the token is not the encoding of the invite that it holds");
  }
  return invite;
}

/** The token of a payload as the original's clients send it beside the token. */
function encodePayload(payload: Readonly<Record<string, unknown>>): string {
  return encodeInviteV1(
    {
      meshId: payload.mesh_id,
      meshSlug: payload.mesh_slug,
      brokerUrl: payload.broker_url,
      expiresAtUnixS: payload.expires_at,
      meshRootKey: payload.mesh_root_key,
      role: payload.role,
      ownerPubkey: payload.owner_pubkey,
      signature: payload.signature,
    } as InviteV1,
  );
}

function requireOwner(token: InviteV1, mesh: Mesh): void {
  if (token.ownerPubkey === mesh.ownerPubkey) return;
  throw new MeshError("bad_signature", "the invite is signed by another key than the mesh owner's");
}
