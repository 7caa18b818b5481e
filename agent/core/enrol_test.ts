/** Joining and making a mesh where something goes wrong: refusals, lies, a lost answer. */
import assert from "node:assert/strict";
import { MeshError } from "../../broker/api/errors.ts";
import { inviteCanonical } from "../../crypto/invite_v2.ts";
import { generateKeyPair, type KeyPair, sign } from "../../crypto/sign.ts";
import { Home } from "../home/home.ts";
import { homePaths } from "../home/paths.ts";
import { createMesh, joinMesh } from "./enrol.ts";
import { LocalError } from "./local_error.ts";

const OWNER = generateKeyPair();
const SECRET = "AAAAAAAAAAAAAAAAAAAAAA";

type Answer = (path: string, body: Record<string, unknown>) => Response | Promise<Response>;

/** A home and a broker that answers as `answer` says. */
async function onStage(
  answer: Answer,
  run: (home: Home, url: string) => Promise<void>,
): Promise<void> {
  const folder = Deno.makeTempDirSync();
  const home = new Home(
    homePaths((name) => name === "CLAUDEMESH_CONFIG_DIR" ? folder : undefined),
  );
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    async (request) => await answer(new URL(request.url).pathname, await request.json()),
  );
  try {
    await run(home, `http://127.0.0.1:${server.addr.port}`);
  } finally {
    await server.shutdown();
    Deno.removeSync(folder, { recursive: true });
  }
}

/** A good answer to a claim, signed by `signer`. */
function claimed(signer: KeyPair, change: Record<string, unknown> = {}): Record<string, unknown> {
  const canonical = inviteCanonical({
    meshId: "mesh1",
    inviteId: "inv1",
    expiresAtUnixS: 4_000_000_000,
    role: "member",
    ownerPubkey: OWNER.publicKey,
  });
  return {
    mesh_id: "mesh1",
    slug: "team",
    name: "Team",
    broker_url: "http://elsewhere",
    member_id: "member1",
    role: "member",
    owner_pubkey: OWNER.publicKey,
    inviter_pubkey: OWNER.publicKey,
    custody: "members",
    canonical_v2: canonical,
    signature: sign(canonical, signer.secretKey),
    epoch: 1,
    already_member: false,
    sealed_root_key: null,
    ...change,
  };
}

function isLocal(code: string) {
  return (error: unknown) => error instanceof LocalError && error.code === code;
}

Deno.test("a join keeps key, secret and mesh, and the address that worked", () =>
  onStage(() => Response.json(claimed(OWNER)), async (home, url) => {
    const outcome = await joinMesh(home, `${url}/i/Ab3dE6gH#${SECRET}`, { displayName: "Bob" });
    assert.equal(outcome.verified, true);
    assert.equal(outcome.mesh.brokerUrl, url);
    assert.equal(home.readMemberKey("mesh1").publicKey, outcome.mesh.pubkey);
    assert.equal(home.readInviteSecrets("mesh1").get("joined"), SECRET);
    assert.deepEqual(home.readConfig().meshes, [outcome.mesh]);
    assert.equal(home.readPendingKey(`join ${url} Ab3dE6gH`), null);
  }));

Deno.test("an answer that was lost is asked for again with the same key", () => {
  const keys: unknown[] = [];
  return onStage((_path, body) => {
    keys.push(body.peer_pubkey);
    // The first time the connection breaks after the broker has added the member.
    return keys.length === 1
      ? new Response("gateway timeout", { status: 504 })
      : Response.json(claimed(OWNER, { already_member: true }));
  }, async (home, url) => {
    const link = `${url}/i/Ab3dE6gH#${SECRET}`;
    await assert.rejects(joinMesh(home, link, { displayName: "Bob" }), isLocal("bad_answer"));
    const outcome = await joinMesh(home, link, { displayName: "Bob" });
    assert.equal(outcome.alreadyMember, true);
    assert.equal(keys[0], keys[1]);
    assert.equal(outcome.mesh.pubkey, keys[0]);
  });
});

for (
  const [what, answer] of [
    ["signed by somebody else", claimed(generateKeyPair())],
    ["about another mesh", claimed(OWNER, { mesh_id: "mesh2" })],
    ["under another owner", claimed(OWNER, { owner_pubkey: generateKeyPair().publicKey })],
    ["without an invite", claimed(OWNER, { canonical_v2: "" })],
  ] as const
) {
  Deno.test(`an answer ${what} joins nothing`, () =>
    onStage(() => Response.json(answer), async (home, url) => {
      const join = joinMesh(home, `${url}/i/Ab3dE6gH#${SECRET}`, { displayName: "Bob" });
      await assert.rejects(join, isLocal("bad_signature"));
      assert.deepEqual(home.readConfig().meshes, []);
    }));
}

Deno.test("the broker's refusal is passed on as it is", () =>
  onStage(
    () => Response.json({ error: "expired", message: "ask for a new one" }, { status: 410 }),
    async (home, url) => {
      await assert.rejects(
        joinMesh(home, `${url}/i/Ab3dE6gH`, { displayName: "Bob" }),
        (error) => error instanceof MeshError && error.code === "expired",
      );
    },
  ));

Deno.test("a refused clock is told as such", () =>
  onStage(
    () => Response.json({ error: "timestamp_skew", message: "skew" }, { status: 401 }),
    async (home, url) => {
      const join = joinMesh(home, `${url}/i/Ab3dE6gH`, { displayName: "Bob" });
      await assert.rejects(join, isLocal("bad_clock"));
    },
  ));

Deno.test("a mesh that is joined already keeps its key when another invite to it is used", () =>
  onStage(() => Response.json(claimed(OWNER)), async (home, url) => {
    const first = await joinMesh(home, `${url}/i/Ab3dE6gH`, { displayName: "Bob" });
    await assert.rejects(
      joinMesh(home, `${url}/i/Other123`, { displayName: "Bob" }),
      isLocal("already_exists"),
    );
    assert.equal(home.readMemberKey("mesh1").publicKey, first.mesh.pubkey);
  }));

Deno.test("a slug that another joined mesh has gets a number", () => {
  let count = 0;
  return onStage(() => {
    count += 1;
    const meshId = `mesh${count}`;
    const fields = {
      meshId,
      inviteId: "inv1",
      expiresAtUnixS: 4_000_000_000,
      role: "member",
      ownerPubkey: OWNER.publicKey,
    };
    const canonical = inviteCanonical(fields);
    const signature = sign(canonical, OWNER.secretKey);
    return Response.json(claimed(OWNER, { mesh_id: meshId, canonical_v2: canonical, signature }));
  }, async (home, url) => {
    const slugs: string[] = [];
    for (const code of ["Ab3dE6g1", "Ab3dE6g2", "Ab3dE6g3"]) {
      const { mesh } = await joinMesh(home, `${url}/i/${code}`, { displayName: "Bob" });
      slugs.push(mesh.slug);
    }
    assert.deepEqual(slugs, ["team", "team-2", "team-3"]);
  });
});

Deno.test("what is no invite, and a code without a broker, is refused before anything is made", () =>
  onStage(() => new Response(), async (home) => {
    for (const text of ["", "hello", "https://x.example/i/Ab3dE6gH#short", "Ab3dE6gH"]) {
      await assert.rejects(
        joinMesh(home, text, { displayName: "Bob" }),
        isLocal("bad_invite"),
        text,
      );
    }
    assert.deepEqual(home.readConfig().meshes, []);
  }));

const WISHES = { slug: "team", name: "Team", displayName: "Ada", custody: "members" } as const;

Deno.test("a creation whose answer was lost asks for the same mesh again", () => {
  const bodies: Record<string, unknown>[] = [];
  return onStage((_path, body) => {
    bodies.push(body);
    if (bodies.length === 1) return new Response("gateway timeout", { status: 504 });
    const { mesh_id, slug } = body;
    const answer = { mesh_id, slug, member_id: "member1", broker_url: "http://x" };
    return Response.json(answer, { status: 201 });
  }, async (home, url) => {
    await assert.rejects(createMesh(home, { ...WISHES, brokerUrl: url }), isLocal("bad_answer"));
    const mesh = await createMesh(home, { ...WISHES, brokerUrl: url });
    assert.equal(bodies[0]!.mesh_id, bodies[1]!.mesh_id);
    assert.deepEqual(bodies[0]!.proof, bodies[1]!.proof);
    assert.equal("broker_key" in bodies[1]!, false);
    assert.equal(mesh.ownerPubkey, mesh.pubkey);
    assert.equal(home.readEpochs(mesh.meshId).size, 1);
    await assert.rejects(
      createMesh(home, { ...WISHES, brokerUrl: url }),
      isLocal("already_exists"),
    );
  });
});

Deno.test("a creation that is refused for good leaves nothing behind", () => {
  const meshIds: unknown[] = [];
  return onStage((_path, body) => {
    meshIds.push(body.mesh_id);
    return Response.json({ error: "already_exists", message: "taken", candidates: ["team-2"] }, {
      status: 409,
    });
  }, async (home, url) => {
    for (let time = 0; time < 2; time++) {
      await assert.rejects(
        createMesh(home, { ...WISHES, brokerUrl: url }),
        (error) => error instanceof MeshError && error.data.candidates?.[0] === "team-2",
      );
    }
    assert.notEqual(meshIds[0], meshIds[1]);
    assert.deepEqual([...Deno.readDirSync(home.paths.keysDir)].map((each) => each.name), []);
  });
});

Deno.test("a broker that cannot be reached is named", async () => {
  const folder = Deno.makeTempDirSync();
  const home = new Home(
    homePaths((name) => name === "CLAUDEMESH_CONFIG_DIR" ? folder : undefined),
  );
  await assert.rejects(
    createMesh(home, { ...WISHES, brokerUrl: "http://127.0.0.1:1" }),
    (error) => isLocal("offline")(error) && /127\.0\.0\.1:1/.test(String(error)),
  );
  Deno.removeSync(folder, { recursive: true });
});
