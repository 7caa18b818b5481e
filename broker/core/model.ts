/**
 * What the broker holds in memory of a mesh: its members, their sessions and their connections. The store is the truth;
 * these are loaded from it when a mesh is first used and changed only after a commit.
 */
import type { Capability, Custody, Group, MessageMode, Role, Status } from "../api/fields.ts";
import type { Profile, Stats } from "../api/presence.ts";

export type StatusSource = "hook" | "manual" | "jsonl";
export type PeerRole = "control-plane" | "session";

/** A joined mesh. */
export interface Mesh {
  readonly id: string;
  readonly slug: string;
  readonly name: string;
  readonly ownerPubkey: string;
  readonly custody: Custody;
  readonly createdAtMs: number;
  epoch: number;
  /** When the current epoch began. */
  epochAtMs: number;
  /** Why the mesh key must be rotated, null when it need not. */
  rekeyReason: string | null;
  readonly membersById: Map<string, Member>;
  readonly membersByPubkey: Map<string, Member>;
  readonly membersByNumber: Map<number, Member>;
  readonly connections: Set<Connection>;
  /** Hash of the newest audit row. */
  auditHead: string;
}

/** A durable member; `number` is its short name in the message log. */
export interface Member {
  readonly id: string;
  readonly number: number;
  readonly mesh: Mesh;
  readonly pubkey: string;
  displayName: string;
  role: Role;
  roleTag: string | null;
  defaultGroups: Group[];
  messageMode: MessageMode;
  bodyVersion: number;
  readonly proven: boolean;
  /** Sender member key -> what it may do; no entry means the defaults. */
  grants: Map<string, readonly Capability[]>;
  readonly joinedAtMs: number;
  lastSeenAtMs: number | null;
  /** Has a sealed copy of the current epoch's key. */
  hasMeshKey: boolean;
  kickedAtMs: number | null;
  leftAtMs: number | null;
  revokedAtMs: number | null;
  /** Live, leased and remembered sessions by session id. */
  readonly sessions: Map<string, Session>;
}

/** A session as others see it; it outlives its connection by the lease and is remembered after that. */
export interface Session {
  readonly id: string;
  readonly member: Member;
  presenceId: string;
  pubkey: string | null;
  peerRole: PeerRole;
  displayName: string;
  status: Status;
  statusSource: StatusSource;
  statusAtMs: number;
  summary: string | null;
  groups: Group[];
  visible: boolean;
  profile: Profile;
  stats: Stats;
  /** Counters of earlier lives of this session; `stats` are added when it ends (D62). */
  earlierStats: Stats;
  pid: number;
  cwd: string;
  hostname: string | null;
  peerType: string | null;
  channel: string | null;
  model: string | null;
  connectedAtMs: number;
  lastSeenAtMs: number;
  /** "live": connected; "leased": may come back silently; "remembered": gone, its state kept. */
  presence: "live" | "leased" | "remembered";
  connection: Connection | null;
}

/** One authenticated socket. */
export interface Connection {
  readonly id: string;
  readonly mesh: Mesh;
  readonly member: Member;
  readonly session: Session;
  /** Answers pushes with client_ack. */
  readonly acks: boolean;
  /** Understands push_batch. */
  readonly batch: boolean;
  /** False once it is closing. */
  readonly open: boolean;
  /** What has been sent and waits for the peer to take it. */
  readonly unsentBytes: number;
  /** Sends one text frame; cuts a slow reader with 4008. */
  send(frame: string): void;
  /** Sends an answer by the end of this turn, with others if the peer understands that. */
  answer(frame: string): void;
  close(code: number, reason: string): void;
}
