/**
 * Every verb. Those of one operation are derived from it; the others have a file, whose imports are light: what they need
 * to work they load when they run.
 */
import { auditVerify } from "./audit_verify.ts";
import { demo } from "./demo/demo.ts";
import { doctor } from "./doctor.ts";
import { create, join } from "./enrol.ts";
import { fileGet, fileGrant, fileList, fileRemove, fileShare, fileStatus } from "./files.ts";
import { hook } from "./hook.ts";
import { install, uninstall } from "./hosts.ts";
import { forget, recall, remember } from "./memory.ts";
import { info, invite, leave, list, ping, status } from "./meshes.ts";
import { inbox, outbox, send } from "./messages.ts";
import { block, grant, grants, kick, peers, revoke, verify } from "./people.ts";
import { fileBrowse, fileRead, share, shares, unshare } from "./peer_files.ts";
import { profile } from "./profile.ts";
import { remind, remindCancel, remindList } from "./remind.ts";
import { agent, agentStatus, agentStop, health, mcp, serve } from "./roles.ts";
import { skillGet, skillList, skillRemove, skillShare } from "./skills.ts";
import { stateWatch } from "./state_watch.ts";
import { streamWatch } from "./stream_watch.ts";
import { streamHistory, streamList, streamPublish } from "./streams.ts";
import { taskClaim, taskComplete, taskCreate, taskList, taskRenew, taskShow } from "./tasks.ts";
import type { Verb } from "./verb.ts";

/** In the order of `--help`. */
export const writtenVerbs: readonly Verb[] = [
  create,
  invite,
  join,
  list,
  leave,
  peers,
  send,
  inbox,
  outbox,
  remind,
  remindList,
  remindCancel,
  streamPublish,
  streamWatch,
  streamHistory,
  streamList,
  taskCreate,
  taskList,
  taskShow,
  taskClaim,
  taskRenew,
  taskComplete,
  remember,
  recall,
  forget,
  skillShare,
  skillGet,
  skillList,
  skillRemove,
  fileShare,
  fileGet,
  fileList,
  fileStatus,
  fileGrant,
  fileRemove,
  fileBrowse,
  fileRead,
  share,
  unshare,
  shares,
  status,
  profile,
  info,
  ping,
  stateWatch,
  auditVerify,
  verify,
  grant,
  revoke,
  grants,
  block,
  kick,
  install,
  uninstall,
  doctor,
  demo,
  serve,
  agent,
  agentStatus,
  agentStop,
  mcp,
  health,
  hook,
];

/** Written verbs of which derived ones are parts. */
const WITH_DERIVED_PARTS: ReadonlySet<string> = new Set(["profile", "status"]);

/** Returns the verbs that operations declare. */
export async function derivedVerbs(): Promise<Verb[]> {
  const [{ ops }, { deriveVerb }] = await Promise.all([
    import("../../broker/api/catalog.ts"),
    import("./derive.ts"),
  ]);
  return ops.filter((op) => op.verb).map(deriveVerb);
}

/** Returns the verbs among which `argv` chooses; derived ones are only made where they can be meant. */
export async function allVerbs(argv: readonly string[]): Promise<Verb[]> {
  const [first, second] = argv;
  const written = writtenVerbs.some((verb) =>
    verb.path === first || verb.aliases?.includes(first ?? "")
  );
  // "status set" is derived although "status" is written: a second word may name a derived verb, and help lists them.
  const isWhole = second === undefined || /^-(?!h$|-help$)/.test(second);
  const decided = written && (isWhole || !WITH_DERIVED_PARTS.has(first ?? ""));
  return decided ? [...writtenVerbs] : [...writtenVerbs, ...await derivedVerbs()];
}
