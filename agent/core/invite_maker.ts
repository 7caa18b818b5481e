/**
 * Makes an invite: signed with this member's key, its secret sealed for the agents that check claims, the link put
 * together here, because the broker must not know the secret (CONTRACTS 4).
 */
import type { Group } from "../../broker/api/fields.ts";
import { invites } from "../../broker/api/invites.ts";
import { toBase64Url } from "../../crypto/bytes.ts";
import { formatInviteLink } from "../../crypto/invite_link.ts";
import { inviteCanonical, newInviteSecret } from "../../crypto/invite_v2.ts";
import { randomCode, randomId } from "../../crypto/random.ts";
import { type KeyPair, sign } from "../../crypto/sign.ts";
import type { AgentHome, JoinedMesh } from "./agent_home.ts";
import { sealInviteSecret } from "./invite_secret.ts";
import type { Keyring } from "./keyring.ts";
import type { MeshPeerApi } from "./mesh_peer_api.ts";

export interface InviteWishes {
  readonly role?: "admin" | "member";
  readonly uses?: number;
  readonly expiresInMs?: number;
  readonly groups?: readonly Group[];
}

export interface InviteMakerParts {
  readonly mesh: JoinedMesh;
  readonly member: KeyPair;
  readonly keyring: Keyring;
  readonly home: AgentHome;
  readonly publicUrl: string;
  readonly call: MeshPeerApi["call"];
  now(): number;
}

const DEFAULT_LIFE_MS = 7 * 24 * 60 * 60 * 1000;
const CODE_CHARS = 8;

/** Registers an invite and returns its link. Rejects as `call` does; a lost answer leaves an unused invite. */
export async function makeInvite(
  wishes: InviteWishes,
  parts: InviteMakerParts,
): Promise<{ url: string; code: string; expiresAt: string }> {
  const { mesh, member, keyring, home, publicUrl } = parts;
  const secret = newInviteSecret();
  const code = randomCode(CODE_CHARS);
  const inviteId = randomId();
  const role = wishes.role ?? "member";
  const expiresAtUnixS = Math.ceil((parts.now() + (wishes.expiresInMs ?? DEFAULT_LIFE_MS)) / 1000);
  const { meshId, ownerPubkey } = mesh;
  const canonical = inviteCanonical({ meshId, inviteId, expiresAtUnixS, role, ownerPubkey });
  const epoch = keyring.newest;
  const key = keyring.get(epoch);
  // Kept here before anybody can use the link, so that this agent can check a claim in any case.
  home.addInviteSecret(meshId, code, toBase64Url(secret));
  const { expiresAt } = await parts.call(invites.createInvite, {
    inviteId,
    code,
    role,
    maxUses: wishes.uses ?? 1,
    expiresAt: expiresAtUnixS * 1000,
    canonical,
    signature: sign(canonical, member.secretKey),
    sealedSecret: key === null ? "" : sealInviteSecret(secret, key),
    epoch,
    ...(wishes.groups === undefined ? {} : { preset: { groups: [...wishes.groups] } }),
  });
  return { url: formatInviteLink(publicUrl, code, secret), code, expiresAt };
}
