/**
 * A call of each operation that succeeds in a furnished mesh. An operation that is not named here is called with the example
 * of its contract.
 */
import assert from "node:assert/strict";
import { ops } from "../../broker/api/catalog.ts";
import { COMMON_FAILS, type Op } from "../../broker/api/op.ts";
import { randomId } from "../../crypto/random.ts";
import { BOX, sha256Of } from "./file_transfer.ts";
import { asked, type FurnishedMesh, PATIENCE_MS } from "./furnished_mesh.ts";
import { sealKeyFor } from "../../crypto/mesh_key.ts";
import type { Frame, TestPeer } from "./peer.ts";

export interface ValidCall {
  readonly op: Op;
  readonly peer: TestPeer;
  readonly input: Readonly<Record<string, unknown>>;
}

type Input = object | Promise<object>;

const INPUTS: Readonly<Record<string, (mesh: FurnishedMesh) => Input>> = {
  send: ({ members, secret }) => ({
    targetSpec: members.Bob.displayName,
    nonce: secret,
    ciphertext: secret,
    client_message_id: randomId(),
  }),
  message_status: ({ ids }) => ({ messageId: ids.sentId }),
  client_ack: ({ ids }) => ({ brokerMessageIds: [ids.receivedId] }),
  client_seen: ({ ids }) => ({ brokerMessageIds: [ids.receivedId] }),
  leave_group: () => ({ name: "ops" }),
  kick: ({ members }) => ({ target: members.Eve.displayName }),
  disconnect: ({ members }) => ({ target: members.Fay.keys.publicKey }),
  ban: ({ members, secret }) => ({ target: members.Gus.displayName, reason: secret }),
  unban: ({ members }) => ({ target: members.Dan.keys.publicKey }),
  set_grants: ({ members }) => ({ grants: { [members.Hal.keys.publicKey]: ["read", "dm"] } }),
  create_invite: (mesh) => mesh.invite(),
  revoke_invite: ({ ids }) => ({ code: ids.inviteCode }),
  rotate_mesh_key: async (mesh) => mesh.rotation(await epochOf(mesh) + 1),
  hand_over_key: async (mesh) => ({
    memberId: mesh.members.Cyd.id,
    epoch: await epochOf(mesh),
    sealedKey: sealKeyFor(mesh.members.Cyd.keys.publicKey, new Uint8Array(32)),
    mac: null,
  }),
  delete_state: () => ({ key: "lock" }),
  recall: () => ({ query: "payments" }),
  forget: ({ ids }) => ({ memoryId: ids.forgottenMemoryId }),
  resume_file_upload: ({ ids }) => ({ fileId: ids.emptyUploadId }),
  commit_file_upload: (mesh) => ({
    fileId: mesh.ids.wholeUploadId,
    sha256: sha256Of(mesh.bytes),
    sealedKeys: [{ pubkey: mesh.members.Ada.keys.publicKey, sealedKey: BOX }],
  }),
  cancel_file_upload: ({ ids }) => ({ fileId: ids.cancelledUploadId }),
  get_file: ({ ids }) => ({ fileId: ids.deletedFileId }),
  file_status: ({ ids }) => ({ fileId: ids.fileId }),
  grant_file_access: ({ ids, members }) => ({
    fileId: ids.fileId,
    peerPubkey: members.Bob.keys.publicKey,
    sealedKey: BOX,
  }),
  delete_file: ({ ids }) => ({ fileId: ids.deletedFileId }),
  rewrap_file_keys: async (mesh) => ({
    epoch: await epochOf(mesh),
    keys: [{ fileId: mesh.ids.fileId, wrappedKey: BOX }],
  }),
  peer_file_request: ({ members }) => ({
    targetPubkey: members.Bob.keys.publicKey,
    requestId: randomId(),
    sealed: BOX,
  }),
  peer_file_response: async ({ bob, members }) => {
    const requestId = randomId();
    const targetPubkey = members.Ada.keys.publicKey;
    await asked(bob, "peer_file_request", { targetPubkey, requestId, sealed: BOX });
    return { requesterPubkey: members.Bob.keys.publicKey, requestId, sealed: BOX };
  },
  vector_store: ({ secret }) => ({ collection: "notes", text: secret }),
  vector_search: ({ secret }) => ({ collection: "notes", query: secret }),
  vector_delete: () => ({ collection: "notes", id: "n2" }),
  vector_drop: () => ({ collection: "old-notes" }),
  graph_execute: ({ secret }) => ({ cypher: `CREATE (:Mark {word: '${secret}'})` }),
  graph_query: () => ({ cypher: "MATCH (m:Mark) RETURN m" }),
  mesh_query: () => ({ sql: "SELECT word FROM marks" }),
  mesh_execute: ({ secret }) => ({ sql: `INSERT INTO marks VALUES ('${secret}')` }),
  create_stream: () => ({ name: "deploys" }),
  publish: ({ secret }) => ({ stream: "builds", data: { secret } }),
  subscribe: () => ({ stream: "builds" }),
  unsubscribe: () => ({ stream: "builds" }),
  stream_history: () => ({ stream: "builds" }),
  delete_stream: () => ({ stream: "old-builds" }),
  create_task: ({ ids, members, secret }) => ({
    title: secret,
    assignee: members.Bob.displayName,
    dependsOn: [ids.taskIds.read],
  }),
  claim_task: ({ ids }) => ({ taskId: ids.taskIds.claim }),
  renew_task: ({ ids }) => ({ taskId: ids.taskIds.renew }),
  complete_task: ({ ids, secret }) => ({ taskId: ids.taskIds.complete, result: secret }),
  release_task: ({ ids }) => ({ taskId: ids.taskIds.release }),
  cancel_task: ({ ids }) => ({ taskId: ids.taskIds.cancel }),
  get_context: () => ({ query: "parser" }),
  get_task: ({ ids }) => ({ taskId: ids.taskIds.read }),
  list_tasks: () => ({}),
  schedule: ({ members, secret }) => ({
    to: members.Bob.displayName,
    message: secret,
    inSeconds: 3_600,
  }),
  cancel_scheduled: ({ ids }) => ({ scheduledId: ids.scheduledId }),
  get_skill: () => ({ name: "review" }),
  remove_skill: () => ({ name: "release" }),
};

/** Who calls, where it is not the owner. */
const CALLERS: Readonly<Record<string, "bob" | "hal">> = { leave_mesh: "hal" };

/** The call of one operation, made for the mesh as it is now. */
export async function validCall(op: Op, mesh: FurnishedMesh): Promise<ValidCall> {
  const input = await (INPUTS[op.wire] ?? (() => op.example.input))(mesh);
  return { op, peer: mesh[CALLERS[op.wire] ?? "ada"], input: { ...input } };
}

/** The calls of all operations, in the order of the catalog. */
export async function validCalls(mesh: FurnishedMesh): Promise<ValidCall[]> {
  const calls: ValidCall[] = [];
  for (const op of ops) calls.push(await validCall(op, mesh));
  return calls;
}

async function epochOf({ ada }: FurnishedMesh): Promise<number> {
  return Number((await asked(ada, "get_mesh_keys")).epoch);
}

/** The answer to a call: as its reply is declared, or a code that it declares. */
export async function answerTo({ op, peer, input }: ValidCall): Promise<Frame> {
  const answer = await peer.request(op.wire, input, PATIENCE_MS);
  const codes: readonly string[] = [...COMMON_FAILS, ...op.fails];
  const isDeclared = answer.type === "error"
    ? codes.includes(String(answer.code)) && answer.code !== "internal"
    : answer.type === op.reply && op.output.safeParse(answer).success;
  const shown = `${op.wire} ${JSON.stringify(input)}: ${JSON.stringify(answer)}`;
  assert.ok(isDeclared, shown.slice(0, 2_000));
  return answer;
}

/** What calls that keep nothing answer, where that does not change by itself. */
export async function stableReads(
  calls: readonly ValidCall[],
): Promise<ReadonlyMap<ValidCall, string>> {
  const reads = calls.filter(({ op }) => op.audit === null);
  // The first round sets what later ones show.
  const [, first, second] = [await texts(reads), await texts(reads), await texts(reads)];
  return new Map([...second].filter(([call, text]) => first.get(call) === text));
}

/** The answers to calls, as text. */
export async function texts(calls: Iterable<ValidCall>): Promise<Map<ValidCall, string>> {
  const found = new Map<ValidCall, string>();
  for (const call of calls) {
    const { _reqId, ...answer } = await answerTo(call);
    found.set(call, JSON.stringify(answer));
  }
  return found;
}
