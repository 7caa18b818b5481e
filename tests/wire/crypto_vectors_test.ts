/**
 * Golden vectors of every format in crypto/.
 *
 * The first part holds the vectors of the original protocol (protocol.md 4.13); the second those of
 * our own formats, made with libsodium alone from toy keys (seeds of 32 equal bytes: 1 for A, 2 for
 * B, 3 for the owner O, 4 for the session S). A failure here means that existing peers no longer
 * understand us.
 */
import assert from "node:assert/strict";
import { AUDIT_GENESIS, auditHash } from "../../crypto/audit_hash.ts";
import { deriveBackupKey, openBackup } from "../../crypto/backup.ts";
import { boxSeal, secretboxSeal } from "../../crypto/box.ts";
import {
  concatBytes,
  fromHex,
  toBase64,
  toBase64Url,
  toHex,
  utf8Encode,
} from "../../crypto/bytes.ts";
import { openDirect, openDirectV1 } from "../../crypto/direct_message.ts";
import { openFileBlob } from "../../crypto/file_blob.ts";
import { openGroup } from "../../crypto/group_message.ts";
import {
  checkAttestation,
  checkHello,
  checkSessionHello,
  makeAttestation,
  signHello,
  signSessionHello,
} from "../../crypto/hello_proof.ts";
import { formatInviteLink } from "../../crypto/invite_link.ts";
import { encodeInviteV1, parseInviteV1, signInviteV1 } from "../../crypto/invite_v1.ts";
import {
  checkClaim,
  checkClaimMac,
  checkHandoverMac,
  handoverMac,
  inviteCanonical,
  makeClaim,
  signInviteV2,
  verifyInviteV2,
} from "../../crypto/invite_v2.ts";
import { sha256 } from "../../crypto/kdf.ts";
import { checkRotationProof, makeRotationProof, openSealedKey } from "../../crypto/mesh_key.ts";
import { encodeSignedBody, type MessageFields } from "../../crypto/message_body.ts";
import { safetyNumber } from "../../crypto/safety_number.ts";
import { keyPairFromSeed } from "../../crypto/sign.ts";
import { sharedBoxKey, toX25519PublicKey, toX25519SecretKey } from "../../crypto/x25519.ts";

const A = keyPairFromSeed(filled(32, 1));
const B = keyPairFromSeed(filled(32, 2));
const O = keyPairFromSeed(filled(32, 3));
const S = keyPairFromSeed(filled(32, 4));
const TIMESTAMP = 1_767_225_600_000;
const ATTESTATION_EXPIRES_AT = 1_767_229_200_000;
const INVITE_EXPIRES_AT = 1_767_830_400;
const NONCE = filled(24, 7);
const SEALED_FILE_KEY = "8avSbkAIQ1JL3S6WL/QPl6+GJPWCV/L9ac7KTL3/9nJICPLbhi8aAHglJ0JwLSoI" +
  "GK/Spg/ErcD+dJQFA6ynuhEMWvubessxLM3pW4xCDUo=";

function filled(length: number, value: number): Uint8Array {
  return new Uint8Array(length).fill(value);
}

Deno.test("key pairs come from their seeds as in the original", () => {
  assert.equal(A.publicKey, "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c");
  assert.equal(B.publicKey, "8139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394");
  assert.equal(O.publicKey, "ed4928c628d1c2c6eae90338905995612959273a5c63f93636c14614ac8737d1");
  assert.equal(S.publicKey, "ca93ac1705187071d67b83c7ff0efe8108e8ec4530575d7726879333dbdabe7c");
});

Deno.test("Ed25519 keys convert to X25519 as in the original", () => {
  const expected = {
    publicA: "1b1b58dd50ea14b60da17b790cd02754d970c9bab864ebb3c0f3016fe51d3f57",
    secretA: "58e86efb75fa4e2c410f46e16de9f6acae1a1703528651b69bc176c088bef36e",
    publicB: "60346e7c911a5f6ba154129174cafe75b294ac3bbd5549632f48cec6266f8410",
  };
  assert.equal(toHex(toX25519PublicKey(A.publicKey)), expected.publicA);
  assert.equal(toHex(toX25519SecretKey(A.secretKey)), expected.secretA);
  assert.equal(toHex(toX25519PublicKey(B.publicKey)), expected.publicB);
});

Deno.test("a hello is signed as in the original", () => {
  const fields = { meshId: "mesh_1", memberId: "member_1", timestamp: TIMESTAMP };
  const signature = "3d0ce424fe6474d6567ee370dc54a1117f2a3b6f60eec38559450404e6bb5aba" +
    "225957b1c681f298172a8bed03544475c024f970dfa45a9ddb190304f2c79a07";
  assert.equal(signHello(fields, A.secretKey), signature);
  assert.equal(checkHello({ ...fields, pubkey: A.publicKey, signature }, TIMESTAMP), null);
});

Deno.test("a session key is attested as in the original, and bound to its mesh besides", () => {
  const fields = {
    meshId: "mesh_1",
    sessionPubkey: S.publicKey,
    expiresAt: ATTESTATION_EXPIRES_AT,
  };
  const attestation = {
    sessionPubkey: S.publicKey,
    parentMemberPubkey: A.publicKey,
    expiresAt: ATTESTATION_EXPIRES_AT,
    signature: "10c82fe0eaa1d54592cdc1fe0d9e05ff94e29d1d3c05c6611c1932fdae129daf" +
      "b28b5529ca01e741c6a7f49b47434dc685c65197471d951acf19f34a8a384d03",
    meshSignature: "d46f252df077ceb591d585de0e96ed001cb52424d0bb3fe31c379a831463059d" +
      "22c8b079dac746a3b46fb6db770df3810f748c34e99630104e11215ecf18c405",
  };
  assert.deepEqual(makeAttestation(fields, A.secretKey), attestation);
  const context = {
    meshId: "mesh_1",
    parentMemberPubkey: A.publicKey,
    sessionPubkey: S.publicKey,
  };
  const required = { requireMeshSignature: true };
  assert.equal(checkAttestation(attestation, context, TIMESTAMP, required), null);
});

Deno.test("a session hello is signed as in the original", () => {
  const fields = { meshId: "mesh_1", parentMemberPubkey: A.publicKey, timestamp: TIMESTAMP };
  const signature = "8b18b42d1699fd61114f47f83dd7a21ab583e165de997f781a81e2ba6cdcc189" +
    "e85df050b6c5f93ba5baff3266f90b0dd123629603b092e5763aa3821348a30b";
  assert.equal(signSessionHello(fields, S.secretKey), signature);
  const hello = { ...fields, sessionPubkey: S.publicKey, signature };
  assert.equal(checkSessionHello(hello, TIMESTAMP), null);
});

Deno.test("an invite version 1 is signed, written and read as in the original", () => {
  const meshRootKey = "CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk";
  assert.equal(toBase64Url(filled(32, 9)), meshRootKey);
  const invite = signInviteV1({
    meshId: "mesh_1",
    meshSlug: "demo",
    brokerUrl: "wss://broker.example/ws",
    expiresAtUnixS: INVITE_EXPIRES_AT,
    meshRootKey,
    role: "member",
  }, O.secretKey);
  assert.equal(
    invite.signature,
    "83719f646bb4b3251d9a76863b57718bcc9855cd186945d0a62739b07e213b65" +
      "1303dffcc71ebcbc59a71821170dcba7ecde2116091c3e1736296a75277cde0f",
  );
  const token = encodeInviteV1(invite);
  assert.equal(token.length, 548);
  const hash = "b551e1e1090809b3dc3a73507bb10ffa69abba258224b622773f1284d13d7b24";
  assert.equal(toHex(sha256(token)), hash);
  assert.deepEqual(parseInviteV1(token, TIMESTAMP), { ok: true, invite });
});

Deno.test("an invite version 2 is signed as in the original", () => {
  const invite = {
    meshId: "mesh_1",
    inviteId: "inv_1",
    expiresAtUnixS: INVITE_EXPIRES_AT,
    role: "member",
    ownerPubkey: O.publicKey,
  };
  assert.equal(inviteCanonical(invite), `v=2|mesh_1|inv_1|1767830400|member|${O.publicKey}`);
  const signature = "db795f4402c72a6c7b6418dfa2a617cf95e562a804ec07f6813c3abd783d8712" +
    "be21cdf697d0364701e67bfd332dacc0223c025b36b7db9ff49e3e0e32509109";
  assert.equal(signInviteV2(invite, O.secretKey), signature);
  assert.ok(verifyInviteV2(invite, signature));
});

Deno.test("a direct message in body version 1 is boxed as in the original", () => {
  const boxKey = sharedBoxKey(toX25519SecretKey(A.secretKey), toX25519PublicKey(B.publicKey));
  const sealed = {
    nonce: "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH",
    ciphertext: "El43dP/W046OGNYsyoufuKjrHIqU3RwJz18=",
  };
  assert.equal(toBase64(NONCE), sealed.nonce);
  assert.equal(toBase64(boxSeal(utf8Encode("hello mesh"), NONCE, boxKey)), sealed.ciphertext);
  assert.equal(openDirectV1(sealed, B.secretKey, A.publicKey), "hello mesh");
});

Deno.test("a file blob and its sealed key are those of the original", () => {
  const fileKey = filled(32, 5);
  const box = "5781a93d63cb822f13439d6f82ce332781a2f6be27a4495b6c";
  const content = utf8Encode("file body");
  assert.equal(toHex(secretboxSeal(content, NONCE, fileKey)), box);
  assert.deepEqual(openFileBlob(concatBytes(NONCE, fromHex(box)), fileKey), content);
  assert.deepEqual(openSealedKey(B.secretKey, SEALED_FILE_KEY), fileKey);
});

Deno.test("a safety number is that of the original", () => {
  const hash = sha256(concatBytes(fromHex(B.publicKey), fromHex(A.publicKey)));
  assert.equal(toHex(hash), "071021128b34a2248ceb9ab15cb1c900426b6ef2038fe322b463673933e1c9e7");
  assert.equal(safetyNumber(A.publicKey, B.publicKey), "28930 70283 15586 98219 33621 31945");
});

Deno.test("a backup of the original's format opens, under the key that it names", async () => {
  const passphrase = "correct horse battery";
  const salt = filled(16, 8);
  assert.equal(
    toHex(await deriveBackupKey(passphrase, salt)),
    "af154d400e5b39b15d156b6f041809afb7fdd0bf6fc4a3af92024fc85a9496d6",
  );
  const sealed = fromHex("1e4b67a27189dc70497d56d89d4ea7ef3401");
  const file = concatBytes(utf8Encode("CMB1"), salt, NONCE, sealed);
  assert.deepEqual(await openBackup(file, passphrase), { ok: true, plain: utf8Encode("{}") });
});

Deno.test("audit entries hash as in the original", () => {
  const common = {
    prevHash: AUDIT_GENESIS,
    meshId: "mesh_1",
    createdAt: "2026-01-01T00:00:00.000Z",
  };
  const sent = {
    ...common,
    eventType: "message_sent",
    actorMemberId: "member_1",
    payload: { targetSpec: "*", priority: "next" },
  };
  const left = { ...common, eventType: "peer_left", actorMemberId: null, payload: {} };
  assert.equal(
    auditHash(sent),
    "294ee9ff5458cb5c2b13465a8a84dc7b61447ffe4fa355e9bf00252022eff0f0",
  );
  assert.equal(
    auditHash(left),
    "1d610d14f2840cdfed96fcc0d2adcb23f20ab474b22317514274eef60b3393f5",
  );
});

// Second part: our own formats.

const MESSAGE: MessageFields = {
  id: "message_1",
  mesh: "mesh_1",
  from: A.publicKey,
  to: B.publicKey,
  sentAt: TIMESTAMP,
  priority: "next",
  replyTo: "message_0",
  type: "text",
  body: 'hello "mesh" é',
};
const EPOCH_KEY = filled(32, 10);
const NEXT_EPOCH_KEY = filled(32, 11);
const INVITE_SECRET = filled(16, 12);

const DIRECT_CIPHERTEXT =
  "9bLW5g+Ud+MQwpgtqqbJE2wQihd3xZR+RI+jfWgXRVerKU2ofwxeqLRWq82eDrw0doBVyjcMUVYeK/t5evGiSKqs" +
  "Ohsf2lf1+C8Z8GS31AjjOaLaD6mGAuf9gy55nE8eMalSGhViv2K/JqtLwh7x5fCRU67uR9bO44urn1Z7mL82pZ2A" +
  "xBvzTkcHY3ka3CnpI1m3UXYW1MC89RxqrUcaq9ZH9UmXlHOF5X3eTEkNCkqBvcIZh9x3NEqsc/RTuk/mu24zgREz" +
  "GFGBWkrmX5+rmnbYnFhAd4At1B8Kh5VY4Z+Zw0+00FqKjJyqziAA7OxX1Do5kcCgoBbFHhxLnNDvfNlvaBtPsdEc" +
  "imISx5QzLPgS32+4iVZAQSdmMDJRr85jaP2BVVRogoqkr5uk5EiXyQjvNS1s0cOCYZjQZyJhk23Ttyl7If/tuj2g" +
  "IIqf4OWdkB2FdGEfJIgqAZm4pggvwurn8p4fIkk9hfFOhRWHDRY0KakxV5I6ZkQtRUAbe1m+Rx0abEHIxq9PT1kq" +
  "+9Wyis9r8AKu4W6BWdEZgIpvub1CU33Pld5JEdJg4fx5WPuzh3qizTmdQfdDy6gG/zUIK0lFsXgCam9LAjBZJfpi" +
  "s2bPHBoKB23WtGeg8w==";
const GROUP_CIPHERTEXT =
  "HboHJQmO+SaU90aG2tEYjGxHWPCMVTVaaYC3jZ8TdFGQAp0eST6OS1IxNoY+Z5B3UQJnCnrm0DU2YFxDrPYzGENY" +
  "GHPMroLZsRJa9OSFCFI433lt4zjHRfFDZmLaNap6cjDdrxaMX9f5j9Xy9Q1B50L+jFUX5OA9Y2AVtGPyz2U95cUu" +
  "IDNIlblbGsaMAnxg2VYt/TVtgmfB+sQgSKP3/81nhQqSJ3DAEorIZ88Ru1E1Oz2mEvKoyiPNMDwlzd7qXi83BOS5" +
  "1/0h1TQkNZAfSZoqq6oyCEASWIcLRi5Lk6QTTfkd9fAimf0jagLRzTjWN7AHkMahm041ZdjnpGWSFMt3sFQIzb2t" +
  "v+wutYcpnBJl+iwWqQz9WIlmwOWgsCIwPB9lgDcO8573zVt6hXog93hNSHPMkPfF3Lc99mqDBp9mcplX3+XMunUg" +
  "AKnX+O9yR/Jxw9H4I3+vcSM4mjGT8oI2SG7U/tTCLrwkrNggeTH0hO8Myl0eDA==";

Deno.test("the signed inside of a message is byte for byte the same", () => {
  const inside = encodeSignedBody(MESSAGE, A.secretKey);
  assert.equal(
    toHex(sha256(inside)),
    "9519981d5aed73e03e6cee40746d71c38b827cd05aa023e00150a45a7527eeff",
  );
});

Deno.test("a direct message in body version 2 from an ephemeral key opens", () => {
  const sealed = { nonce: toBase64(NONCE), ciphertext: DIRECT_CIPHERTEXT };
  assert.deepEqual(openDirect(sealed, B.secretKey, MESSAGE), { ok: true, body: MESSAGE });
});

Deno.test("a group message under an epoch key opens", () => {
  const message: MessageFields = { ...MESSAGE, to: "@dev", priority: "low", body: "hello group" };
  const sealed = { nonce: toBase64(NONCE), ciphertext: GROUP_CIPHERTEXT };
  assert.deepEqual(openGroup(sealed, EPOCH_KEY, message), { ok: true, body: message });
});

Deno.test("a rotation is vouched for with the same proof", () => {
  const rotation = {
    meshId: "mesh_1",
    epoch: 2,
    newKey: NEXT_EPOCH_KEY,
    previousKey: EPOCH_KEY,
  };
  const proof = {
    by: O.publicKey,
    keyHash: "f0e38b830ebd8a506615ecd154330ec07ff6bf5030447b44e297db1d4b7514ac",
    signature: "e2c7df1652efa7eb107d057432f82059d99fe1ef2e6ed91d2a3a57b2aba3e270" +
      "053293fdfeaa2278f87b067b259dace0274054380e56f3e39d7fbb88d5482a0d",
    mac: "9cb1cc1b08d4f71d88859237bdec1d9ffafd957ecd7ce96e74ebb2ec753d584c",
  };
  assert.deepEqual(makeRotationProof(rotation, O.secretKey), proof);
  assert.ok(checkRotationProof(rotation, proof));
});

Deno.test("an invite is claimed with the same signature and MAC", () => {
  const fields = { code: "Ab3dEf9h", displayName: "Ada | laptop", timestamp: TIMESTAMP };
  const claim = {
    ...fields,
    peerPubkey: B.publicKey,
    recipientX25519Pubkey: "YDRufJEaX2uhVBKRdMr-dbKUrDu9VUljL0jOxiZvhBA",
    signature: "91e667b28da92c9005b113ae10e8aeee96d9e1c3700c51c153e143647e729b1c" +
      "90fd69745dec2dd744d2cf27829c40a1248d00c956453658618656755599f002",
    mac: "623c07d1de4382d4df7f28c07b09ed1dab35f3f93ae9617cab5d0e58700cf38c",
  };
  assert.deepEqual(makeClaim(fields, B.secretKey, INVITE_SECRET), claim);
  assert.equal(checkClaim(claim, TIMESTAMP), null);
  assert.ok(checkClaimMac(claim, INVITE_SECRET));
});

Deno.test("a mesh key is handed over with the same MAC", () => {
  const handover = {
    meshId: "mesh_1",
    ownerPubkey: O.publicKey,
    joinerPubkey: B.publicKey,
    epoch: 2,
    sealedKey: SEALED_FILE_KEY,
  };
  const mac = "6984329dae74bd8320858288b2ed9ba13d9aae0ddb3089ef62076931428e4948";
  assert.equal(handoverMac(handover, INVITE_SECRET), mac);
  assert.ok(checkHandoverMac(handover, mac, INVITE_SECRET));
});

Deno.test("an invite link is written the same", () => {
  const link = formatInviteLink("https://broker.example", "Ab3dEf9h", INVITE_SECRET);
  assert.equal(link, "https://broker.example/i/Ab3dEf9h#DAwMDAwMDAwMDAwMDAwMDA");
});
