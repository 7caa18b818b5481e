/**
 * Judges a member that waits for the mesh key: whether its claim was made by a holder of the invite's link, for exactly
 * the key that the broker names now.
 */
import type { KeyRequest } from "../../broker/api/mesh_keys.ts";
import { toBase64Url } from "../../crypto/bytes.ts";
import { checkClaimMac, type ClaimFields, claimText } from "../../crypto/invite_v2.ts";
import { x25519PublicKeyOrNull } from "../../crypto/x25519.ts";

/** Whether the request holds under the link's secret (16 bytes). Never throws on what a broker sent. */
export function isProvenRequest(request: KeyRequest, secret: Uint8Array): boolean {
  const claim = readClaimText(request.claimText);
  if (claim === null || request.claimMac === null) return false;
  // A dishonest broker would put its own key beside somebody's good claim.
  if (claim.peerPubkey !== request.pubkey) return false;
  if (request.inviteCode !== null && claim.code !== request.inviteCode) return false;
  const converted = x25519PublicKeyOrNull(claim.peerPubkey);
  if (converted === null || toBase64Url(converted) !== claim.recipientX25519Pubkey) return false;
  return checkClaimMac({ ...claim, signature: "", mac: request.claimMac }, secret);
}

/** The fields in the text of a claim (`claimText` in crypto/invite_v2.ts), null when it is none. */
export function readClaimText(text: string): ClaimFields | null {
  const parts = text.split("|");
  const [scheme, version, code, peerPubkey, recipientX25519Pubkey] = parts;
  const timestamp = Number(parts.at(-1));
  if (scheme !== "claudemesh-claim" || version !== "v2" || parts.length < 7) return null;
  if (code === undefined || peerPubkey === undefined || recipientX25519Pubkey === undefined) {
    return null;
  }
  // The name may hold the separator.
  const displayName = parts.slice(5, -1).join("|");
  const claim = { code, peerPubkey, recipientX25519Pubkey, displayName, timestamp };
  return claimText(claim) === text ? claim : null;
}
