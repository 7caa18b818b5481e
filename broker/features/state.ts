/**
 * The shared key-value state. A change is committed before anybody hears of it, and told to all who may read the key.
 */
import {
  countStates,
  deleteState,
  selectState,
  selectStates,
  type StateRow,
  upsertState,
} from "../../storage/sql/queries/state.ts";
import { MeshError } from "../api/errors.ts";
import type { Capability } from "../api/fields.ts";
import type { Handlers } from "../api/op.ts";
import { type state as contract, type StateChange, stateEvents } from "../api/state.ts";
import { fittingRows } from "../core/answer_rows.ts";
import type { Call } from "../core/context.ts";
import { mayUse } from "../core/grants.ts";
import type { Member, Mesh } from "../core/model.ts";

export const state: Handlers<typeof contract, Call> = {
  async setState(call, { key, value, ifRevision }) {
    const { broker, connection: { mesh, member } } = call;
    requireSize(broker.settings.limits.stateValueBytes, value);
    const row = await broker.ledger.transact(mesh, async (tx) => {
      const before = await selectState(tx, mesh.id, key);
      requireMay(mesh, member, before, "state-write");
      requireRevision(key, before, ifRevision);
      if (before === null) requireRoom(call, await countStates(tx, mesh.id));
      const result = await upsertState(tx, mesh.id, {
        key,
        value,
        memberId: member.id,
        memberName: member.displayName,
        atMs: broker.clock.now(),
      });
      const payload = { key, revision: result.revision };
      return { result, audits: [{ event: "state_set", actor: member, payload }] };
    });
    tell(call, row, shown(row));
    return shown(row);
  },

  async getState({ broker, connection: { mesh, member } }, { key }) {
    const row = await selectState(broker.sql, mesh.id, key);
    if (row !== null && may(mesh, member, row, "state-read")) return shown(row);
    return { key, value: null, revision: 0, updatedBy: "", updatedAt: "" };
  },

  async listState({ broker, connection: { mesh, member } }, { prefix = "", after = "", limit }) {
    const rows = await selectStates(broker.sql, mesh.id, { prefix, after, limit: limit + 1 });
    const page = fittingRows(rows.slice(0, limit));
    const last = page.at(-1);
    const entries = page.filter((row) => may(mesh, member, row, "state-read")).map(shown);
    return last !== undefined && page.length < rows.length
      ? { entries, next: last.key }
      : { entries };
  },

  async deleteState(call, { key, ifRevision }) {
    const { broker, connection: { mesh, member } } = call;
    const row = await broker.ledger.transact(mesh, async (tx) => {
      const before = await selectState(tx, mesh.id, key);
      if (before === null || !may(mesh, member, before, "state-read")) {
        throw new MeshError("not_found", `the key "${key}" is not set; list_state shows what is`);
      }
      requireMay(mesh, member, before, "state-write");
      requireRevision(key, before, ifRevision);
      await deleteState(tx, mesh.id, key);
      const payload = { key, revision: before.revision };
      return { result: before, audits: [{ event: "state_deleted", actor: member, payload }] };
    });
    tell(call, row, {
      key,
      value: null,
      updatedBy: member.displayName,
      updatedAt: new Date(broker.clock.now()).toISOString(),
      deleted: true,
    });
    return { key, revision: row.revision };
  },
};

function shown(row: StateRow) {
  return {
    key: row.key,
    value: row.value,
    revision: row.revision,
    updatedBy: row.updatedByName,
    updatedAt: row.updatedAt.toISOString(),
  };
}

/** Names of the keys that a member may read, at most `limit`. */
export async function readableKeys(
  { broker, connection: { mesh, member } }: Call,
  limit: number,
): Promise<string[]> {
  const rows = await selectStates(broker.sql, mesh.id, { prefix: "", after: "", limit });
  return rows.filter((row) => may(mesh, member, row, "state-read")).map(({ key }) => key);
}

/** Whether the owner of a key lets a member do it. */
function may(mesh: Mesh, member: Member, row: StateRow, capability: Capability): boolean {
  return mayUse(mesh, member, row.ownerMemberId, capability);
}

function requireMay(
  mesh: Mesh,
  member: Member,
  row: StateRow | null,
  capability: Capability,
): void {
  if (row === null || may(mesh, member, row, capability)) return;
  const owner = mesh.membersById.get(row.ownerMemberId)?.displayName ?? "its owner";
  throw new MeshError(
    "forbidden",
    `the key "${row.key}" belongs to ${owner}, who does not grant you ${capability}; use another key, or ask for it`,
  );
}

function requireRevision(key: string, row: StateRow | null, wanted: number | undefined): void {
  const revision = row?.revision ?? 0;
  if (wanted === undefined || wanted === revision) return;
  const found = row === null ? "is not set" : `is at revision ${revision}`;
  throw new MeshError(
    "conflict",
    `the key "${key}" ${found}, not at ${wanted}; read it again before you change it`,
    { data: { revision } },
  );
}

function requireSize(limit: number, value: unknown): void {
  const bytes = new TextEncoder().encode(JSON.stringify(value)).length;
  if (bytes <= limit) return;
  throw new MeshError(
    "too_large",
    `a value has at most ${limit} bytes as JSON, this one has ${bytes}; share it as a file`,
    { data: { limit } },
  );
}

function requireRoom({ broker }: Call, count: number): void {
  const { stateKeys: limit } = broker.settings.limits;
  if (count < limit) return;
  throw new MeshError("limit", `this mesh has ${limit} keys; delete some first`, {
    data: { limit },
  });
}

/** Tells everybody else who may read the key. */
function tell({ broker, connection }: Call, row: StateRow, change: StateChange): void {
  const { mesh, session } = connection;
  const data = { ...change, updatedBySession: session.id };
  broker.events.toOthers(
    connection,
    stateEvents.stateChange,
    data,
    (other) => may(mesh, other.member, row, "state-read"),
  );
}
