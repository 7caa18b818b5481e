/**
 * What a transfer of a file works with, and how it tells that it comes on.
 */
import type { KeyPair } from "../../../crypto/sign.ts";
import type { AgentClock } from "../agent_clock.ts";
import type { Keyring } from "../keyring.ts";
import type { MeshPeerApi } from "../mesh_peer_api.ts";

/** The parts of a joined mesh that transfers need. */
export interface TransferWorld {
  readonly meshId: string;
  readonly brokerUrl: string;
  readonly member: KeyPair;
  readonly keyring: Pick<Keyring, "get" | "newest">;
  readonly clock: AgentClock;
  readonly call: MeshPeerApi["call"];
  /** The key of the current epoch and its number, null while it is waited for. */
  currentKey(): { readonly epoch: number; readonly key: Uint8Array } | null;
  /** Fetches the mesh keys: the broker has refused an old epoch. */
  refreshKeys(): Promise<void>;
}

/** How far a transfer is. */
export interface Progress {
  /** "reading": hashes the file before it is sent; "sending", "fetching". */
  readonly phase: "reading" | "sending" | "fetching";
  readonly doneBytes: number;
  readonly totalBytes: number;
}

/** How a transfer is followed and ended. */
export interface TransferControl {
  readonly signal: AbortSignal;
  onProgress(progress: Progress): void;
}
