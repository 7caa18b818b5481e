/**
 * A mesh that has one of everything, made over the wire: for tests that walk all operations. Names are the same in every such
 * mesh, ids differ, and all content holds a word that is nowhere else.
 */
import assert from "node:assert/strict";
import { makeRotationProof, newEpochKey, sealKeyFor } from "../../crypto/mesh_key.ts";
import { randomId } from "../../crypto/random.ts";
import { inviteInput } from "./admission.ts";
import type { Sql } from "../../storage/sql/port.ts";
import { TestBroker, type TestMember } from "./broker.ts";
import { forMembers, patch, share, startUpload } from "./file_transfer.ts";
import { forgetMeshRoles } from "./mesh_databases.ts";
import type { Frame, TestPeer } from "./peer.ts";

const NAMES = ["Ada", "Bob", "Cyd", "Dan", "Eve", "Fay", "Gus", "Hal"] as const;
type Name = (typeof NAMES)[number];
/** The first statement on a mesh's own database waits until that is made and opened. */
export const PATIENCE_MS = 60_000;
const MANY = 1_000_000;
const ROOMY = {
  requestsPerMinute: MANY,
  requestBurst: MANY,
  sendsPerMinute: MANY,
  sendBurst: MANY,
  sqlStatementsPerMinute: MANY,
  streamPublishesPerMinute: MANY,
  streamPublishBurst: MANY,
  peerFileMs: 3_600_000,
};
/** How many of each kind there are: one to read, others to change and to remove. */
const TASKS = ["claim", "renew", "complete", "release", "cancel", "read"] as const;

/** Ids of what is in the mesh. */
export interface Furniture {
  readonly sentId: string;
  readonly receivedId: string;
  readonly memoryId: string;
  readonly forgottenMemoryId: string;
  /** Shared with the whole mesh in epoch 1. */
  readonly fileId: string;
  readonly deletedFileId: string;
  /** Uploads: one without bytes, one complete, one to be cancelled. */
  readonly emptyUploadId: string;
  readonly wholeUploadId: string;
  readonly cancelledUploadId: string;
  readonly taskIds: Readonly<Record<(typeof TASKS)[number], string>>;
  readonly scheduledId: string;
  readonly inviteCode: string;
}

export class FurnishedMesh {
  /** In every text, value and ciphertext of the mesh; letters and digits. */
  readonly secret: string;
  readonly members: Readonly<Record<Name, TestMember>>;
  /** The owner. */
  readonly ada: TestPeer;
  /** A plain member. */
  readonly bob: TestPeer;
  /** A plain member who leaves. */
  readonly hal: TestPeer;
  readonly ids: Furniture;

  constructor(
    parts: Pick<FurnishedMesh, "secret" | "members" | "ada" | "bob" | "hal" | "ids">,
  ) {
    ({
      secret: this.secret,
      members: this.members,
      ada: this.ada,
      bob: this.bob,
      hal: this.hal,
      ids: this.ids,
    } = parts);
  }

  get meshId(): string {
    return this.members.Ada.meshId;
  }

  /** The bytes of all uploads. */
  get bytes(): Uint8Array {
    return bytesOf(this.secret);
  }

  /** A rotation to `epoch` by Ada that leaves out all but herself and Bob. */
  rotation(epoch: number): object {
    return rotationBy(this.members, epoch, ["Ada", "Bob"]);
  }

  /** An invite of Ada's. */
  invite() {
    return inviteOf(this.members.Ada, this.secret);
  }
}

/** Runs `run` with a broker on `sql` that has room for many requests. */
export async function withRoomyBroker(
  sql: Sql,
  run: (broker: TestBroker) => Promise<void>,
): Promise<void> {
  const broker = await TestBroker.start(sql, { limits: ROOMY });
  try {
    await run(broker);
  } finally {
    const { meshDatabases } = broker.context.stores;
    await forgetMeshRoles(meshDatabases, sql).finally(() => broker.close());
  }
}

/** Makes a mesh; the broker needs room for many requests. */
export async function furnish(broker: TestBroker): Promise<FurnishedMesh> {
  const secret = randomId();
  const tag = randomId().slice(0, 12);
  const specs = NAMES.map((name) => ({ name: `${name} ${tag}` }));
  const made = await broker.mesh(...specs);
  const members = Object.fromEntries(NAMES.map((name, index) => [name, made[index]])) as Record<
    Name,
    TestMember
  >;
  const stage: Stage = {
    secret,
    members,
    ada: await broker.join(members.Ada, { hostname: secret.slice(0, 30) }),
    bob: await broker.join(members.Bob),
    hal: await broker.join(members.Hal),
  };
  const fileIds = await shareFiles(stage);
  const inviteCode = await admit(stage);
  const [sentId, receivedId] = await sendMessages(stage);
  await showOneself(stage);
  await shareKnowledge(stage);
  const ids: Furniture = {
    sentId,
    receivedId,
    inviteCode,
    ...fileIds,
    memoryId: await remember(stage),
    forgottenMemoryId: await remember(stage),
    taskIds: await makeTasks(stage),
    scheduledId: String(
      (await stage.ada.request("schedule", { message: secret, inSeconds: 36_000 })).scheduledId,
    ),
  };
  await fillDatabases(stage);
  // What is written some time later otherwise.
  await broker.context.delivery.flush();
  await broker.context.activity.flush(broker.context.meshes.all());
  return new FurnishedMesh({ ...stage, ids });
}

type Stage = Pick<FurnishedMesh, "secret" | "members" | "ada" | "bob" | "hal">;

/** Asks and requires a success. */
export async function asked(peer: TestPeer, wire: string, input: object = {}): Promise<Frame> {
  const answer = await peer.request(wire, input, PATIENCE_MS);
  assert.notEqual(answer.type, "error", `${wire}: ${JSON.stringify(answer)}`);
  return answer;
}

/** One of each state of a file, in epoch 1. */
async function shareFiles({ ada, bob, secret, members }: Stage) {
  const bytes = bytesOf(secret);
  const start = { name: `${secret}.pdf`, tags: [secret] };
  const fileId = await share(ada, bytes, { start });
  await asked(ada, "get_file", { fileId });
  await asked(bob, "get_file", { fileId });
  const sealed = forMembers(bytes, members.Ada.keys.publicKey, members.Bob.keys.publicKey);
  const deletedFileId = await share(ada, bytes, { start, commit: sealed });
  const empty = await startUpload(ada, bytes, start);
  const whole = await startUpload(ada, bytes, start);
  await patch(whole.url, 0, bytes);
  const cancelled = await startUpload(ada, bytes, start);
  return {
    fileId,
    deletedFileId,
    emptyUploadId: empty.fileId,
    wholeUploadId: whole.fileId,
    cancelledUploadId: cancelled.fileId,
  };
}

/** Members of every kind, and the mesh key in epoch 2, for which Cyd waits. */
async function admit({ ada, bob, members, secret }: Stage): Promise<string> {
  const invite = inviteOf(members.Ada, secret);
  await asked(ada, "create_invite", invite);
  await asked(
    ada,
    "rotate_mesh_key",
    rotationBy(members, 2, NAMES.filter((each) => each !== "Cyd")),
  );
  await asked(ada, "ban", { target: members.Dan.keys.publicKey, reason: secret });
  const all = ["read", "dm", "broadcast", "state-read", "state-write", "file-read"];
  await asked(bob, "set_grants", { grants: { [members.Ada.keys.publicKey]: all } });
  await asked(ada, "set_grants", { grants: { [members.Bob.keys.publicKey]: all } });
  return invite.code;
}

/** A message each way; Bob has read his. */
async function sendMessages({ ada, bob, members, secret }: Stage): Promise<[string, string]> {
  const body = { priority: "now", nonce: secret, ciphertext: secret };
  const sent = await asked(ada, "send", { targetSpec: members.Bob.keys.publicKey, ...body });
  await bob.nextMessage();
  await asked(bob, "client_ack", { brokerMessageId: sent.messageId });
  await asked(bob, "client_seen", { brokerMessageIds: [sent.messageId] });
  const received = await asked(bob, "send", { targetSpec: members.Ada.keys.publicKey, ...body });
  await ada.nextMessage();
  return [String(sent.messageId), String(received.messageId)];
}

async function showOneself({ ada, secret }: Stage): Promise<void> {
  await asked(ada, "set_summary", { summary: secret });
  await asked(ada, "set_profile", { bio: secret, title: secret });
  await asked(ada, "join_group", { name: "eng", role: secret });
  await asked(ada, "join_group", { name: "ops", role: secret });
}

async function shareKnowledge({ ada, secret }: Stage): Promise<void> {
  for (const key of ["sprint", "lock"]) await asked(ada, "set_state", { key, value: { secret } });
  for (const stream of ["builds", "old-builds"]) {
    await asked(ada, "publish", { stream, data: { secret } });
  }
  const knowledge = {
    summary: `${secret} parser`,
    filesRead: [secret],
    keyFindings: [secret],
    tags: [secret],
  };
  await asked(ada, "share_context", knowledge);
  for (const name of ["review", "release"]) {
    await asked(ada, "share_skill", { name, description: secret, instructions: secret });
  }
  await asked(ada, "set_clock", { speed: 1 });
  await asked(ada, "pause_clock");
}

async function remember({ ada, secret }: Stage): Promise<string> {
  return String(
    (await asked(ada, "remember", { content: `${secret} payments`, tags: [secret] })).id,
  );
}

async function makeTasks({ ada, secret }: Stage): Promise<Furniture["taskIds"]> {
  const ids: Record<string, string> = {};
  for (const kind of TASKS) {
    const dependsOn = kind === "read" ? [ids.claim] : [];
    const input = { title: secret, description: secret, tags: [secret], dependsOn };
    const id = String((await asked(ada, "create_task", input)).id);
    ids[kind] = id;
    if (["renew", "complete", "release"].includes(kind)) {
      await asked(ada, "claim_task", { taskId: id });
    }
  }
  return ids as Furniture["taskIds"];
}

/** The mesh's own database: tables, a graph, texts. */
async function fillDatabases({ ada, secret }: Stage): Promise<void> {
  await asked(ada, "mesh_execute", { sql: "CREATE TABLE marks (word text)" });
  await asked(ada, "mesh_execute", { sql: `INSERT INTO marks VALUES ('${secret}')` });
  await asked(ada, "graph_execute", { cypher: `CREATE (:Mark {word: '${secret}'})` });
  for (const [collection, id] of [["notes", "n1"], ["notes", "n2"], ["old-notes", "n1"]]) {
    await asked(ada, "vector_store", { collection, id, text: secret, metadata: { secret } });
  }
}

function bytesOf(secret: string): Uint8Array {
  return new TextEncoder().encode(secret.repeat(4));
}

function inviteOf(ada: TestMember, secret: string) {
  const { meshId, keys: owner, id: ownerMemberId } = ada;
  const mesh = { meshId, owner, ownerMemberId, slug: "", custody: "members" as const };
  const input = inviteInput({ ...mesh, key: new Uint8Array() }, owner);
  return { ...input, sealedSecret: secret };
}

function rotationBy(members: Stage["members"], epoch: number, readers: readonly Name[]): object {
  const { meshId, keys } = members.Ada;
  const [newKey, previousKey] = [newEpochKey(), newEpochKey()];
  return {
    epoch,
    proof: makeRotationProof({ meshId, epoch, newKey, previousKey }, keys.secretKey),
    sealed: Object.fromEntries(
      readers.map((name) => [members[name].id, sealKeyFor(members[name].keys.publicKey, newKey)]),
    ),
  };
}
