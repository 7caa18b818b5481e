/** The mesh key's epochs over a real broker: copies, rotation, hand-over, and who is asked to rotate. */
import assert from "node:assert/strict";
import { rotationDue } from "../../broker/jobs/rotation_due.ts";
import { requireRightKey } from "../../broker/core/admission/sealed_key.ts";
import { atRest } from "../../broker/core/at_rest.ts";
import { toBase64 } from "../../crypto/bytes.ts";
import { checkHandoverMac, handoverMac, newInviteSecret } from "../../crypto/invite_v2.ts";
import {
  checkRotationProof,
  makeRotationProof,
  newEpochKey,
  openSealedKey,
  type RotationProof,
  sealKeyFor,
} from "../../crypto/mesh_key.ts";
import { generateKeyPair, type KeyPair } from "../../crypto/sign.ts";
import {
  claim,
  type FoundedMesh,
  foundTestMesh,
  inviteInput,
  ownerOf,
  withBroker,
} from "../support/admission.ts";
import type { TestBroker } from "../support/broker.ts";
import type { Frame, TestPeer } from "../support/peer.ts";
import { eachDriver } from "../support/sql.ts";

const PLENTY = { limits: { claimsPerMinute: 1000 } };
const DAY_MS = 86_400_000;

interface Joined {
  readonly id: string;
  readonly keys: KeyPair;
  readonly peer: TestPeer;
}

interface HeldKey {
  readonly epoch: number;
  readonly sealedKey: string;
  readonly proof: RotationProof;
  readonly handoverMac: string | null;
  readonly handoverBy: string | null;
}

async function begin(
  test: TestBroker,
  custody: "members" | "broker" = "members",
): Promise<{ mesh: FoundedMesh; owner: TestPeer }> {
  const mesh = await foundTestMesh(test.broker.url, custody);
  const owner = await test.socket();
  await owner.hello(ownerOf(mesh));
  return { mesh, owner };
}

/** Joins a new member by an invite of the owner's, and connects it. */
async function join(
  test: TestBroker,
  mesh: FoundedMesh,
  owner: TestPeer,
  fields: { name: string; role?: "admin" | "member"; secret?: Uint8Array },
): Promise<Joined> {
  const input = inviteInput(mesh, mesh.owner, { role: fields.role ?? "member" });
  await owner.request("create_invite", input);
  const keys = generateKeyPair();
  const { name, secret } = fields;
  const answer = await claim(
    test.broker.url,
    input.code,
    keys,
    secret === undefined ? { name } : { name, secret },
  );
  const id = String(answer.body.member_id);
  const peer = await test.socket();
  await peer.hello({ id, meshId: mesh.meshId, keys });
  return { id, keys, peer };
}

/** The input of `rotate_mesh_key` by `by` for these readers. */
function rotation(
  mesh: FoundedMesh,
  by: KeyPair,
  epoch: number,
  keys: { previous: Uint8Array; next: Uint8Array },
  readers: readonly { readonly id: string; readonly keys: KeyPair }[],
) {
  const { next: newKey, previous: previousKey } = keys;
  return {
    epoch,
    proof: makeRotationProof({ meshId: mesh.meshId, epoch, newKey, previousKey }, by.secretKey),
    sealed: Object.fromEntries(
      readers.map((each) => [each.id, sealKeyFor(each.keys.publicKey, newKey)]),
    ),
  };
}

async function heldKeys(peer: TestPeer): Promise<readonly HeldKey[]> {
  return (await peer.request("get_mesh_keys")).keys as readonly HeldKey[];
}

async function waiting(peer: TestPeer): Promise<readonly Frame[]> {
  return (await peer.request("list_key_requests")).requests as readonly Frame[];
}

eachDriver("a rotation reaches those it was sealed to, and everybody hears of it", async (open) => {
  await withBroker(await open(), PLENTY, async (test) => {
    const { mesh, owner } = await begin(test);
    const ada = await join(test, mesh, owner, { name: "Ada" });
    const bert = await join(test, mesh, owner, { name: "Bert" });
    const next = newEpochKey();
    const input = rotation(mesh, mesh.owner, 2, { previous: mesh.key, next }, [ownerOf(mesh), ada]);
    assert.equal((await owner.request("rotate_mesh_key", input)).epoch, 2);
    for (const { peer } of [ada, bert]) {
      assert.deepEqual(await peer.nextEvent("mesh_key_changed"), { epoch: 2 });
    }
    const [held] = await heldKeys(ada.peer);
    assert.equal(held?.epoch, 2);
    assert.deepEqual(openSealedKey(ada.keys.secretKey, held!.sealedKey), next);
    const told = { meshId: mesh.meshId, epoch: 2, newKey: next, previousKey: mesh.key };
    assert.ok(checkRotationProof(told, held!.proof));
    assert.deepEqual(await heldKeys(bert.peer), []);
    assert.deepEqual((await heldKeys(owner)).map((key) => key.epoch), [1, 2]);
    const { members } = await owner.request("list_members") as unknown as {
      members: { displayName: string; hasMeshKey: boolean }[];
    };
    assert.deepEqual(
      Object.fromEntries(members.map((each) => [each.displayName, each.hasMeshKey])),
      { Olga: true, Ada: true, Bert: false },
    );
    assert.deepEqual((await waiting(owner)).map((each) => each.displayName), ["Bert"]);
  });
});

eachDriver("of two rotations at once exactly one is the next epoch", async (open) => {
  const sql = await open();
  await withBroker(sql, PLENTY, async (test) => {
    const { mesh, owner } = await begin(test);
    const admin = await join(test, mesh, owner, { name: "Ada", role: "admin" });
    const readers = [ownerOf(mesh), admin];
    const inputs = [mesh.owner, admin.keys].map((by) =>
      rotation(mesh, by, 2, { previous: mesh.key, next: newEpochKey() }, readers)
    );
    const answers = await Promise.all([
      owner.request("rotate_mesh_key", inputs[0]),
      admin.peer.request("rotate_mesh_key", inputs[1]),
    ]);
    assert.deepEqual(answers.map((each) => each.code ?? each.epoch).sort(), [2, "conflict"]);
    const [row] = await sql.query<object>(
      `select epoch, (select count(*) from mesh.mesh_epoch) as epochs,
              (select count(*) from mesh.mesh_key where epoch = 2) as keys from mesh.mesh`,
    );
    assert.deepEqual(row, { epoch: 2, epochs: 2, keys: 2 });
  });
});

eachDriver("a rotation that is forged, incomplete or out of turn changes nothing", async (open) => {
  const sql = await open();
  await withBroker(sql, PLENTY, async (test) => {
    const { mesh, owner } = await begin(test);
    const ada = await join(test, mesh, owner, { name: "Ada" });
    const foreign = await begin(test);
    const keys = { previous: mesh.key, next: newEpochKey() };
    const good = rotation(mesh, mesh.owner, 2, keys, [ownerOf(mesh), ada]);
    const own = good.sealed[mesh.ownerMemberId]!;
    const cases: [object, string][] = [
      [rotation(mesh, mesh.owner, 1, keys, [ownerOf(mesh)]), "conflict"],
      [rotation(mesh, mesh.owner, 3, keys, [ownerOf(mesh)]), "conflict"],
      [rotation(mesh, ada.keys, 2, keys, [ownerOf(mesh)]), "bad_signature"],
      [rotation(foreign.mesh, mesh.owner, 2, keys, [ownerOf(mesh)]), "bad_signature"],
      [{ ...good, sealed: { ...good.sealed, nobody: own } }, "not_found"],
      [
        { ...good, sealed: { ...good.sealed, [foreign.mesh.ownerMemberId]: own } },
        "not_found",
      ],
      [{ ...good, sealed: { [ada.id]: own } }, "invalid_argument"],
      [{ ...good, sealed: { ...good.sealed, [ada.id]: "AAAA" } }, "invalid_argument"],
      [{ ...good, brokerKey: toBase64(keys.next) }, "invalid_argument"],
    ];
    for (const [input, code] of cases) {
      const answer = await owner.request("rotate_mesh_key", input);
      assert.equal(answer.code, code, JSON.stringify(answer));
    }
    const refused = await ada.peer.request("rotate_mesh_key", good);
    assert.equal(refused.code, "forbidden");
    const [row] = await sql.query<{ epoch: number }>(
      "select epoch from mesh.mesh where id = $1",
      [mesh.meshId],
    );
    assert.equal(row?.epoch, 1);
    assert.equal((await owner.request("rotate_mesh_key", good)).epoch, 2);
  });
});

eachDriver(
  "a waiting member is handed the key once, with a MAC that it can check",
  async (open) => {
    await withBroker(await open(), PLENTY, async (test) => {
      const { mesh, owner } = await begin(test);
      const secret = newInviteSecret();
      const ada = await join(test, mesh, owner, { name: "Ada", secret });
      const [request] = await waiting(owner);
      assert.equal(request?.pubkey, ada.keys.publicKey);
      const sealedKey = sealKeyFor(ada.keys.publicKey, mesh.key);
      const told = {
        meshId: mesh.meshId,
        ownerPubkey: mesh.owner.publicKey,
        joinerPubkey: ada.keys.publicKey,
        epoch: 1,
        sealedKey,
      };
      const input = { memberId: ada.id, epoch: 1, sealedKey, mac: handoverMac(told, secret) };
      assert.equal((await ada.peer.request("hand_over_key", input)).code, "forbidden");
      assert.equal((await owner.request("hand_over_key", { ...input, epoch: 2 })).code, "conflict");
      const short = { ...input, sealedKey: "AAAA" };
      assert.equal((await owner.request("hand_over_key", short)).code, "invalid_argument");
      const lost = { ...input, memberId: "nobody" };
      assert.equal((await owner.request("hand_over_key", lost)).code, "not_found");
      assert.equal((await owner.request("hand_over_key", input)).memberId, ada.id);
      assert.deepEqual(await ada.peer.nextEvent("mesh_key_changed"), { epoch: 1 });
      const [held] = await heldKeys(ada.peer);
      assert.equal(held?.handoverBy, mesh.owner.publicKey);
      assert.ok(
        checkHandoverMac({ ...told, sealedKey: held!.sealedKey }, held!.handoverMac!, secret),
      );
      assert.deepEqual(await waiting(owner), []);
      assert.equal((await owner.request("hand_over_key", input)).code, "conflict");
    });
  },
);

eachDriver(
  "a kick asks for a rotation that leaves the kicked one out until a person decides",
  async (open) => {
    await withBroker(await open(), PLENTY, async (test) => {
      const { mesh, owner } = await begin(test);
      const secret = newInviteSecret();
      const ada = await join(test, mesh, owner, { name: "Ada", secret });
      const give = { memberId: ada.id, sealedKey: sealKeyFor(ada.keys.publicKey, mesh.key) };
      await owner.request("hand_over_key", { ...give, epoch: 1, mac: null });
      await owner.request("kick", { target: "Ada" });
      assert.deepEqual(await owner.nextEvent("rekey_needed"), {
        epoch: 1,
        reason: "member_kicked",
      });
      assert.equal((await owner.request("get_mesh_keys")).rekeyNeeded, true);
      const next = newEpochKey();
      // An agent that seals to everybody cannot let the kicked one in.
      const input = rotation(mesh, mesh.owner, 2, { previous: mesh.key, next }, [
        ownerOf(mesh),
        ada,
      ]);
      assert.equal((await owner.request("rotate_mesh_key", input)).epoch, 2);
      assert.equal((await owner.request("get_mesh_keys")).rekeyNeeded, false);
      const back = await test.socket();
      await back.hello({ ...ada, meshId: mesh.meshId });
      assert.deepEqual((await heldKeys(back)).map((key) => key.epoch), [1]);
      const [request] = await waiting(owner);
      assert.equal(request?.displayName, "Ada");
      assert.equal(request?.claimMac, null, "the link's secret opens the door no more");
      const sealedKey = sealKeyFor(ada.keys.publicKey, next);
      await owner.request("hand_over_key", { memberId: ada.id, epoch: 2, sealedKey, mac: null });
      const after = rotation(mesh, mesh.owner, 3, { previous: next, next: newEpochKey() }, [
        ownerOf(mesh),
        ada,
      ]);
      await owner.request("rotate_mesh_key", after);
      assert.deepEqual((await heldKeys(back)).map((key) => key.epoch), [1, 2, 3]);
    });
  },
);

eachDriver("a proven member that a rotation left out is still proven", async (open) => {
  await withBroker(await open(), PLENTY, async (test) => {
    const { mesh, owner } = await begin(test);
    const ada = await join(test, mesh, owner, { name: "Ada", secret: newInviteSecret() });
    const give = { memberId: ada.id, sealedKey: sealKeyFor(ada.keys.publicKey, mesh.key) };
    await owner.request("hand_over_key", { ...give, epoch: 1, mac: null });
    assert.deepEqual(await waiting(owner), []);
    const keys = { previous: mesh.key, next: newEpochKey() };
    await owner.request("rotate_mesh_key", rotation(mesh, mesh.owner, 2, keys, [ownerOf(mesh)]));
    const [request] = await waiting(owner);
    assert.equal(request?.displayName, "Ada");
    assert.match(String(request?.claimMac), /^[0-9a-f]{64}$/);
  });
});

eachDriver(
  "a ban asks for a rotation, and who comes later is told in hello_ack",
  async (open) => {
    await withBroker(await open(), PLENTY, async (test) => {
      const { mesh, owner } = await begin(test);
      await join(test, mesh, owner, { name: "Ada" });
      await owner.request("ban", { target: "Ada" });
      assert.equal((await owner.nextEvent("rekey_needed")).reason, "member_banned");
      await test.restart();
      const again = await test.socket();
      const hello = await again.hello(ownerOf(mesh));
      assert.equal((hello.mesh as Frame).rekeyNeeded, true);
    });
  },
);

eachDriver(
  "an epoch older than 30 days is asked to be rotated, once, and not a day before",
  async (open) => {
    const sql = await open();
    await withBroker(sql, PLENTY, async (test) => {
      const { mesh, owner } = await begin(test);
      await foundTestMesh(test.broker.url);
      async function age(days: number): Promise<void> {
        await sql.query("update mesh.mesh_epoch set created_at = $2 where mesh_id = $1", [
          mesh.meshId,
          new Date(Date.now() - days * DAY_MS),
        ]);
      }
      await age(29);
      assert.equal(await rotationDue(test.context), 0);
      await age(31);
      assert.equal(await rotationDue(test.context), 1);
      assert.deepEqual(await owner.nextEvent("rekey_needed"), { epoch: 1, reason: "key_old" });
      assert.equal(await rotationDue(test.context), 0);
    });
  },
);

eachDriver("keys of epochs that ended more than 30 days ago are given no more", async (open) => {
  const sql = await open();
  await withBroker(sql, PLENTY, async (test) => {
    const { mesh, owner } = await begin(test);
    let previous = mesh.key;
    for (const epoch of [2, 3]) {
      const next = newEpochKey();
      const input = rotation(mesh, mesh.owner, epoch, { previous, next }, [ownerOf(mesh)]);
      await owner.request("rotate_mesh_key", input);
      previous = next;
    }
    // Epoch 1 ended when epoch 2 began.
    await sql.query("update mesh.mesh_epoch set created_at = $1 where epoch = 2", [
      new Date(Date.now() - 31 * DAY_MS),
    ]);
    assert.deepEqual((await heldKeys(owner)).map((key) => key.epoch), [2, 3]);
  });
});

eachDriver(
  "under custody broker a rotation brings the key along, and joiners get the new one",
  async (open) => {
    const sql = await open();
    await withBroker(sql, PLENTY, async (test) => {
      const { mesh, owner } = await begin(test, "broker");
      const next = newEpochKey();
      const input = rotation(mesh, mesh.owner, 2, { previous: mesh.key, next }, [ownerOf(mesh)]);
      assert.equal((await owner.request("rotate_mesh_key", input)).code, "invalid_argument");
      const wrong = { ...input, brokerKey: toBase64(newEpochKey()) };
      assert.equal((await owner.request("rotate_mesh_key", wrong)).code, "invalid_argument");
      const good = { ...input, brokerKey: toBase64(next) };
      assert.equal((await owner.request("rotate_mesh_key", good)).epoch, 2);
      const ada = await join(test, mesh, owner, { name: "Ada" });
      const held = await heldKeys(ada.peer);
      assert.deepEqual(held.map((key) => key.epoch), [2]);
      assert.deepEqual(openSealedKey(ada.keys.secretKey, held[0]!.sealedKey), next);
      await requireRightKey(sql, test.context.atRest);
      await assert.rejects(
        requireRightKey(sql, atRest(new Uint8Array(32))),
        /BROKER_ENCRYPTION_KEY .* is not the key/,
      );
    });
  },
);
