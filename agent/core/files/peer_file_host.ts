/**
 * Serves the shared folders of this machine to other members, one question at a time: who asks must have been granted
 * `file-read` here, whatever the broker says, and gets nothing but what the guards let through.
 */
import { MeshError } from "../../../broker/api/errors.ts";
import { LIMITS } from "../../../broker/api/limits.ts";
import { openPeerFileMessage, sealPeerFileMessage } from "../../../crypto/peer_file_message.ts";
import type { KeyPair } from "../../../crypto/sign.ts";
import type { AgentClock } from "../agent_clock.ts";
import { listShared } from "./list_shared_files.ts";
import { findShared, openShared, type SharedFile } from "./open_shared_file.ts";
import type { OwnGrants } from "./own_grants.ts";
import { type PeerFileAnswer, type PeerFileQuestion, readQuestion } from "./peer_file_talk.ts";
import type { SharedFolders } from "./shared_folders.ts";

/** A question as the broker forwards it. */
export interface ForwardedQuestion {
  readonly requestId: string;
  /** Member key of who asks, by the broker's word; the seal inside proves it. */
  readonly requesterPubkey: string;
  readonly sealed: string;
}

/** What goes back: an answer only the asking member reads, or why there is none. */
export type HostAnswer = { readonly sealed: string } | {
  readonly error: "refused" | "unreadable";
};

/** What was served or refused, for the owner of the files. */
export interface ServedFile {
  readonly by: string;
  readonly do: "read" | "list";
  readonly path: string;
  /** Null when it was served, else the code of the refusal. */
  readonly refused: string | null;
}

export interface PeerFileHostOptions {
  readonly meshId: string;
  readonly member: KeyPair;
  readonly folders: SharedFolders;
  readonly grants: Pick<OwnGrants, "includes">;
  readonly clock: AgentClock;
  readonly hostname: string;
  /** Called once for a listing, and for the first part of a file. */
  onServed(served: ServedFile): void;
}

interface Given {
  readonly answer: PeerFileAnswer;
  readonly content: Uint8Array;
}

const NO_CONTENT = new Uint8Array();
/** How old a question may be; clocks of machines differ. */
const FRESH_MS = 5 * 60_000;
const MAX_REMEMBERED = 8_192;
const MAX_AT_ONCE = 16;
/** What a listing may take in an answer; names can be long. */
const MAX_LISTING_CHARS = 400_000;

export class PeerFileHost {
  readonly #options: PeerFileHostOptions;
  /** Ids of questions that were answered, oldest first. */
  readonly #answered = new Set<string>();
  #running = 0;

  constructor(options: PeerFileHostOptions) {
    this.#options = options;
  }

  /** Answers a question. Never throws on what a stranger sent. */
  async answer(forwarded: ForwardedQuestion): Promise<HostAnswer> {
    const { meshId, member, folders, grants } = this.#options;
    const { requestId, requesterPubkey: from } = forwarded;
    const opened = openPeerFileMessage(forwarded.sealed, member.secretKey, {
      type: "request",
      mesh: meshId,
      from,
      to: member.publicKey,
      requestId,
    });
    if (!opened.ok || !this.#isNew(from, requestId, opened.message.sentAt)) {
      return { error: "unreadable" };
    }
    const isGranted = from === member.publicKey || grants.includes(from, "file-read");
    // Whether anything is shared is no business of who may read nothing.
    if (!isGranted || folders.all.length === 0) return { error: "refused" };
    const question = readQuestion(opened.message.body);
    if (question === null) return { error: "unreadable" };
    const given = await this.#give(question);
    this.#tell(from, question, given.answer);
    return { sealed: this.#seal(from, requestId, given) };
  }

  async #give(question: PeerFileQuestion): Promise<Given> {
    if (this.#running >= MAX_AT_ONCE) {
      return refusal(new MeshError("unavailable", "too many files are read at once: try again"));
    }
    this.#running++;
    try {
      return question.do === "read" ? await this.#read(question) : await this.#list(question);
    } catch (error) {
      if (error instanceof MeshError) return refusal(error);
      // The disk's own words may tell of other places on it.
      return refusal(new MeshError("unavailable", "it cannot be read at the moment"));
    } finally {
      this.#running--;
    }
  }

  async #read(question: Extract<PeerFileQuestion, { do: "read" }>): Promise<Given> {
    const file = await openShared(await findShared(this.#options.folders.all, question.path));
    try {
      if (question.version !== null && question.version !== file.version) {
        throw new MeshError("conflict", `"${question.path}" has changed while it was read`);
      }
      const content = await readPart(file, question.offset);
      const isSameMachine = question.hostname === this.#options.hostname;
      return {
        content,
        answer: {
          ok: true,
          do: "read",
          path: file.segments.join("/"),
          offset: question.offset,
          sizeBytes: file.sizeBytes,
          version: file.version,
          hostPath: isSameMachine ? file.path : null,
        },
      };
    } finally {
      await file.handle.close();
    }
  }

  async #list({ path, pattern }: Extract<PeerFileQuestion, { do: "list" }>): Promise<Given> {
    const listing = await listShared(this.#options.folders.all, path, pattern);
    let left = MAX_LISTING_CHARS;
    const entries = listing.entries.filter((entry) => (left -= entry.path.length * 2 + 64) >= 0);
    const truncated = listing.truncated || entries.length < listing.entries.length;
    return { answer: { ok: true, do: "list", entries, truncated }, content: NO_CONTENT };
  }

  #seal(to: string, requestId: string, { answer, content }: Given): string {
    const { meshId, member, clock } = this.#options;
    return sealPeerFileMessage({
      type: "answer",
      mesh: meshId,
      from: member.publicKey,
      to,
      requestId,
      sentAt: clock.now(),
      body: JSON.stringify(answer),
      content,
    }, member.secretKey);
  }

  /** A broker that sends a question twice, or an old one, gets no answer to it. */
  #isNew(from: string, requestId: string, sentAtMs: number): boolean {
    const key = `${from} ${requestId}`;
    if (this.#answered.has(key)) return false;
    if (Math.abs(this.#options.clock.now() - sentAtMs) > FRESH_MS) return false;
    this.#answered.add(key);
    if (this.#answered.size > MAX_REMEMBERED) {
      const [oldest] = this.#answered;
      this.#answered.delete(oldest!);
    }
    return true;
  }

  #tell(by: string, question: PeerFileQuestion, answer: PeerFileAnswer): void {
    const refused = answer.ok ? null : answer.code;
    if (question.do === "read" && question.offset > 0 && refused === null) return;
    this.#options.onServed({ by, do: question.do, path: question.path, refused });
  }
}

async function readPart(file: SharedFile, offset: number): Promise<Uint8Array> {
  const lengthBytes = Math.min(LIMITS.peerFileChunkBytes.value, file.sizeBytes - offset);
  if (lengthBytes <= 0) return NO_CONTENT;
  const buffer = new Uint8Array(lengthBytes);
  let filled = 0;
  while (filled < lengthBytes) {
    const left = lengthBytes - filled;
    const { bytesRead } = await file.handle.read(buffer, filled, left, offset + filled);
    if (bytesRead === 0) {
      throw new MeshError("conflict", `"${file.segments.join("/")}" became shorter meanwhile`);
    }
    filled += bytesRead;
  }
  return buffer;
}

function refusal(error: MeshError): Given {
  return {
    answer: { ok: false, code: error.code, message: error.message.slice(0, 9_000) },
    content: NO_CONTENT,
  };
}
