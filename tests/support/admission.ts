/**
 * Meshes, invites and joiners for tests: bodies as an agent makes them, and the requests that carry them.
 */
import { createMeshText } from "../../broker/api/mesh.ts";
import { toBase64 } from "../../crypto/bytes.ts";
import { inviteCanonical, makeClaim } from "../../crypto/invite_v2.ts";
import { makeRotationProof, newEpochKey, sealKeyFor } from "../../crypto/mesh_key.ts";
import { randomCode, randomId } from "../../crypto/random.ts";
import { generateKeyPair, type KeyPair, sign } from "../../crypto/sign.ts";
import type { Sql } from "../../storage/sql/port.ts";
import { TestBroker, type TestBrokerOptions } from "./broker.ts";
import type { PeerIdentity } from "./peer.ts";

/** A mesh that was made over HTTP, with what its owner's agent knows. */
export interface FoundedMesh {
  readonly meshId: string;
  readonly slug: string;
  readonly custody: "members" | "broker";
  readonly owner: KeyPair;
  readonly ownerMemberId: string;
  /** The key of epoch 1. */
  readonly key: Uint8Array;
}

/** Runs `run` with a broker on `sql` and its address; closes it at the end. */
export async function withBroker(
  sql: Sql,
  options: TestBrokerOptions,
  run: (test: TestBroker, url: string) => Promise<void>,
): Promise<void> {
  const test = await TestBroker.start(sql, options);
  try {
    await run(test, test.broker.url);
  } finally {
    await test.close();
  }
}

/** The owner of a mesh, to say hello with. */
export function ownerOf(mesh: FoundedMesh): PeerIdentity {
  return { id: mesh.ownerMemberId, meshId: mesh.meshId, keys: mesh.owner };
}

/** An HTTP answer, read. */
export interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

/** Sends `body` as JSON and reads the JSON answer. */
export async function post(
  url: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: await response.json() };
}

/** A signed body of `POST /meshes`; `fields` replace what it would hold, after signing if `unsigned`. */
export function creationBody(
  fields: {
    readonly slug?: string;
    readonly custody?: "members" | "broker";
    readonly owner?: KeyPair;
    readonly key?: Uint8Array;
    readonly meshId?: string;
    readonly timestamp?: number;
  } = {},
): Record<string, unknown> {
  const owner = fields.owner ?? generateKeyPair();
  const key = fields.key ?? newEpochKey();
  const meshId = fields.meshId ?? randomId();
  const signed = {
    slug: fields.slug ?? `team-${randomCode(8).toLowerCase()}`,
    pubkey: owner.publicKey,
    custody: fields.custody ?? "members",
    timestamp: fields.timestamp ?? Date.now(),
  };
  const rotation = { meshId, epoch: 1, newKey: key, previousKey: null };
  return {
    ...signed,
    mesh_id: meshId,
    name: "Team",
    display_name: "Olga",
    signature: sign(createMeshText(signed), owner.secretKey),
    sealed_key: sealKeyFor(owner.publicKey, key),
    proof: makeRotationProof(rotation, owner.secretKey),
    ...(signed.custody === "broker" ? { broker_key: toBase64(key) } : {}),
  };
}

/** Makes a mesh at the broker. */
export async function foundTestMesh(
  brokerUrl: string,
  custody: "members" | "broker" = "members",
): Promise<FoundedMesh> {
  const owner = generateKeyPair();
  const key = newEpochKey();
  const { status, body } = await post(
    `${brokerUrl}/meshes`,
    creationBody({ owner, key, custody }),
  );
  if (status !== 201) throw new Error(`POST /meshes: ${status} ${JSON.stringify(body)}`);
  return {
    meshId: String(body.mesh_id),
    slug: String(body.slug),
    custody,
    owner,
    ownerMemberId: String(body.member_id),
    key,
  };
}

/** The input of `create_invite`, signed by `maker`, good for an hour unless told. */
export function inviteInput(
  mesh: FoundedMesh,
  maker: KeyPair,
  fields: {
    readonly role?: "admin" | "member";
    readonly maxUses?: number;
    readonly expiresAt?: number;
    readonly code?: string;
  } = {},
) {
  const inviteId = randomId();
  const expiresAt = fields.expiresAt ?? Math.floor(Date.now() / 1000 + 3600) * 1000;
  const role = fields.role ?? "member";
  const canonical = inviteCanonical({
    meshId: mesh.meshId,
    inviteId,
    expiresAtUnixS: expiresAt / 1000,
    role,
    ownerPubkey: mesh.owner.publicKey,
  });
  return {
    inviteId,
    code: fields.code ?? randomCode(8),
    role,
    maxUses: fields.maxUses ?? 1,
    expiresAt,
    canonical,
    signature: sign(canonical, maker.secretKey),
    sealedSecret: "",
    epoch: 1,
  };
}

/** The body of a claim of `code` by `joiner`; with `secret` it carries the MAC. */
export function claimBody(
  code: string,
  joiner: KeyPair,
  fields: { readonly secret?: Uint8Array; readonly name?: string; readonly timestamp?: number } =
    {},
): Record<string, unknown> {
  const claim = makeClaim(
    {
      code,
      displayName: fields.name ?? "Bert",
      timestamp: fields.timestamp ?? Date.now(),
    },
    joiner.secretKey,
    fields.secret ?? null,
  );
  return {
    peer_pubkey: claim.peerPubkey,
    recipient_x25519_pubkey: claim.recipientX25519Pubkey,
    display_name: claim.displayName,
    timestamp: claim.timestamp,
    signature: claim.signature,
    ...(claim.mac === null ? {} : { mac: claim.mac }),
  };
}

/** Claims `code` at the broker. */
export async function claim(
  brokerUrl: string,
  code: string,
  joiner: KeyPair,
  fields: Parameters<typeof claimBody>[2] = {},
): Promise<Answer> {
  return await post(`${brokerUrl}/invites/${code}/claim`, claimBody(code, joiner, fields));
}
