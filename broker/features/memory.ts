/**
 * Long-lived memory of a mesh: everybody may add to it and search it; its author and admins replace and forget.
 */
import {
  countMemories,
  forgetMemory,
  insertMemory,
  memoriesByPrefix,
  type MemoryHead,
  updateMemory,
} from "../../storage/sql/queries/memory.ts";
import {
  type FoundMemories,
  type MemoryRow,
  searchMemories,
  searchQuery,
} from "../../storage/sql/queries/memory_search.ts";
import type { SqlExecutor } from "../../storage/sql/port.ts";
import { MeshError } from "../api/errors.ts";
import type { memory as contract, MemoryEntry } from "../api/memory.ts";
import type { Handlers } from "../api/op.ts";
import type { Call } from "../core/context.ts";
import type { Member, Mesh } from "../core/model.ts";
import { parseMemoryQuery } from "./memory_query.ts";

type Inputs = { [Op in keyof typeof contract]: Parameters<Handlers<typeof contract, Call>[Op]>[1] };

const SHOWN_CANDIDATES = 5;

/** How many memories a mesh has at most: those of the store when it was last asked, and all that came since. */
const counts = new WeakMap<Mesh, Promise<{ most: number }>>();

export const memory: Handlers<typeof contract, Call> = {
  async remember(call, input) {
    const { limits } = call.broker.settings;
    requireSize(input.content, limits.memoryBytes);
    const tags = distinct(input.tags);
    return input.memoryId === undefined
      ? await add(call, { ...input, tags })
      : await replace(call, { ...input, tags, memoryId: input.memoryId });
  },

  async recall({ broker, connection: { mesh } }, { query, limit, offset }) {
    const { sql, clock, settings: { limits, memoryLanguages } } = broker;
    const { terms, tags, excludedTags } = parseMemoryQuery(query);
    const parts = terms.length + tags.length + excludedTags.length;
    if (parts > limits.memoryQueryTerms) {
      throw new MeshError(
        "invalid_argument",
        `a query has at most ${limits.memoryQueryTerms} words, phrases and tags, this one has ` +
          `${parts}; ask for the rarest of them`,
        { data: { field: "query", limit: limits.memoryQueryTerms } },
      );
    }
    const { all, any, excluded } = await searchQuery(sql, terms, memoryLanguages);
    const search = (wanted: string | null): Promise<FoundMemories> =>
      searchMemories(sql, mesh.id, {
        query: wanted,
        excluded,
        tags,
        excludedTags,
        nowMs: clock.now(),
        examined: limits.memoriesExamined,
        ranked: limits.memoriesRanked,
        limit,
        offset,
      });
    // Words that say nothing in any language were all that was asked for.
    const asksNothing = all === null && terms.some((term) => !term.excluded);
    if (asksNothing) return { memories: [], matched: "all", matches: 0 };
    const exact = await search(all);
    const isLoose = exact.matches === 0 && any !== null;
    const { rows, matches } = isLoose ? await search(any) : exact;
    const matched = all === null ? "newest" : isLoose ? "any" : "all";
    return { memories: rows.map(shown), matched, matches };
  },

  async forget({ broker, connection: { mesh, member } }, { memoryId }) {
    const id = await broker.ledger.transact(mesh, async (tx) => {
      const atMs = broker.clock.now();
      const { id } = await ownedMemory(tx, member, memoryId, atMs);
      await forgetMemory(tx, mesh.id, { id, memberId: member.id, atMs });
      const payload = { memoryId: id };
      return { result: id, audits: [{ event: "memory_forgotten", actor: member, payload }] };
    });
    return { id, messageId: id, queued: false };
  },
};

async function add(
  { broker, connection: { mesh, member, session } }: Call,
  { content, tags, expiresInMs }: Inputs["remember"],
) {
  const nowMs = broker.clock.now();
  const expiresAtMs = expiresInMs === undefined ? null : nowMs + expiresInMs;
  const id = broker.random.id();
  const release = await takeRoom(broker, mesh);
  const statement = insertMemory(mesh.id, {
    id,
    content,
    tags,
    memberId: member.id,
    byName: member.displayName,
    sessionId: session.id,
    atMs: nowMs,
    expiresAtMs,
    languages: broker.settings.memoryLanguages,
  });
  const payload = { memoryId: id, characters: content.length, tags: tags.length };
  try {
    await broker.ledger.append({
      mesh,
      statements: [statement],
      audits: [{ event: "memory_stored", actor: member, payload }],
    });
  } catch (error) {
    release();
    throw error;
  }
  return { id, replaced: false, expiresAt: isoOrNull(expiresAtMs) };
}

async function replace(
  { broker, connection: { mesh, member } }: Call,
  { content, tags, expiresInMs, memoryId }: Inputs["remember"] & { memoryId: string },
) {
  const nowMs = broker.clock.now();
  const expiresAtMs = expiresInMs === undefined ? null : nowMs + expiresInMs;
  const id = await broker.ledger.transact(mesh, async (tx) => {
    const { id } = await ownedMemory(tx, member, memoryId, nowMs);
    await updateMemory(tx, mesh.id, {
      id,
      content,
      tags,
      byName: member.displayName,
      atMs: nowMs,
      expiresAtMs,
      languages: broker.settings.memoryLanguages,
    });
    const payload = { memoryId: id, characters: content.length, tags: tags.length };
    return { result: id, audits: [{ event: "memory_replaced", actor: member, payload }] };
  });
  return { id, replaced: true, expiresAt: isoOrNull(expiresAtMs) };
}

/** Finds the one memory that begins like `prefix` and that `member` may change. */
async function ownedMemory(
  tx: SqlExecutor,
  member: Member,
  prefix: string,
  nowMs: number,
): Promise<MemoryHead> {
  const found = await memoriesByPrefix(tx, member.mesh.id, {
    prefix,
    nowMs,
    limit: SHOWN_CANDIDATES + 1,
  });
  const [first, ...others] = found;
  if (first === undefined) {
    throw new MeshError(
      "not_found",
      `no memory's id begins with "${prefix}"; recall shows the ids`,
    );
  }
  if (others.length > 0) {
    const candidates = found.slice(0, SHOWN_CANDIDATES).map(({ id, beginning }) =>
      `${id.slice(0, prefix.length + 4)} (${beginning})`
    );
    throw new MeshError(
      "ambiguous_prefix",
      `the ids of several memories begin with "${prefix}": ${candidates.join(", ")}; ` +
        "give more of the id",
      { data: { candidates } },
    );
  }
  if (first.rememberedBy !== member.id && member.role === "member") {
    throw new MeshError(
      "forbidden",
      `${first.rememberedByName} remembered "${first.id.slice(0, 12)}"; ` +
        "only its author, owners and admins change or forget it",
    );
  }
  return first;
}

/**
 * Takes room for one memory; the returned function gives it back. What was forgotten or has expired since the last look
 * at the store is found when the room seems to be used up.
 */
async function takeRoom({ sql, settings }: Call["broker"], mesh: Mesh): Promise<() => void> {
  const { memoriesPerMesh: limit } = settings.limits;
  let count = await counts.get(mesh);
  if (count === undefined || count.most >= limit) {
    const counting = countMemories(sql, mesh.id).then((most) => ({ most }));
    counts.set(mesh, counting);
    // One that failed counts nothing for those who come after.
    counting.catch(() => counts.delete(mesh));
    count = await counting;
  }
  if (count.most >= limit) {
    throw new MeshError("limit", `this mesh remembers ${limit} things; forget some first`, {
      data: { limit },
    });
  }
  const taken = count;
  taken.most += 1;
  return () => void (taken.most -= 1);
}

function requireSize(content: string, limit: number): void {
  const bytes = new TextEncoder().encode(content).length;
  if (bytes <= limit) return;
  throw new MeshError(
    "too_large",
    `a memory has at most ${limit} bytes, this one has ${bytes}; keep the gist, share the rest as a file`,
    { data: { limit } },
  );
}

/** The tags without those that differ from an earlier one in case alone. */
function distinct(tags: readonly string[]): string[] {
  return [...new Map(tags.toReversed().map((tag) => [tag.toLowerCase(), tag])).values()].reverse();
}

function isoOrNull(timeMs: number | null): string | null {
  return timeMs === null ? null : new Date(timeMs).toISOString();
}

function shown(row: MemoryRow): MemoryEntry {
  return {
    id: row.id,
    content: row.content,
    tags: [...row.tags],
    rememberedBy: row.rememberedByName,
    rememberedAt: row.rememberedAt.toISOString(),
    memberId: row.rememberedBy,
    sessionId: row.rememberedSession,
    ...(row.updatedByName === null ? {} : { updatedBy: row.updatedByName }),
    ...(row.updatedAt === null ? {} : { updatedAt: row.updatedAt.toISOString() }),
    ...(row.expiresAt === null ? {} : { expiresAt: row.expiresAt.toISOString() }),
  };
}
