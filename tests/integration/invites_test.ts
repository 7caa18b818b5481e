/** Invites from their making to their last use, over a real broker. */
import assert from "node:assert/strict";
import { fromBase64Url, toBase64 } from "../../crypto/bytes.ts";
import { checkClaimMac, newInviteSecret } from "../../crypto/invite_v2.ts";
import { openSealedKey } from "../../crypto/mesh_key.ts";
import { generateKeyPair, sign } from "../../crypto/sign.ts";
import {
  claim,
  claimBody,
  type FoundedMesh,
  foundTestMesh,
  inviteInput,
  ownerOf,
  post,
  withBroker,
} from "../support/admission.ts";
import type { TestBroker } from "../support/broker.ts";
import type { TestPeer } from "../support/peer.ts";
import { eachDriver } from "../support/sql.ts";

const PLENTY = { limits: { claimsPerMinute: 1000, invitePagesPerMinute: 1000 } };

/** A mesh with its owner connected. */
async function begin(
  test: TestBroker,
  custody: "members" | "broker" = "members",
): Promise<{ mesh: FoundedMesh; owner: TestPeer }> {
  const mesh = await foundTestMesh(test.broker.url, custody);
  const owner = await test.socket();
  await owner.hello(ownerOf(mesh));
  return { mesh, owner };
}

/** Registers an invite by the owner; returns its code. */
async function invite(
  mesh: FoundedMesh,
  owner: TestPeer,
  fields: Parameters<typeof inviteInput>[2] = {},
): Promise<string> {
  const input = inviteInput(mesh, mesh.owner, fields);
  const answer = await owner.request("create_invite", input);
  assert.equal(answer.type, "invite_created", JSON.stringify(answer));
  return input.code;
}

eachDriver("an invite is registered, listed, used and then exhausted", async (open) => {
  await withBroker(await open(), PLENTY, async (test, url) => {
    const { mesh, owner } = await begin(test);
    const input = inviteInput(mesh, mesh.owner, { maxUses: 2 });
    const created = await owner.request("create_invite", input);
    assert.equal(created.url, `${url}/i/${input.code}`);
    assert.equal(created.expiresAt, new Date(input.expiresAt).toISOString());
    const ada = generateKeyPair();
    const secret = newInviteSecret();
    const joined = await claim(url, input.code, ada, { name: "Ada", secret });
    assert.equal(joined.status, 200, JSON.stringify(joined.body));
    const { member_id: memberId, ...rest } = joined.body;
    assert.deepEqual(rest, {
      mesh_id: mesh.meshId,
      slug: mesh.slug,
      name: "Team",
      broker_url: url,
      role: "member",
      owner_pubkey: mesh.owner.publicKey,
      inviter_pubkey: mesh.owner.publicKey,
      custody: "members",
      canonical_v2: input.canonical,
      signature: input.signature,
      epoch: 1,
      already_member: false,
      sealed_root_key: null,
    });
    const added = await owner.nextEvent("member_added");
    assert.deepEqual(added, {
      memberId,
      name: "Ada",
      pubkey: ada.publicKey,
      role: "member",
      proven: true,
    });
    assert.deepEqual(await owner.nextEvent("key_requested"), {
      memberId,
      name: "Ada",
      proven: true,
    });
    assert.equal((await claim(url, input.code, generateKeyPair())).status, 200);
    const { invites } = await owner.request("list_invites") as unknown as {
      invites: { usedCount: number; createdBy: string }[];
    };
    assert.equal(invites.length, 1);
    assert.equal(invites[0]?.usedCount, 2);
    assert.equal(invites[0]?.createdBy, "Olga");
    const late = await claim(url, input.code, generateKeyPair());
    assert.equal(late.status, 410);
    assert.equal(late.body.error, "exhausted");
  });
});

eachDriver(
  "the joiner can say hello at once, and again after a restart of the broker",
  async (open) => {
    await withBroker(await open(), PLENTY, async (test) => {
      const { mesh, owner } = await begin(test);
      const keys = generateKeyPair();
      const { body } = await claim(test.broker.url, await invite(mesh, owner), keys);
      const member = { id: String(body.member_id), meshId: mesh.meshId, keys };
      const first = await test.socket();
      assert.equal((await first.hello(member)).memberDisplayName, "Bert");
      await test.restart();
      const second = await test.socket();
      assert.equal((await second.hello(member)).memberRole, "member");
    });
  },
);

eachDriver("twenty joiners at once get exactly the uses that are left", async (open) => {
  const sql = await open();
  await withBroker(sql, PLENTY, async (test, url) => {
    const { mesh, owner } = await begin(test);
    const code = await invite(mesh, owner, { maxUses: 7 });
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => claim(url, code, generateKeyPair())),
    );
    assert.equal(answers.filter((each) => each.status === 200).length, 7);
    assert.equal(answers.filter((each) => each.body.error === "exhausted").length, 13);
    const [row] = await sql.query<object>(
      `select used_count as used, (select count(*) from mesh.member) as members,
              (select count(*) from mesh.audit_log where event_type = 'member_joined') as audits
         from mesh.invite`,
    );
    assert.deepEqual(row, { used: 7, members: 8, audits: 7 });
  });
});

eachDriver("the same joiner claiming twice at once is one member with one use", async (open) => {
  const sql = await open();
  await withBroker(sql, PLENTY, async (test, url) => {
    const { mesh, owner } = await begin(test);
    const code = await invite(mesh, owner, { maxUses: 5 });
    const joiner = generateKeyPair();
    const answers = await Promise.all([1, 2, 3].map(() => claim(url, code, joiner)));
    assert.deepEqual(answers.map((each) => each.status), [200, 200, 200]);
    assert.equal(new Set(answers.map((each) => each.body.member_id)).size, 1);
    assert.equal(answers.filter((each) => each.body.already_member).length, 2);
    const [row] = await sql.query<{ used: number }>("select used_count as used from mesh.invite");
    assert.equal(row?.used, 1);
  });
});

eachDriver(
  "a member is told so even by an exhausted invite, and may show the secret late",
  async (open) => {
    await withBroker(await open(), PLENTY, async (test, url) => {
      const { mesh, owner } = await begin(test);
      const code = await invite(mesh, owner);
      const joiner = generateKeyPair();
      const secret = newInviteSecret();
      await claim(url, code, joiner);
      assert.equal((await owner.nextEvent("key_requested")).proven, false);
      const again = await claim(url, code, joiner, { secret });
      assert.equal(again.body.already_member, true);
      assert.equal((await owner.nextEvent("key_requested")).proven, true);
      const { requests } = await owner.request("list_key_requests") as unknown as {
        requests: { claimText: string; claimMac: string; inviteCode: string; pubkey: string }[];
      };
      assert.equal(requests.length, 1);
      const [request] = requests;
      assert.equal(request?.inviteCode, code);
      const [, , , peerPubkey, recipientX25519Pubkey, displayName, timestamp] =
        request?.claimText.split("|") ?? [];
      assert.ok(checkClaimMac(
        {
          code,
          peerPubkey: peerPubkey!,
          recipientX25519Pubkey: recipientX25519Pubkey!,
          displayName: displayName!,
          timestamp: Number(timestamp),
          signature: "",
          mac: request!.claimMac,
        },
        secret,
      ));
      // A later claim without the secret does not take the proof away.
      await claim(url, code, joiner);
      const after = await owner.request("list_key_requests") as unknown as typeof again.body;
      assert.equal((after.requests as typeof requests)[0]?.claimMac, request?.claimMac);
    });
  },
);

eachDriver(
  "unknown, revoked and expired invites answer 404 and 410, on the page too",
  async (open) => {
    const sql = await open();
    await withBroker(sql, PLENTY, async (test, url) => {
      const { mesh, owner } = await begin(test);
      const revoked = await invite(mesh, owner);
      assert.equal((await owner.request("revoke_invite", { code: revoked })).code, revoked);
      const expired = await invite(mesh, owner);
      await sql.query(
        "update mesh.invite set expires_at = now() - interval '1 s' where code = $1",
        [
          expired,
        ],
      );
      const exhausted = await invite(mesh, owner);
      await claim(url, exhausted, generateKeyPair());
      const cases = [
        ["Unknown1", 404, "not_found", "No such invite"],
        ["x", 404, "not_found", "No such invite"],
        [revoked, 410, "revoked", "This invite was withdrawn"],
        [expired, 410, "expired", "This invite has expired"],
        [exhausted, 410, "exhausted", "This invite has been used up"],
      ] as const;
      for (const [code, status, error, title] of cases) {
        // A code that is none cannot be signed for; it is refused before the signature counts.
        const body = claimBody(code === "x" ? "Ab3dE6gH" : code, generateKeyPair());
        const answer = await post(`${url}/invites/${code}/claim`, body);
        assert.equal(answer.status, status, code);
        assert.equal(answer.body.error, error);
        const page = await fetch(`${url}/i/${code}`);
        assert.equal(page.status, status);
        assert.ok((await page.text()).includes(`<h1>${title}</h1>`), title);
      }
    });
  },
);

eachDriver("a claim that is not the joiner's own is refused and uses nothing up", async (open) => {
  const sql = await open();
  await withBroker(sql, PLENTY, async (test, url) => {
    const { mesh, owner } = await begin(test);
    const code = await invite(mesh, owner);
    const good = claimBody(code, generateKeyPair());
    const other = claimBody(code, generateKeyPair());
    const skewed = claimBody(code, generateKeyPair(), { timestamp: Date.now() - 61_000 });
    const cases: [Record<string, unknown>, number, string][] = [
      [{ ...good, signature: other.signature }, 400, "bad_signature"],
      [{ ...good, display_name: "Eve" }, 400, "bad_signature"],
      [{ ...good, recipient_x25519_pubkey: other.recipient_x25519_pubkey }, 400, "malformed"],
      [{ ...good, peer_pubkey: "0".repeat(64) }, 400, "malformed"],
      [claimBody("Zz3dE6gH", generateKeyPair()), 400, "bad_signature"],
      [skewed, 401, "timestamp_skew"],
      [{ ...good, display_name: " Eve" }, 400, "invalid_argument"],
      [{ ...good, mac: "short" }, 400, "invalid_argument"],
    ];
    for (const [body, status, error] of cases) {
      const answer = await post(`${url}/invites/${code}/claim`, body);
      assert.equal(answer.body.error, error, JSON.stringify(answer.body));
      assert.equal(answer.status, status);
    }
    const [row] = await sql.query<{ used: number }>("select used_count as used from mesh.invite");
    assert.equal(row?.used, 0);
  });
});

eachDriver("the eleventh claim of a minute from one address is refused", async (open) => {
  await withBroker(await open(), {}, async (_test, url) => {
    for (let count = 0; count < 10; count++) {
      assert.equal((await claim(url, "Unknown1", generateKeyPair())).status, 404);
    }
    const refused = await claim(url, "Unknown1", generateKeyPair());
    assert.equal(refused.status, 429);
    assert.equal(refused.body.limit, 10);
    assert.ok(Number(refused.body.retry_after_ms) > 0);
  });
});

eachDriver("a banned key stays out, one that left comes back as the same member", async (open) => {
  await withBroker(await open(), PLENTY, async (test, url) => {
    const { mesh, owner } = await begin(test);
    const banned = generateKeyPair();
    const code = await invite(mesh, owner, { maxUses: 9 });
    await claim(url, code, banned, { name: "Mallory" });
    assert.equal((await owner.request("ban", { target: "Mallory" })).banned, "Mallory");
    const refused = await claim(url, code, banned, { name: "Mallory" });
    assert.equal(refused.status, 403);
    assert.equal(refused.body.error, "forbidden");
    const keys = generateKeyPair();
    const { body } = await claim(url, code, keys, { name: "Carl" });
    const peer = await test.socket();
    await peer.hello({ id: String(body.member_id), meshId: mesh.meshId, keys });
    assert.equal((await peer.request("leave_mesh")).type, "mesh_left");
    await peer.closed;
    const back = await claim(url, code, keys, { name: "Carlo" });
    assert.equal(back.body.member_id, body.member_id);
    assert.equal(back.body.already_member, false);
    const again = await test.socket();
    const hello = await again.hello({ id: String(body.member_id), meshId: mesh.meshId, keys });
    assert.equal(hello.memberDisplayName, "Carlo");
  });
});

eachDriver("an invite falls with its maker's right to invite", async (open) => {
  await withBroker(await open(), PLENTY, async (test, url) => {
    const { mesh, owner } = await begin(test);
    const keys = generateKeyPair();
    const { body } = await claim(url, await invite(mesh, owner, { role: "admin" }), keys);
    assert.equal(body.role, "admin");
    const admin = await test.socket();
    await admin.hello({ id: String(body.member_id), meshId: mesh.meshId, keys });
    const input = inviteInput(mesh, keys, { maxUses: 5 });
    assert.equal((await admin.request("create_invite", input)).type, "invite_created");
    const first = await claim(url, input.code, generateKeyPair());
    assert.equal(first.body.inviter_pubkey, keys.publicKey);
    await owner.request("ban", { target: keys.publicKey });
    const second = await claim(url, input.code, generateKeyPair());
    assert.equal(second.status, 410);
    assert.equal(second.body.error, "revoked");
  });
});

eachDriver("an invite that the store was made to change is not honoured", async (open) => {
  const sql = await open();
  await withBroker(sql, PLENTY, async (test, url) => {
    const { mesh, owner } = await begin(test);
    const code = await invite(mesh, owner);
    await sql.query("update mesh.invite set role = 'admin'");
    const raised = await claim(url, code, generateKeyPair());
    assert.equal(raised.status, 400);
    assert.equal(raised.body.error, "bad_signature");
  });
});

eachDriver(
  "only what the caller's own key signed is registered, within a year, and once",
  async (open) => {
    await withBroker(await open(), { limits: { invitesPerMesh: 2 } }, async (test) => {
      const { mesh, owner } = await begin(test);
      const good = inviteInput(mesh, mesh.owner);
      const stranger = generateKeyPair();
      const second = Math.floor(Date.now() / 1000) * 1000;
      const cases: [object, string][] = [
        [{ ...good, role: "admin" }, "bad_signature"],
        [{ ...good, inviteId: "inv_other" }, "bad_signature"],
        [{ ...good, signature: sign(good.canonical, stranger.secretKey) }, "bad_signature"],
        [{ ...good, expiresAt: good.expiresAt + 1000 }, "bad_signature"],
        [{ ...good, expiresAt: good.expiresAt + 1 }, "invalid_argument"],
        [inviteInput(mesh, mesh.owner, { expiresAt: second - 1000 }), "invalid_argument"],
        [
          inviteInput(mesh, mesh.owner, { expiresAt: second + 367 * 86_400_000 }),
          "invalid_argument",
        ],
        [{ ...good, sealedSecret: "AAAA", epoch: 2 }, "invalid_argument"],
      ];
      for (const [input, code] of cases) {
        assert.equal((await owner.request("create_invite", input)).code, code);
      }
      assert.equal((await owner.request("create_invite", good)).type, "invite_created");
      const sameCode = inviteInput(mesh, mesh.owner, { code: good.code });
      assert.equal((await owner.request("create_invite", sameCode)).code, "already_exists");
      await invite(mesh, owner);
      const third = await owner.request("create_invite", inviteInput(mesh, mesh.owner));
      assert.equal(third.code, "limit");
      assert.equal(third.limit, 2);
    });
  },
);

eachDriver("an invite of another mesh is neither listed nor revoked", async (open) => {
  await withBroker(await open(), PLENTY, async (test, url) => {
    const one = await begin(test);
    const two = await begin(test);
    const code = await invite(one.mesh, one.owner);
    assert.deepEqual((await two.owner.request("list_invites")).invites, []);
    const refused = await two.owner.request("revoke_invite", { code });
    assert.equal(refused.code, "not_found");
    assert.equal((await claim(url, code, generateKeyPair())).status, 200);
  });
});

eachDriver(
  "with custody broker the joiner gets the key at once, sealed to it alone",
  async (open) => {
    await withBroker(await open(), PLENTY, async (test, url) => {
      const { mesh, owner } = await begin(test, "broker");
      const keys = generateKeyPair();
      const code = await invite(mesh, owner);
      const { body } = await claim(url, code, keys);
      const sealed = toBase64(fromBase64Url(String(body.sealed_root_key)));
      assert.deepEqual(openSealedKey(keys.secretKey, sealed), mesh.key);
      assert.equal(openSealedKey(generateKeyPair().secretKey, sealed), null);
      const peer = await test.socket();
      await peer.hello({ id: String(body.member_id), meshId: mesh.meshId, keys });
      const held = await peer.request("get_mesh_keys") as unknown as {
        keys: { epoch: number; sealedKey: string }[];
      };
      assert.deepEqual(held.keys.map((key) => key.epoch), [1]);
      assert.deepEqual(openSealedKey(keys.secretKey, held.keys[0]!.sealedKey), mesh.key);
      const again = await claim(url, code, keys);
      assert.equal(again.body.already_member, true);
      assert.notEqual(again.body.sealed_root_key, null);
    });
  },
);

eachDriver(
  "the page shows what is offered, escaped, without a script or a secret",
  async (open) => {
    const sql = await open();
    await withBroker(sql, PLENTY, async (test) => {
      const { mesh } = await begin(test);
      await sql.query("update mesh.mesh set name = '<img src=x onerror=alert(1)>'");
      await test.restart();
      const again = await test.socket();
      await again.hello(ownerOf(mesh));
      const code = await invite(mesh, again, { maxUses: 3 });
      const page = await fetch(`${test.broker.url}/i/${code}`);
      assert.equal(page.status, 200);
      const html = await page.text();
      assert.ok(html.includes("&lt;img src=x onerror=alert(1)&gt;"));
      assert.ok(!/<script|<img|onerror=alert\(1\)>|http-equiv|href=/i.test(html));
      for (const shown of ["Olga", "3 of 3", "In 59 minutes", "The members alone", code]) {
        assert.ok(html.includes(shown), shown);
      }
      const policy = page.headers.get("content-security-policy") ?? "";
      const style = /<style>([\s\S]*)<\/style>/.exec(html)?.[1] ?? "";
      const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(style));
      const hash = toBase64(new Uint8Array(digest));
      assert.ok(policy.includes(`style-src 'sha256-${hash}'`), "the style would be blocked");
      // Looking uses nothing up.
      const [row] = await sql.query<{ used: number }>("select used_count as used from mesh.invite");
      assert.equal(row?.used, 0);
    });
  },
);
