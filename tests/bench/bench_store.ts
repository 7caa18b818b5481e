/**
 * Data folders with meshes whose members nobody has to invite: a broker makes the store, the benchmark adds the rows, and
 * each figure gets a copy.
 */
import { openPglite } from "../../storage/sql/pglite.ts";
import { insertMember, insertMesh } from "../../storage/sql/queries/mesh_creation.ts";
import { generateKeyPair } from "../../crypto/sign.ts";
import type { Identity } from "./load/order.ts";

/** A mesh and its members, all of them known by their keys. */
export interface BenchMesh {
  readonly meshId: string;
  readonly members: readonly Identity[];
}

/** How many members each figure's mesh has. */
export const MESH_SIZES = {
  pairs: 20,
  pace: 2,
  fan_out: 101,
  crowd: 1_000,
  drain: 2,
  warm_up: 1,
} as const;

export type MeshName = keyof typeof MESH_SIZES;

/** A store to copy from. */
export class BenchStore {
  readonly #folder: string;
  readonly #meshes: ReadonlyMap<MeshName, BenchMesh>;

  private constructor(folder: string, meshes: ReadonlyMap<MeshName, BenchMesh>) {
    this.#folder = folder;
    this.#meshes = meshes;
  }

  /** Adds every mesh to the store in `folder`, which a broker has made and left; owns the folder from then on. */
  static async fill(folder: string): Promise<BenchStore> {
    const sql = await openPglite({ dataDir: folder });
    const meshes = new Map<MeshName, BenchMesh>();
    try {
      for (const [name, size] of Object.entries(MESH_SIZES) as [MeshName, number][]) {
        const mesh = newMesh(name, size);
        await sql.transaction(async (tx) => {
          const [owner] = mesh.members;
          if (owner === undefined) throw new RangeError(`mesh ${name} has no members`);
          await insertMesh(tx, {
            id: mesh.meshId,
            slug: mesh.meshId,
            name,
            ownerPubkey: owner.pubkey,
            custody: "members",
            createdAtMs: Date.now(),
          });
          for (const [index, member] of mesh.members.entries()) {
            await insertMember(tx, memberRow(mesh.meshId, member, index));
          }
        });
        meshes.set(name, mesh);
      }
    } finally {
      await sql.close();
    }
    return new BenchStore(folder, meshes);
  }

  mesh(name: MeshName): BenchMesh {
    const mesh = this.#meshes.get(name);
    if (mesh === undefined) throw new RangeError(`there is no mesh ${name}`);
    return mesh;
  }

  /** A copy that a broker may change; the caller removes it. */
  async copy(): Promise<string> {
    const folder = await Deno.makeTempDir({ prefix: "claudemesh-bench-" });
    const { success, stderr } = await new Deno.Command("cp", {
      args: ["-R", `${this.#folder}/.`, folder],
    }).output();
    if (!success) throw new Error(`cannot copy a data folder: ${new TextDecoder().decode(stderr)}`);
    return folder;
  }

  async remove(): Promise<void> {
    await Deno.remove(this.#folder, { recursive: true });
  }
}

function newMesh(name: MeshName, size: number): BenchMesh {
  const meshId = `bench${name.replace("_", "")}`;
  const members = Array.from({ length: size }, (_, index) => {
    const { publicKey, secretKey } = generateKeyPair();
    return { memberId: `${meshId}-${index}`, pubkey: publicKey, secretKey };
  });
  return { meshId, members };
}

function memberRow(meshId: string, member: Identity, index: number) {
  return {
    id: member.memberId,
    meshId,
    pubkey: member.pubkey,
    displayName: `Member ${index}`,
    role: index === 0 ? "owner" as const : "member" as const,
    roleTag: null,
    defaultGroups: [],
    messageMode: "push" as const,
    proven: true,
    joinedAtMs: Date.now(),
  };
}
