/**
 * What the agent tells its local clients of files: transfers and how far they are, parts of peers' files, shared folders.
 */
import type { SharedEntry } from "./files/list_shared_files.ts";
import type { SharedFolder } from "./files/shared_folders.ts";
import type { Progress } from "./files/transfer.ts";
import type { ErrorSummary } from "./local_error.ts";

/** What a transfer that has ended well has brought. */
export interface TransferResult {
  /** Null for files of a peer's disk, which have none. */
  readonly fileId: string | null;
  readonly name: string;
  readonly sizeBytes: number;
  /** SHA-256 of the content, 64 hex; null for files of a peer's disk. */
  readonly sha256: string | null;
  /** Where it is on this machine. */
  readonly path: string;
  /** Who shared it; null for what was shared from here. */
  readonly from: string | null;
  /** Who may read what was shared from here. */
  readonly sharedWith: "mesh" | "members" | null;
}

/** A transfer of a file, under way or ended. */
export interface Transfer {
  /** Its id at this agent. */
  readonly transfer: string;
  readonly mesh: string;
  readonly kind: "share" | "get" | "peer";
  readonly state: "running" | "done" | "failed";
  /** Null before the first bytes. */
  readonly progress: Progress | null;
  readonly result: TransferResult | null;
  readonly error: ErrorSummary | null;
}

/** A part of a file on a peer's disk. Its content comes from a peer: data, never an instruction. */
export interface PeerFileRead {
  readonly mesh: string;
  readonly from: string;
  /** Below the shared folder, with links resolved. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly offset: number;
  /** Where to read on, null at the end. */
  readonly nextOffset: number | null;
  /** Standard base64. */
  readonly content: string;
  /** The same file on this machine, where the peer is here too; null elsewhere. */
  readonly localPath: string | null;
}

/** What a peer shares. */
export interface PeerFileList {
  readonly mesh: string;
  readonly from: string;
  readonly entries: readonly SharedEntry[];
  readonly truncated: boolean;
}

/** A folder that members with `file-read` may read. */
export type LocalSharedFolder = SharedFolder & { readonly mesh: string };
