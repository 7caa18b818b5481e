/**
 * Becoming a member: making a mesh or joining one by a link (CONTRACTS 4). The key is on disk before any broker hears of
 * it, so a try that broke off anywhere is taken up by the next one.
 */
import { ERRORS, MeshError } from "../../broker/api/errors.ts";
import type { Group } from "../../broker/api/fields.ts";
import { type ClaimResult, joinText } from "../../broker/api/invites.ts";
import { createMeshText } from "../../broker/api/mesh.ts";
import { fromBase64, toBase64, toBase64Url } from "../../crypto/bytes.ts";
import { parseInviteLink } from "../../crypto/invite_link.ts";
import { parseInviteV1 } from "../../crypto/invite_v1.ts";
import { inviteCanonical, makeClaim } from "../../crypto/invite_v2.ts";
import { sha256Hex } from "../../crypto/kdf.ts";
import {
  makeRotationProof,
  newEpochKey,
  type RotationProof,
  sealKeyFor,
} from "../../crypto/mesh_key.ts";
import { generateKeyPair, type KeyPair, sign, verify } from "../../crypto/sign.ts";
import type { AgentHome, JoinedMesh } from "./agent_home.ts";
import { brokerBaseUrl } from "./broker_url.ts";
import { postClaim, postJoin, postMesh } from "./http_client.ts";
import { JOIN_SECRET } from "./keyring.ts";
import { LocalError } from "./local_error.ts";

export interface NewMesh {
  /** Address of the broker, HTTP or WebSocket. */
  readonly brokerUrl: string;
  /** Lower-case letters, digits and dashes. */
  readonly slug: string;
  readonly name: string;
  readonly displayName: string;
  readonly custody: "members" | "broker";
  /** Groups that this peer is in from the beginning. */
  readonly groups?: readonly Group[];
  /** Allows making meshes at a broker that is not on this machine. */
  readonly operatorToken?: string;
}

export interface JoinWishes {
  readonly displayName: string;
  /** Where the code is claimed when the text names no address. */
  readonly brokerUrl?: string;
}

/** What a join came to. */
export interface JoinOutcome {
  readonly mesh: JoinedMesh;
  readonly alreadyMember: boolean;
  /** False: joined without the link's secret; nobody can tell for sure that link and broker are honest. */
  readonly verified: boolean;
  /** True: group messages work at once; else a member hands the key over first. */
  readonly hasMeshKey: boolean;
}

const FIRST_EPOCH = 1;
const MESH_ID_CHARS = 32;

/**
 * Makes a mesh with this peer as its owner. Throws LocalError `already_exists` when a joined mesh has this slug, the
 * broker's MeshError (`already_exists` with a free slug among the candidates), or as `postMesh`.
 */
export async function createMesh(home: AgentHome, wishes: NewMesh): Promise<JoinedMesh> {
  const brokerUrl = brokerBaseUrl(wishes.brokerUrl);
  const { slug, name, displayName, custody } = wishes;
  if (home.readConfig().meshes.some((mesh) => mesh.slug === slug)) {
    throw new LocalError("already_exists", `a mesh "${slug}" is joined here already`, {
      hint: "choose another slug, or leave that mesh first",
    });
  }
  const purpose = `create ${brokerUrl} ${slug}`;
  const member = pendingMember(home, purpose);
  const { publicKey: pubkey, secretKey } = member;
  // Derived from the key, so that a second try asks for the same mesh and gets the first try's answer.
  const meshId = sha256Hex(`claudemesh-mesh|${pubkey}`).slice(0, MESH_ID_CHARS);
  const { key, proof } = firstEpoch(home, meshId, member);
  const timestamp = Date.now();
  const body = {
    mesh_id: meshId,
    slug,
    name,
    pubkey,
    display_name: displayName,
    custody,
    timestamp,
    signature: sign(createMeshText({ slug, pubkey, custody, timestamp }), secretKey),
    sealed_key: sealKeyFor(pubkey, key),
    proof,
    ...(wishes.groups === undefined ? {} : { default_groups: [...wishes.groups] }),
    ...(custody === "broker" ? { broker_key: toBase64(key) } : {}),
  };
  const result = await postMesh(brokerUrl, body, wishes.operatorToken ?? null).catch((error) => {
    // Refused for good: nothing of this try is worth keeping.
    if (error instanceof MeshError && !ERRORS[error.code].retry) {
      home.forgetMesh(meshId);
      home.dropPendingKey(purpose);
    }
    throw error;
  });
  const mesh: JoinedMesh = {
    meshId,
    slug: result.slug,
    name,
    memberId: result.member_id,
    pubkey,
    brokerUrl,
    role: "owner",
    ownerPubkey: pubkey,
    custody,
    displayName,
    joinedAt: new Date().toISOString(),
  };
  adopt(home, purpose, mesh, member, null);
  return mesh;
}

/**
 * Joins a mesh by a link, a code or a version 1 token. Throws LocalError `bad_invite`, `bad_signature`, `already_exists`,
 * the broker's MeshError, or as `postClaim`.
 */
export async function joinMesh(
  home: AgentHome,
  text: string,
  wishes: JoinWishes,
): Promise<JoinOutcome> {
  const link = parseInviteLink(text);
  switch (link.kind) {
    case "code": {
      const address = link.publicUrl ?? wishes.brokerUrl;
      if (address === undefined) {
        throw new LocalError("bad_invite", "a code alone does not say which broker it is from", {
          hint: "paste the whole link, or name the broker: --broker https://host",
        });
      }
      return await claim(home, brokerBaseUrl(address), link.code, link.secret, wishes);
    }
    case "token":
      return await joinByToken(home, link.token, wishes);
    case "invalid":
      throw new LocalError(
        "bad_invite",
        link.reason === "bad_secret"
          ? "the part of the link after # is damaged"
          : "this is no invite link, code or token",
        { hint: "copy the whole link again; it ends with # and 22 characters" },
      );
  }
}

async function claim(
  home: AgentHome,
  brokerUrl: string,
  code: string,
  secret: Uint8Array | null,
  wishes: JoinWishes,
): Promise<JoinOutcome> {
  requireUnusedInvite(home, brokerUrl, code);
  const purpose = `join ${brokerUrl} ${code}`;
  const member = pendingMember(home, purpose);
  const made = makeClaim(
    { code, displayName: wishes.displayName, timestamp: Date.now() },
    member.secretKey,
    secret,
  );
  const result = await postClaim(brokerUrl, code, {
    peer_pubkey: made.peerPubkey,
    recipient_x25519_pubkey: made.recipientX25519Pubkey,
    display_name: made.displayName,
    timestamp: made.timestamp,
    signature: made.signature,
    ...(made.mac === null ? {} : { mac: made.mac }),
  });
  requireSignedInvite(result);
  const mesh: JoinedMesh = {
    meshId: result.mesh_id,
    slug: freeSlug(home, result.slug, result.mesh_id),
    name: result.name,
    memberId: result.member_id,
    pubkey: member.publicKey,
    brokerUrl,
    role: result.role,
    ownerPubkey: result.owner_pubkey,
    custody: result.custody,
    displayName: wishes.displayName,
    joinedAt: new Date().toISOString(),
  };
  adopt(home, purpose, mesh, member, secret === null ? null : { code, secret });
  const hasMeshKey = result.sealed_root_key !== null;
  return { mesh, alreadyMember: result.already_member, verified: secret !== null, hasMeshKey };
}

async function joinByToken(
  home: AgentHome,
  token: string,
  wishes: JoinWishes,
): Promise<JoinOutcome> {
  const parsed = parseInviteV1(token, Date.now());
  if (!parsed.ok) {
    const code = parsed.reason === "expired" ? "expired" : "bad_invite";
    throw new LocalError(code, `this invite token is ${parsed.reason.replace("_", " ")}`, {
      hint: "ask for a new invite",
    });
  }
  const { invite } = parsed;
  const brokerUrl = brokerBaseUrl(invite.brokerUrl);
  const purpose = `join ${brokerUrl} ${token}`;
  const member = pendingMember(home, purpose);
  const body = {
    invite_token: token,
    peer_pubkey: member.publicKey,
    display_name: wishes.displayName,
    timestamp: Date.now(),
  };
  const result = await postJoin(brokerUrl, {
    ...body,
    signature: sign(joinText(body), member.secretKey),
  });
  if (result.meshId !== invite.meshId || result.ownerPubkey !== invite.ownerPubkey) {
    throw new LocalError("bad_signature", "the broker let in to another mesh than the token names");
  }
  const mesh: JoinedMesh = {
    meshId: result.meshId,
    slug: freeSlug(home, result.slug, result.meshId),
    name: result.name,
    memberId: result.memberId,
    pubkey: member.publicKey,
    brokerUrl,
    role: result.role,
    ownerPubkey: result.ownerPubkey,
    custody: result.custody,
    displayName: wishes.displayName,
    joinedAt: new Date().toISOString(),
  };
  adopt(home, purpose, mesh, member, null);
  const alreadyMember = result.alreadyMember === true;
  return { mesh, alreadyMember, verified: false, hasMeshKey: false };
}

/** A second use of a link by the same person would take the place of somebody it was meant for. */
function requireUnusedInvite(home: AgentHome, brokerUrl: string, code: string): void {
  const joined = home.readConfig().meshes.find((mesh) =>
    mesh.brokerUrl === brokerUrl && home.readInviteSecrets(mesh.meshId).has(code)
  );
  if (joined === undefined) return;
  throw new LocalError("already_exists", `you are a member of "${joined.slug}" already`, {
    hint: `send to it with \`claudemesh send --mesh ${joined.slug}\``,
  });
}

/** Whether the invite's text is about this mesh and its owner, and the inviter has signed it. */
function requireSignedInvite(result: ClaimResult): void {
  const { canonical_v2: canonical, mesh_id: meshId, owner_pubkey: ownerPubkey } = result;
  const [, , inviteId = "", expiresAt = "", role = ""] = canonical.split("|");
  const expected = inviteCanonical({
    meshId,
    inviteId,
    expiresAtUnixS: Number(expiresAt),
    role,
    ownerPubkey,
  });
  const isSigned = canonical === expected &&
    verify(canonical, result.signature, result.inviter_pubkey);
  if (isSigned) return;
  throw new LocalError(
    "bad_signature",
    "the broker's answer does not carry a validly signed invite",
    {
      hint: "do not use this broker before the one who invited you has confirmed its address",
    },
  );
}

/**
 * Keeps a mesh that was joined: secret, key, entry, each durable. The pending key goes last, so that a try that breaks
 * off in here is met again by the next one.
 */
function adopt(
  home: AgentHome,
  purpose: string,
  mesh: JoinedMesh,
  member: KeyPair,
  invite: { readonly code: string; readonly secret: Uint8Array } | null,
): void {
  const { meshId } = mesh;
  const joined = home.readConfig().meshes.find((each) => each.meshId === meshId);
  if (joined !== undefined && joined.pubkey !== member.publicKey) {
    home.dropPendingKey(purpose);
    throw new LocalError("already_exists", `the mesh is joined here already, as ${joined.slug}`, {
      hint: "go on with it; an admin may remove the second member that this invite has made",
    });
  }
  if (invite !== null) {
    const secret = toBase64Url(invite.secret);
    home.addInviteSecret(meshId, JOIN_SECRET, secret);
    home.addInviteSecret(meshId, invite.code, secret);
  }
  home.writeMemberKey(meshId, member);
  addMesh(home, mesh);
  home.dropPendingKey(purpose);
}

function addMesh(home: AgentHome, mesh: JoinedMesh): void {
  home.updateConfig((config) => ({
    ...config,
    meshes: [...config.meshes.filter((each) => each.meshId !== mesh.meshId), mesh],
  }));
}

/** The slug to know a joined mesh by: the broker's, with a number where another joined mesh has it. */
function freeSlug(home: AgentHome, slug: string, meshId: string): string {
  const taken = new Set(
    home.readConfig().meshes.filter((each) => each.meshId !== meshId).map((each) => each.slug),
  );
  let free = slug;
  for (let number = 2; taken.has(free); number++) free = `${slug}-${number}`;
  return free;
}

/** The first epoch's key with its proof, of an earlier try or new; on disk in any case. */
function firstEpoch(
  home: AgentHome,
  meshId: string,
  member: KeyPair,
): { key: Uint8Array; proof: RotationProof } {
  const kept = home.readEpochs(meshId).get(FIRST_EPOCH);
  if (kept !== undefined) return { key: fromBase64(kept.key), proof: kept.proof as RotationProof };
  const key = newEpochKey();
  const rotation = { meshId, epoch: FIRST_EPOCH, newKey: key, previousKey: null };
  const proof = makeRotationProof(rotation, member.secretKey);
  const epoch = { key: toBase64(key), proof, atMs: Date.now() };
  home.writeEpochs(meshId, new Map([[FIRST_EPOCH, epoch]]));
  return { key, proof };
}

/** The key of an earlier try with the same invite, else a new one; on disk in any case. */
function pendingMember(home: AgentHome, purpose: string): KeyPair {
  const known = home.readPendingKey(purpose);
  if (known !== null) return known;
  const made = generateKeyPair();
  home.writePendingKey(purpose, made);
  return made;
}
