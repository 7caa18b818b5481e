/**
 * The overview of a mesh, as one of its members sees it.
 */
import { countShared } from "../../storage/sql/queries/mesh_overview.ts";
import { listStreams } from "../../storage/sql/queries/streams.ts";
import { countTasksByStatus } from "../../storage/sql/queries/tasks.ts";
import type { mesh as contract } from "../api/mesh.ts";
import type { Handlers } from "../api/op.ts";
import type { Call } from "../core/context.ts";
import { isListed } from "../core/listing.ts";
import type { Member, Mesh } from "../core/model.ts";
import type { Stores } from "../core/stores.ts";
import { isActive } from "../core/targets.ts";
import { readableKeys } from "./state.ts";

const TABLES_TIMEOUT_MS = 5_000;
const TABLES = `SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace
  AND relkind IN ('r', 'p', 'v', 'm') AND NOT relispartition ORDER BY relname`;
/** So many names of a kind are shown. */
const SHOWN_NAMES = 200;
/** Counting ends here. */
const MOST_COUNTED = 10_000;

export const mesh: Handlers<typeof contract, Call> = {
  async meshInfo(call) {
    const { broker, connection: { mesh, member, session } } = call;
    const { sql, clock } = broker;
    const nowMs = clock.now();
    const [counts, { open, claimed, completed }, streams, stateKeys, own] = await Promise.all([
      countShared(sql, mesh.id, nowMs, MOST_COUNTED),
      countTasksByStatus(sql, mesh.id, nowMs),
      listStreams(sql, mesh.id, SHOWN_NAMES),
      readableKeys(call, SHOWN_NAMES),
      ownDatabase(call),
    ]);
    return {
      mesh: mesh.id,
      slug: mesh.slug,
      name: mesh.name,
      createdAt: new Date(mesh.createdAtMs).toISOString(),
      ...peopleOf(mesh, member),
      custody: mesh.custody,
      epoch: mesh.epoch,
      rekeyNeeded: mesh.rekeyReason !== null,
      yourName: session.displayName,
      yourRole: member.role,
      yourGroups: session.groups.map(({ name }) => `@${name}`),
      queued: broker.delivery.openCount(member),
      stateKeys,
      memoryCount: counts.memories,
      fileCount: counts.files,
      skillCount: counts.skills,
      tasks: { open, claimed, completed },
      streams: streams.map(({ name }) => name),
      ...own,
    };
  },

  meshStats({ broker, connection: { mesh } }) {
    const online = new Set([...mesh.connections].map(({ member }) => member));
    const peers = [...mesh.membersById.values()].filter(isActive).map((member) => {
      const { uptimeMs, ...counts } = broker.activity.of(member);
      return {
        name: member.displayName,
        memberId: member.id,
        online: online.has(member),
        ...counts,
        uptimeMinutes: Math.floor(uptimeMs / 60_000),
      };
    });
    peers.sort((a, b) => Number(b.online) - Number(a.online) || (a.name < b.name ? -1 : 1));
    return Promise.resolve({ peers });
  },
};

/** How many are members and peers of a mesh, and which groups they are in, as `member` sees it. */
function peopleOf(mesh: Mesh, member: Member) {
  const groups = new Map<string, string>();
  let members = 0;
  let peers = 0;
  for (const each of mesh.membersById.values()) {
    if (!isActive(each)) continue;
    members += 1;
    for (const { name } of each.defaultGroups) groups.set(name.toLowerCase(), name);
    for (const other of each.sessions.values()) {
      if (!isListed(other) || (!other.visible && each !== member)) continue;
      peers += 1;
      for (const { name } of other.groups) groups.set(name.toLowerCase(), name);
    }
  }
  return { peers, members, groups: [...groups.values()].sort().map((name) => `@${name}`) };
}

/** What is in the mesh's own database, which is not made for being asked; null where it does not answer. */
async function ownDatabase(
  { broker: { stores, log }, connection: { mesh } }: Call,
): Promise<{ tables: string[] | null; collections: string[] | null }> {
  async function told(names: Promise<string[]>): Promise<string[] | null> {
    try {
      return (await names).slice(0, SHOWN_NAMES);
    } catch (error) {
      log.warn("a mesh's own database does not tell what it holds", { error: String(error) });
      return null;
    }
  }
  const [tables, collections] = await Promise.all([
    told(tableNames(stores, mesh.id)),
    told(collectionNames(stores, mesh.id)),
  ]);
  return { tables, collections };
}

async function tableNames({ meshDatabases }: Stores, meshId: string): Promise<string[]> {
  if (!await meshDatabases.exists(meshId)) return [];
  const bounds = {
    timeoutMs: TABLES_TIMEOUT_MS,
    maxRows: SHOWN_NAMES,
    maxBytes: 65_536,
    skipRows: 0,
  };
  const { rows } = await meshDatabases.run(meshId, { text: TABLES, readOnly: true, bounds });
  return rows.map(([name]) => String(name));
}

async function collectionNames({ vectors }: Stores, meshId: string): Promise<string[]> {
  const collections = await vectors.collections(meshId);
  return collections.map(({ name }) => name).sort();
}
