/**
 * What the core needs of the peer's files: the port that `Home` in `agent/home` fills. The core itself opens no other
 * file than the two databases in the state folder.
 */
import type { KeyPair } from "../../crypto/sign.ts";

/** One joined mesh, as the configuration lists it. */
export interface JoinedMesh {
  readonly meshId: string;
  readonly slug: string;
  readonly name: string;
  readonly memberId: string;
  /** This member's public key, 64 hex. */
  readonly pubkey: string;
  /** HTTP base of the broker, without a trailing slash. */
  readonly brokerUrl: string;
  readonly role: "owner" | "admin" | "member";
  readonly ownerPubkey: string;
  readonly custody: "members" | "broker";
  readonly displayName: string;
  /** ISO 8601. */
  readonly joinedAt: string;
}

export interface AgentConfig {
  readonly version: 1;
  readonly meshes: readonly JoinedMesh[];
  readonly displayName?: string;
  readonly messageMode?: "push" | "inbox" | "off";
}

/** What is kept of an epoch's key: 32 bytes in base64, the checked proof, when it came (ms). */
export interface KeptEpoch {
  readonly key: string;
  readonly proof: unknown;
  readonly atMs: number;
}

/** The files of one peer; every write is durable when it returns. Failures are errors with code, exit and hint. */
export interface AgentHome {
  readConfig(): AgentConfig;
  updateConfig(change: (config: AgentConfig) => AgentConfig): AgentConfig;
  readMemberKey(meshId: string): KeyPair;
  writeMemberKey(meshId: string, keys: KeyPair): void;
  readPendingKey(purpose: string): KeyPair | null;
  writePendingKey(purpose: string, keys: KeyPair): void;
  dropPendingKey(purpose: string): void;
  readEpochs(meshId: string): Map<number, KeptEpoch>;
  writeEpochs(meshId: string, epochs: ReadonlyMap<number, KeptEpoch>): void;
  readInviteSecrets(meshId: string): Map<string, string>;
  addInviteSecret(meshId: string, code: string, secret: string): void;
  sessionKey(meshId: string, sessionId: string, make: () => KeyPair): KeyPair;
  stateDir(meshId: string): string;
  forgetMesh(meshId: string): void;
}
