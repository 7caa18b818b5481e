/** Which mesh keys an agent believes. */
import assert from "node:assert/strict";
import { toBase64Url } from "../../crypto/bytes.ts";
import { handoverMac, newInviteSecret } from "../../crypto/invite_v2.ts";
import { makeRotationProof, newEpochKey, sealKeyFor } from "../../crypto/mesh_key.ts";
import { generateKeyPair, type KeyPair } from "../../crypto/sign.ts";
import type { AgentHome, JoinedMesh, KeptEpoch } from "./agent_home.ts";
import { JOIN_SECRET, Keyring, type OfferedKey } from "./keyring.ts";

const OWNER = generateKeyPair();
const ADMIN = generateKeyPair();
const EVE = generateKeyPair();
const OWN = generateKeyPair();
const SECRET = newInviteSecret();
const DAY_MS = 86_400_000;

const MESH: JoinedMesh = {
  meshId: "mesh1",
  slug: "team",
  name: "Team",
  memberId: "member1",
  pubkey: OWN.publicKey,
  brokerUrl: "http://127.0.0.1:1",
  role: "member",
  ownerPubkey: OWNER.publicKey,
  custody: "members",
  displayName: "Bob",
  joinedAt: "2026-11-21T10:00:00.000Z",
};

/** The files of a keyring, in memory. */
function files(secret: Uint8Array | null): AgentHome {
  let epochs = new Map<number, KeptEpoch>();
  const secrets = new Map<string, string>();
  if (secret !== null) secrets.set(JOIN_SECRET, toBase64Url(secret));
  const part: Partial<AgentHome> = {
    readEpochs: () => new Map(epochs),
    writeEpochs: (_meshId, written) => {
      epochs = new Map(written);
    },
    readInviteSecrets: () => new Map(secrets),
  };
  return part as AgentHome;
}

function offer(
  epoch: number,
  key: Uint8Array,
  by: KeyPair,
  previousKey: Uint8Array | null,
  mac: { secret: Uint8Array; ownerPubkey?: string } | null = null,
): OfferedKey {
  const sealedKey = sealKeyFor(OWN.publicKey, key);
  const handover = {
    meshId: "mesh1",
    ownerPubkey: mac?.ownerPubkey ?? OWNER.publicKey,
    joinerPubkey: OWN.publicKey,
    epoch,
    sealedKey,
  };
  return {
    epoch,
    sealedKey,
    proof: makeRotationProof({ meshId: "mesh1", epoch, newKey: key, previousKey }, by.secretKey),
    handoverMac: mac === null ? null : handoverMac(handover, mac.secret),
  };
}

function ring(secret: Uint8Array | null = SECRET, mesh = MESH, home = files(secret)): Keyring {
  return new Keyring(home, mesh, OWN, () => 100 * DAY_MS);
}

const FIRST = newEpochKey();
const SECOND = newEpochKey();

Deno.test("the first key of a joiner is believed with a MAC under the link's secret alone", () => {
  assert.equal(ring().offer(offer(1, FIRST, OWNER, null)), "refused");
  assert.equal(
    ring().offer(offer(1, FIRST, OWNER, null, { secret: newInviteSecret() })),
    "refused",
  );
  const otherOwner = { secret: SECRET, ownerPubkey: EVE.publicKey };
  assert.equal(ring().offer(offer(1, FIRST, OWNER, null, otherOwner)), "refused");
  assert.equal(ring().offer(offer(1, FIRST, OWNER, null, { secret: SECRET })), "accepted");
  assert.equal(ring().offer(offer(7, FIRST, ADMIN, SECOND, { secret: SECRET })), "accepted");
});

Deno.test("who joined without the secret believes the first key", () => {
  assert.equal(ring(null).offer(offer(1, FIRST, OWNER, null)), "accepted");
  assert.equal(ring(null).offer(offer(5, FIRST, ADMIN, SECOND)), "accepted");
});

Deno.test("later keys are believed by the owner's word or by the chain, nobody else's", () => {
  const start = () => {
    const keys = ring();
    keys.offer(offer(1, FIRST, OWNER, null, { secret: SECRET }));
    return keys;
  };
  assert.equal(start().offer(offer(2, SECOND, ADMIN, FIRST)), "accepted");
  assert.equal(start().offer(offer(2, SECOND, OWNER, null)), "accepted");
  assert.equal(start().offer(offer(2, SECOND, EVE, newEpochKey())), "refused");
  assert.equal(start().offer(offer(2, SECOND, EVE, null)), "refused");
  // The chain is broken between 1 and 3.
  assert.equal(start().offer(offer(3, newEpochKey(), ADMIN, SECOND)), "refused");
});

Deno.test("a second, different key of an epoch is refused, the same one is known", () => {
  const keys = ring();
  keys.offer(offer(1, FIRST, OWNER, null, { secret: SECRET }));
  assert.equal(keys.offer(offer(1, FIRST, OWNER, null)), "held");
  assert.equal(keys.offer(offer(1, SECOND, OWNER, null, { secret: SECRET })), "refused");
  assert.deepEqual(keys.get(1), FIRST);
});

Deno.test("a proof for another key, epoch or mesh is refused", () => {
  const good = offer(1, FIRST, OWNER, null, { secret: SECRET });
  const other = offer(1, SECOND, OWNER, null, { secret: SECRET });
  assert.equal(ring().offer({ ...good, proof: other.proof }), "refused");
  assert.equal(ring().offer({ ...good, epoch: 2 }), "refused");
  assert.equal(ring(SECRET, { ...MESH, meshId: "mesh2" }).offer(good), "refused");
  assert.equal(ring().offer({ ...good, sealedKey: sealKeyFor(EVE.publicKey, FIRST) }), "refused");
});

Deno.test("under custody broker the broker's copies are believed", () => {
  const keys = ring(SECRET, { ...MESH, custody: "broker" });
  assert.equal(keys.offer(offer(4, FIRST, ADMIN, SECOND)), "accepted");
});

Deno.test("keys outlive a restart, and go 30 days after they were superseded", () => {
  const home = files(SECRET);
  let nowMs = 0;
  const open = () => new Keyring(home, MESH, OWN, () => nowMs);
  const keys = open();
  keys.offer(offer(1, FIRST, OWNER, null, { secret: SECRET }));
  nowMs = 60 * DAY_MS;
  keys.offer(offer(2, SECOND, ADMIN, FIRST));
  nowMs = 90 * DAY_MS;
  assert.deepEqual(open().get(1), FIRST);
  nowMs += 1;
  assert.equal(open().get(1), null);
  assert.deepEqual(open().get(2), SECOND);
  assert.equal(open().newest, 2);
});
