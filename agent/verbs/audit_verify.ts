/**
 * `audit verify`: reads a mesh's audit chain and verifies it here, without trusting the broker. The newest hash is kept in
 * the home: a broker that rewrites what was seen before is found out.
 */
import { join } from "node:path";
import type { AuditShown } from "../../broker/api/audit.ts";
import { LIMITS } from "../../broker/api/limits.ts";
import { AUDIT_GENESIS, auditHash } from "../../crypto/audit_hash.ts";
import type { LocalClient } from "../core/local_client.ts";
import { LocalError } from "../core/local_error.ts";
import { makePrivateDir, readTextOrNull, writeFileAtomically } from "../home/atomic_file.ts";
import { homePaths, meshStateDir } from "../home/paths.ts";
import { marks, style } from "../ui/style.ts";
import { callOne } from "./people.ts";
import { MESH_FLAG, type Verb, type VerbContext } from "./verb.ts";

/** The newest row that was verified before. */
interface Anchor {
  readonly id: number;
  readonly hash: string;
}

interface Chain {
  readonly mesh: string;
  readonly entries: number;
  readonly head: Anchor | null;
  /** Whether the anchor's row is still as it was; true without one. */
  readonly isAnchored: boolean;
  /** The first row that does not fit. */
  readonly brokenAt: number | null;
}

function hashOf(meshId: string, entry: AuditShown): string {
  const { prevHash, eventType, actorMemberId, payload, createdAt } = entry;
  return auditHash({ meshId, prevHash, eventType, actorMemberId, payload, createdAt });
}

async function readChain(
  client: LocalClient,
  context: VerbContext,
  meshId: string,
  anchor: Anchor | null,
): Promise<Chain> {
  let head: Anchor | null = null;
  let entries = 0;
  let isAnchored = anchor === null;
  while (true) {
    const after = head?.id ?? 0;
    const limit = LIMITS.auditPage.value;
    const { mesh, output } = await callOne(client, context, "audit_query", { after, limit });
    const page = output.entries as AuditShown[];
    for (const entry of page) {
      const fits = entry.prevHash === (head?.hash ?? AUDIT_GENESIS) &&
        hashOf(meshId, entry) === entry.hash;
      if (!fits) return { mesh, entries, head, isAnchored, brokenAt: entry.id };
      head = { id: entry.id, hash: entry.hash };
      entries += 1;
      isAnchored ||= entry.hash === anchor?.hash;
    }
    if (page.length < limit) return { mesh, entries, head, isAnchored, brokenAt: null };
  }
}

function anchorFile(meshId: string): string {
  return join(meshStateDir(homePaths(), meshId), "audit_head.json");
}

function readAnchor(meshId: string): Anchor | null {
  const file = anchorFile(meshId);
  const text = readTextOrNull(file);
  if (text === null) return null;
  try {
    const { id, hash } = JSON.parse(text);
    if (Number.isSafeInteger(id) && /^[0-9a-f]{64}$/.test(hash)) return { id, hash };
  } catch {
    // Told below like any other content that is none of ours.
  }
  throw new LocalError("damaged_file", `${file} is damaged`, {
    hint: "Delete it: the next verification begins without what was seen before",
  });
}

function keepAnchor(meshId: string, anchor: Anchor): void {
  makePrivateDir(meshStateDir(homePaths(), meshId));
  writeFileAtomically(anchorFile(meshId), `${JSON.stringify(anchor)}\n`);
}

function textOf({ entries, head, isAnchored, brokenAt }: Chain): string {
  if (brokenAt !== null) {
    return `${marks.failed()} The chain breaks at row ${brokenAt}, after ${entries} that fit`;
  }
  if (!isAnchored) {
    return `${marks.failed()} The chain of ${entries} rows fits, but it is not the one that was verified here before: ` +
      "rows were rewritten or taken away";
  }
  const newest = head === null ? "" : `  ${style.dim(head.hash.slice(0, 16))}`;
  return `${marks.done()} ${entries} rows, each as its hash says${newest}`;
}

export const auditVerify: Verb = {
  path: "audit verify",
  summary: "Verify a mesh's audit chain here, without trusting the broker",
  details: "Exit code 8 when a row was changed, inserted or taken away.",
  args: [],
  flags: [MESH_FLAG],
  examples: ["claudemesh audit verify", "claudemesh audit verify --mesh team --json"],
  json: true,
  async run(context) {
    const client = await context.agent();
    const { output } = await callOne(client, context, "mesh_info", {});
    const meshId = output.mesh as string;
    const chain = await readChain(client, context, meshId, readAnchor(meshId));
    const valid = chain.brokenAt === null && chain.isAnchored;
    if (valid && chain.head !== null) keepAnchor(meshId, chain.head);
    const { mesh, entries, head, brokenAt, isAnchored } = chain;
    const data = { mesh, valid, entries, head: head?.hash ?? AUDIT_GENESIS, isAnchored };
    return {
      data: brokenAt === null ? data : { ...data, brokenAt },
      text: textOf(chain),
      ...(valid ? {} : { exit: 8 }),
    };
  },
};
