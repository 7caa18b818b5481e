/** The HTTP routes of a real broker on loopback: health, mesh creation, joining by token, hooks, the invite page. */
import assert from "node:assert/strict";
import { joinText } from "../../broker/api/invites.ts";
import { encodeInviteV1, type InviteV1Fields, signInviteV1 } from "../../crypto/invite_v1.ts";
import { generateKeyPair, type KeyPair, sign } from "../../crypto/sign.ts";
import type { Sql } from "../../storage/sql/port.ts";
import {
  creationBody,
  type FoundedMesh,
  foundTestMesh,
  ownerOf,
  post,
  withBroker,
} from "../support/admission.ts";
import { eachDriver } from "../support/sql.ts";

eachDriver("health names the store, and readiness follows a read-back from it", async (open) => {
  const sql = await open();
  let reachable = true;
  const flaky = new Proxy(sql, {
    get(target, name) {
      if (name === "ping" && !reachable) return () => Promise.reject(new Error("gone"));
      const value = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  await withBroker(flaky, {}, async (_test, url) => {
    const health = await (await fetch(`${url}/health`)).json();
    assert.equal(health.status, "ok");
    assert.deepEqual(health.store, { driver: sql.driver, durability: sql.durability });
    assert.ok(health.uptime >= 0 && /^\d+\.\d+\.\d+$/.test(health.version));
    const green = await fetch(`${url}/health/ready`);
    assert.equal(green.status, 200);
    assert.equal((await green.json()).dependencies.store.ok, true);
    reachable = false;
    const red = await fetch(`${url}/health/ready`);
    assert.equal(red.status, 503);
    const body = await red.json();
    assert.equal(body.status, "not_ready");
    assert.equal(body.reason, "store");
    assert.equal(body.dependencies.store.ok, false);
    assert.equal((await fetch(`${url}/health`)).status, 200);
    reachable = true;
    assert.equal((await fetch(`${url}/health/ready`)).status, 200);
    const metrics = await (await fetch(`${url}/metrics`)).text();
    assert.match(metrics, /^broker_db_healthy 1$/m);
  });
});

eachDriver("a mesh is made once: with owner, epoch, sealed key and audit", async (open) => {
  const sql = await open();
  await withBroker(sql, {}, async (_test, url) => {
    const body = creationBody({ slug: "team" });
    const made = await post(`${url}/meshes`, body);
    assert.equal(made.status, 201);
    assert.deepEqual(made.body, {
      mesh_id: body.mesh_id,
      slug: "team",
      member_id: made.body.member_id,
      broker_url: url,
    });
    const again = await post(`${url}/meshes`, body);
    assert.deepEqual(again, made);
    const counts = await sql.query<Record<string, number>>(
      `select (select count(*) from mesh.mesh) as meshes,
              (select count(*) from mesh.member where role = 'owner' and proven) as owners,
              (select count(*) from mesh.mesh_epoch where broker_key is null) as epochs,
              (select count(*) from mesh.mesh_key) as keys,
              (select count(*) from mesh.audit_log where event_type = 'mesh_created') as audits`,
    );
    assert.deepEqual(counts, [{ meshes: 1, owners: 1, epochs: 1, keys: 1, audits: 1 }]);
  });
});

eachDriver("a taken slug is refused with one that is free", async (open) => {
  await withBroker(await open(), {}, async (_test, url) => {
    await post(`${url}/meshes`, creationBody({ slug: "team" }));
    await post(`${url}/meshes`, creationBody({ slug: "team-2" }));
    const { status, body } = await post(`${url}/meshes`, creationBody({ slug: "team" }));
    assert.equal(status, 409);
    assert.equal(body.error, "already_exists");
    assert.deepEqual(body.candidates, ["team-3"]);
    assert.equal((await post(`${url}/meshes`, creationBody({ slug: "team-3" }))).status, 201);
  });
});

eachDriver(
  "a mesh id cannot be taken over, nor its key exposed, nor a proof borrowed",
  async (open) => {
    const sql = await open();
    await withBroker(sql, {}, async (_test, url) => {
      const mesh = await foundTestMesh(url);
      const taken = await post(`${url}/meshes`, creationBody({ meshId: mesh.meshId }));
      assert.equal(taken.body.error, "already_exists");
      const good = creationBody();
      const other = creationBody();
      const wrong: [Record<string, unknown>, string][] = [
        [{ ...good, custody: "broker" }, "bad_signature"],
        [{ ...good, slug: "other" }, "bad_signature"],
        [{ ...good, pubkey: other.pubkey }, "bad_signature"],
        [{ ...good, proof: other.proof }, "invalid_argument"],
        [{ ...good, mesh_id: other.mesh_id }, "bad_signature"],
        [{ ...good, sealed_key: "AAAA" }, "invalid_argument"],
        [{ ...good, broker_key: "A".repeat(43) + "=" }, "invalid_argument"],
        [creationBody({ timestamp: Date.now() - 61_000 }), "timestamp_skew"],
        [creationBody({ timestamp: Date.now() + 62_000 }), "timestamp_skew"],
        [{ ...creationBody({ custody: "broker" }), broker_key: undefined }, "invalid_argument"],
        [
          { ...creationBody({ custody: "broker" }), broker_key: "A".repeat(43) + "=" },
          "invalid_argument",
        ],
      ];
      for (const [body, code] of wrong) {
        const { body: answer } = await post(`${url}/meshes`, body);
        assert.equal(answer.error, code, JSON.stringify(answer));
      }
      const [row] = await sql.query<{ count: number }>("select count(*) as count from mesh.mesh");
      assert.equal(row?.count, 1);
    });
  },
);

eachDriver("the mesh past the broker's limit is refused and leaves nothing", async (open) => {
  const sql = await open();
  await withBroker(sql, { limits: { meshesPerBroker: 2 } }, async (_test, url) => {
    await foundTestMesh(url);
    await foundTestMesh(url);
    const { status, body } = await post(`${url}/meshes`, creationBody());
    assert.equal(status, 409);
    assert.equal(body.error, "limit");
    assert.equal(body.limit, 2);
    const [row] = await sql.query<{ count: number }>("select count(*) as count from mesh.mesh");
    assert.equal(row?.count, 2);
  });
});

eachDriver("a key that the broker keeps is in the store encrypted only", async (open) => {
  const sql = await open();
  await withBroker(sql, {}, async (_test, url) => {
    const mesh = await foundTestMesh(url, "broker");
    const [row] = await sql.query<{ kept: Uint8Array }>(
      "select broker_key as kept from mesh.mesh_epoch",
    );
    assert.ok(row !== undefined && row.kept.length === 61);
    assert.ok(!row.kept.toHex().includes(mesh.key.toHex().slice(0, 8)));
  });
});

/** Puts a version 1 invite of the original broker into the store and returns its token. */
async function importToken(
  sql: Sql,
  mesh: FoundedMesh,
  fields: Partial<InviteV1Fields> & { rowRole?: string; maxUses?: number; owner?: KeyPair } = {},
): Promise<string> {
  const { rowRole, maxUses, owner, ...token } = fields;
  const invite = signInviteV1({
    meshId: mesh.meshId,
    meshSlug: mesh.slug,
    brokerUrl: "ws://127.0.0.1/ws",
    expiresAtUnixS: Math.floor(Date.now() / 1000) + 3600,
    meshRootKey: "CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk",
    role: "member",
    ...token,
  }, (owner ?? mesh.owner).secretKey);
  const encoded = encodeInviteV1(invite);
  await sql.query(
    `insert into mesh.invite (id, mesh_id, token, version, role, max_uses, created_at, expires_at,
       preset)
     values ($1, $2, $3, 1, $4, $5, now(), $6, '{"groups": [{"name": "eng"}], "roleTag": "dev"}')`,
    [
      `inv${encoded.slice(-12)}`,
      mesh.meshId,
      encoded,
      rowRole ?? invite.role,
      maxUses ?? 1,
      new Date(Date.now() + 3_600_000),
    ],
  );
  return encoded;
}

function joinRequest(token: string, joiner: KeyPair): Record<string, unknown> {
  const body = {
    invite_token: token,
    peer_pubkey: joiner.publicKey,
    display_name: "Bert",
    timestamp: Date.now(),
  };
  return { ...body, signature: sign(joinText(body), joiner.secretKey) };
}

eachDriver("a version 1 token joins once, with the row's role and preset", async (open) => {
  const sql = await open();
  await withBroker(sql, {}, async ({ context }, url) => {
    const mesh = await foundTestMesh(url);
    const token = await importToken(sql, mesh, { role: "admin", rowRole: "member" });
    const joiner = generateKeyPair();
    const joined = await post(`${url}/join`, joinRequest(token, joiner));
    assert.equal(joined.status, 200, JSON.stringify(joined.body));
    // The token says admin; the row decides (D9).
    assert.equal(joined.body.role, "member");
    const member = (await context.meshes.find(mesh.meshId))?.membersByPubkey.get(joiner.publicKey);
    assert.equal(member?.roleTag, "dev");
    assert.deepEqual(member?.defaultGroups, [{ name: "eng" }]);
    assert.equal(member?.proven, false);
    const again = await post(`${url}/join`, joinRequest(token, joiner));
    assert.deepEqual(
      { ...again.body },
      { ...joined.body, alreadyMember: true },
      "the same key is a member already and needs no use",
    );
    const late = await post(`${url}/join`, joinRequest(token, generateKeyPair()));
    assert.equal(late.status, 410);
    assert.equal(late.body.error, "exhausted");
  });
});

eachDriver(
  "a version 1 token that is forged, foreign, old or unproven does not join",
  async (open) => {
    const sql = await open();
    await withBroker(sql, { limits: { claimsPerMinute: 100 } }, async (_test, url) => {
      const mesh = await foundTestMesh(url);
      const joiner = generateKeyPair();
      const token = await importToken(sql, mesh);
      const good = joinRequest(token, joiner);
      const payload = JSON.parse(atob(token.replaceAll("-", "+").replaceAll("_", "/")));
      const padded = btoa(JSON.stringify(payload, null, 1)).replace(/=+$/, "")
        .replaceAll("+", "-").replaceAll("/", "_");
      const adminToken = await importToken(sql, mesh, { role: "admin" });
      const adminPayload = JSON.parse(atob(adminToken.replaceAll("-", "+").replaceAll("_", "/")));
      const forged = await importToken(sql, mesh, { owner: generateKeyPair() });
      const past = await importToken(sql, mesh, { expiresAtUnixS: 1_700_000_000 });
      const unknown = await importToken(sql, mesh, { meshSlug: "unknown" });
      await sql.query("delete from mesh.invite where token = $1", [unknown]);
      const cases: [Record<string, unknown>, number, string][] = [
        [{ ...good, signature: undefined }, 400, "invalid_argument"],
        [{ ...good, peer_pubkey: generateKeyPair().publicKey }, 400, "bad_signature"],
        [{ ...good, display_name: "Eve" }, 400, "bad_signature"],
        [{ ...good, timestamp: Date.now() - 61_000 }, 401, "timestamp_skew"],
        [{ ...good, invite_payload: adminPayload }, 400, "malformed"],
        [joinRequest(padded, joiner), 400, "malformed"],
        [joinRequest("A".repeat(200), joiner), 400, "malformed"],
        [joinRequest(forged, joiner), 400, "bad_signature"],
        [joinRequest(past, joiner), 410, "expired"],
        [joinRequest(unknown, joiner), 404, "not_found"],
      ];
      for (const [body, status, code] of cases) {
        const answer = await post(`${url}/join`, body);
        assert.equal(answer.body.error, code, JSON.stringify(answer.body));
        assert.equal(answer.status, status);
      }
      const [row] = await sql.query<{ used: number; members: number }>(
        `select (select sum(used_count)::int from mesh.invite) as used,
              (select count(*) from mesh.member) as members`,
      );
      assert.deepEqual(row, { used: 0, members: 1 });
      assert.equal((await post(`${url}/join`, { ...good, invite_payload: payload })).status, 200);
    });
  },
);

eachDriver("in compat mode a join needs no proof of the key", async (open) => {
  const sql = await open();
  await withBroker(sql, { settings: { compat: true } }, async (_test, url) => {
    const mesh = await foundTestMesh(url);
    const token = await importToken(sql, mesh);
    const { timestamp: _timestamp, signature: _signature, ...bare } = joinRequest(
      token,
      generateKeyPair(),
    );
    assert.equal((await post(`${url}/join`, bare)).body.ok, true);
  });
});

eachDriver(
  "mesh creation is for this machine and the operator, unless it is open",
  async (open) => {
    const sql = await open();
    const forwarded = { "x-forwarded-for": "203.0.113.1" };
    await withBroker(sql, {}, async ({ context }, url) => {
      const refused = await post(`${url}/meshes`, creationBody(), forwarded);
      assert.equal(refused.status, 403);
      const token = { ...forwarded, authorization: `Bearer ${context.operatorToken}` };
      assert.equal((await post(`${url}/meshes`, creationBody(), token)).status, 201);
    });
    await withBroker(sql, { settings: { meshCreation: "open" } }, async (_test, url) => {
      assert.equal((await post(`${url}/meshes`, creationBody(), forwarded)).status, 201);
    });
  },
);

eachDriver("a hook's word for a session that is not here yet is kept", async (open) => {
  await withBroker(await open(), {}, async (_test, url) => {
    const hook = `${url}/hook/set-status`;
    const kept = await post(hook, { session_id: "s1", status: "working" });
    assert.deepEqual(kept.body, { ok: true, pending: true });
    const unnamed = await post(hook, { status: "idle", cwd: "/workspace" });
    assert.equal(unnamed.body.error, "invalid_argument");
    const wrong = await post(hook, { session_id: "s1", status: "asleep" });
    assert.equal(wrong.body.field, "status");
    for (let count = 1; count < 120; count++) {
      assert.equal((await post(hook, { session_id: "s1", status: "idle" })).status, 200);
    }
    assert.equal((await post(hook, { session_id: "s1", status: "idle" })).status, 429);
    assert.equal((await post(hook, { session_id: "s2", status: "idle" })).status, 200);
  });
});

eachDriver(
  "a hook sets the session that it names, not another one in the same folder",
  async (open) => {
    await withBroker(await open(), {}, async (test, url) => {
      const owner = ownerOf(await foundTestMesh(url));
      const first = await test.socket();
      await first.sessionHello(owner, { sessionId: "first", cwd: "/workspace", pid: 7 });
      const second = await test.socket();
      await second.sessionHello(owner, { sessionId: "second", cwd: "/workspace", pid: 8 });
      const statuses = async () => {
        const { peers } = await first.request("list_peers");
        const listed = peers as { sessionId: string; status: string }[];
        return Object.fromEntries(listed.map((peer) => [peer.sessionId, peer.status]));
      };
      const hook = `${url}/hook/set-status`;
      const set = await post(hook, { session_id: "second", cwd: "/workspace", status: "working" });
      assert.equal(set.body.ok, true);
      assert.equal(typeof set.body.presence_id, "string");
      assert.deepEqual(await statuses(), { first: "idle", second: "working" });
      await post(hook, { cwd: "/workspace", pid: 7, status: "working" });
      assert.deepEqual(await statuses(), { first: "working", second: "working" });
      await post(hook, { session_id: "third", status: "working" });
      const third = await test.socket();
      await third.sessionHello(owner, { sessionId: "third" });
      assert.equal((await statuses()).third, "working");
    });
  },
);
