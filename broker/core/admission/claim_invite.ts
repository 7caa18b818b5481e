/**
 * `POST /invites/:code/claim`: joining by a short link (reference protocol 4.8, CONTRACTS 4). The broker checks that the
 * joiner holds the keys it names; the MAC under the link's secret it can only keep, for a member to check.
 */
import { fromBase64, toBase64Url } from "../../../crypto/bytes.ts";
import { checkClaim, claimText } from "../../../crypto/invite_v2.ts";
import { MeshError } from "../../api/errors.ts";
import type { ClaimBody, ClaimResult } from "../../api/invites.ts";
import type { BrokerContext } from "../context.ts";
import { admit } from "./admit.ts";
import { findInvite } from "./find_invite.ts";

/**
 * Claims the invite `code`.
 * @throws {MeshError} `malformed`, `timestamp_skew`, `bad_signature`, what `findInvite` and `admit` throw.
 */
export async function claimInvite(
  broker: BrokerContext,
  code: string,
  body: ClaimBody,
): Promise<ClaimResult> {
  const claim = {
    code,
    peerPubkey: body.peer_pubkey,
    recipientX25519Pubkey: body.recipient_x25519_pubkey,
    displayName: body.display_name,
    timestamp: body.timestamp,
    signature: body.signature,
  };
  const { mesh, invite } = await findInvite(broker, code);
  requireProof(checkClaim(claim, broker.clock.now()));
  const { member, alreadyMember, sealedKey } = await admit(broker, mesh, invite, {
    pubkey: claim.peerPubkey,
    displayName: claim.displayName,
    claimText: claimText(claim),
    claimMac: body.mac ?? null,
  });
  return {
    mesh_id: mesh.id,
    slug: mesh.slug,
    name: mesh.name,
    broker_url: broker.publicUrl(),
    member_id: member.id,
    role: member.role,
    owner_pubkey: mesh.ownerPubkey,
    inviter_pubkey: invite.inviterPubkey ?? mesh.ownerPubkey,
    custody: mesh.custody,
    canonical_v2: invite.canonical ?? "",
    signature: invite.signature ?? "",
    epoch: mesh.epoch,
    already_member: alreadyMember,
    sealed_root_key: sealedKey === null ? null : toBase64Url(fromBase64(sealedKey)),
  };
}

function requireProof(refusal: ReturnType<typeof checkClaim>): void {
  if (refusal === null) return;
  const message = {
    malformed: "recipient_x25519_pubkey must be the conversion of peer_pubkey, a valid Ed25519 key",
    timestamp_skew: "your clock and the broker's differ by more than a minute; set your clock",
    bad_signature: "the claim is not signed by peer_pubkey",
  }[refusal];
  throw new MeshError(refusal, message);
}
