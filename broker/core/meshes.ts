/**
 * The meshes in memory: each is loaded from the store when it is first asked for and stays. Only what is committed is
 * put in here.
 */
import { AUDIT_GENESIS } from "../../crypto/audit_hash.ts";
import { type MemberRow, selectMembers } from "../../storage/sql/queries/members.ts";
import { type MeshRow, selectMesh } from "../../storage/sql/queries/meshes.ts";
import type { Sql } from "../../storage/sql/port.ts";
import type { Capability } from "../api/fields.ts";
import type { Member, Mesh } from "./model.ts";

/** A member as a join writes it; what is absent is as on the first day. */
export type JoinedMember =
  & Pick<
    Member,
    | "id"
    | "number"
    | "pubkey"
    | "displayName"
    | "role"
    | "roleTag"
    | "defaultGroups"
    | "messageMode"
    | "proven"
    | "joinedAtMs"
    | "hasMeshKey"
  >
  & Partial<Pick<Member, "bodyVersion" | "lastSeenAtMs">>;

export class Meshes {
  readonly #sql: Sql;
  readonly #prepare: (mesh: Mesh) => Promise<void>;
  readonly #loading = new Map<string, Promise<Mesh | null>>();
  readonly #loaded = new Map<string, Mesh>();

  /** @param prepare reads what others keep of a mesh, before anybody gets to see it. */
  constructor(sql: Sql, prepare: (mesh: Mesh) => Promise<void>) {
    this.#sql = sql;
    this.#prepare = prepare;
  }

  /**
   * Returns the mesh, loaded at most once; null when there is none with this id or it is archived.
   * @throws {SqlError} when the store does not answer; the next call tries again.
   */
  find(meshId: string): Promise<Mesh | null> {
    const known = this.#loading.get(meshId);
    if (known !== undefined) return known;
    const loading = this.#load(meshId);
    this.#loading.set(meshId, loading);
    // Only a mesh is kept: an unknown id may come into being, and a failure may pass.
    loading.then((mesh) => mesh === null && this.#loading.delete(meshId), () => {
      this.#loading.delete(meshId);
    });
    return loading;
  }

  /** Returns the mesh if it is in memory. */
  loaded(meshId: string): Mesh | undefined {
    return this.#loaded.get(meshId);
  }

  /** Every mesh in memory. */
  all(): Iterable<Mesh> {
    return this.#loaded.values();
  }

  /**
   * Puts a member that has just joined, or joined again after leaving, into memory; call it after the commit.
   * @returns the member as everybody sees it.
   */
  admit(mesh: Mesh, joined: JoinedMember): Member {
    const member: Member = {
      bodyVersion: 1,
      lastSeenAtMs: null,
      ...joined,
      mesh,
      grants: new Map(),
      kickedAtMs: null,
      leftAtMs: null,
      revokedAtMs: null,
      sessions: new Map(),
    };
    const former = mesh.membersByPubkey.get(joined.pubkey);
    if (former !== undefined) member.grants = former.grants;
    index(mesh, member);
    return member;
  }

  /** Puts a member as the store has it into memory, where a commit was made that memory did not hear of. */
  restore(mesh: Mesh, row: MemberRow): Member {
    const member = memberOf(mesh, row);
    index(mesh, member);
    return member;
  }

  async #load(meshId: string): Promise<Mesh | null> {
    const row = await selectMesh(this.#sql, meshId);
    if (row === null || row.archivedAt !== null) return null;
    const mesh = meshOf(row);
    for (const member of await selectMembers(this.#sql, meshId)) {
      index(mesh, memberOf(mesh, member));
    }
    await this.#prepare(mesh);
    this.#loaded.set(meshId, mesh);
    return mesh;
  }
}

function index(mesh: Mesh, member: Member): void {
  mesh.membersById.set(member.id, member);
  mesh.membersByPubkey.set(member.pubkey, member);
  mesh.membersByNumber.set(member.number, member);
}

function meshOf(row: MeshRow): Mesh {
  return {
    id: row.id,
    slug: row.slug,
    name: row.name,
    ownerPubkey: row.ownerPubkey,
    custody: row.custody,
    createdAtMs: row.createdAt.getTime(),
    epoch: row.epoch,
    epochAtMs: (row.epochAt ?? row.createdAt).getTime(),
    rekeyReason: row.rekeyReason,
    membersById: new Map(),
    membersByPubkey: new Map(),
    membersByNumber: new Map(),
    connections: new Set(),
    auditHead: row.auditHead ?? AUDIT_GENESIS,
  };
}

function memberOf(mesh: Mesh, row: MemberRow): Member {
  return {
    id: row.id,
    number: row.number,
    mesh,
    pubkey: row.pubkey,
    displayName: row.displayName,
    role: row.role,
    roleTag: row.roleTag,
    defaultGroups: row.defaultGroups,
    messageMode: row.messageMode,
    bodyVersion: row.bodyVersion,
    proven: row.proven,
    grants: new Map<string, readonly Capability[]>(Object.entries(row.grants)),
    joinedAtMs: row.joinedAt.getTime(),
    lastSeenAtMs: row.lastSeenAt?.getTime() ?? null,
    hasMeshKey: row.hasMeshKey,
    kickedAtMs: row.kickedAt?.getTime() ?? null,
    leftAtMs: row.leftAt?.getTime() ?? null,
    revokedAtMs: row.revokedAt?.getTime() ?? null,
    sessions: new Map(),
  };
}
