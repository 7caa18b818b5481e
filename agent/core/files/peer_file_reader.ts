/**
 * Reads files that other members share: asks their agents through the broker, takes only answers that the asked member
 * has signed for this very question, and puts the parts of a file together.
 */
import { LIMITS } from "../../../broker/api/limits.ts";
import { peerFiles } from "../../../broker/api/peer_files.ts";
import { openPeerFileMessage, sealPeerFileMessage } from "../../../crypto/peer_file_message.ts";
import { randomId } from "../../../crypto/random.ts";
import type { KeyPair } from "../../../crypto/sign.ts";
import type { AgentClock } from "../agent_clock.ts";
import type { Frame } from "../frame.ts";
import { LocalError } from "../local_error.ts";
import type { MeshPeerApi } from "../mesh_peer_api.ts";
import {
  type PeerFileAnswer,
  type PeerFileListing,
  type PeerFilePart,
  type PeerFileQuestion,
  readAnswer,
  refusalOf,
} from "./peer_file_talk.ts";

/** Whose files are read. */
export interface AskedPeer {
  readonly memberKey: string;
  /** As people call it. */
  readonly name: string;
}

export interface PeerFileReaderOptions {
  readonly meshId: string;
  readonly member: KeyPair;
  readonly clock: AgentClock;
  readonly hostname: string;
  readonly call: MeshPeerApi["call"];
}

interface Waiting {
  readonly peer: AskedPeer;
  resolve(answered: { answer: PeerFileAnswer; content: Uint8Array }): void;
  reject(error: Error): void;
}

/** The broker gives up first and says so; this is for one that does not. */
const PATIENCE_MS = LIMITS.peerFileMs.value + 10_000;

export class PeerFileReader {
  readonly #options: PeerFileReaderOptions;
  readonly #waiting = new Map<string, Waiting>();

  constructor(options: PeerFileReaderOptions) {
    this.#options = options;
  }

  /**
   * Reads one part of a file, at most `peerFileChunkBytes` from `offset` on.
   * @throws {MeshError | LocalError} what the broker or the peer's agent says, or `bad_answer`.
   */
  async part(
    peer: AskedPeer,
    path: string,
    offset: number,
    version: string | null = null,
  ): Promise<{ part: PeerFilePart; content: Uint8Array }> {
    const { hostname } = this.#options;
    const { answer, content } = await this.#ask(peer, {
      do: "read",
      path,
      offset,
      version,
      hostname,
    });
    if (!answer.ok) throw refusalOf(answer, peer.name);
    const isPart = answer.do === "read" && answer.offset === offset &&
      (version === null || answer.version === version) &&
      content.length === partLength(answer.sizeBytes, offset);
    if (!isPart) throw badAnswer(peer);
    return { part: answer, content };
  }

  /**
   * Reads a whole file, part by part; `take` is given each before the next is asked for.
   * @throws as `part`, and what `take` throws.
   */
  async whole(
    peer: AskedPeer,
    path: string,
    take: (content: Uint8Array, part: PeerFilePart) => Promise<void>,
  ): Promise<PeerFilePart> {
    let read = await this.part(peer, path, 0);
    const { version, sizeBytes } = read.part;
    for (;;) {
      await take(read.content, read.part);
      const nextOffset = read.part.offset + read.content.length;
      if (nextOffset >= sizeBytes) return read.part;
      read = await this.part(peer, path, nextOffset, version);
      if (read.part.sizeBytes !== sizeBytes) throw badAnswer(peer);
    }
  }

  /** Lists a shared folder; "" for all that the peer shares. @throws as `part`. */
  async list(peer: AskedPeer, path: string, pattern: string | null): Promise<PeerFileListing> {
    const { answer } = await this.#ask(peer, { do: "list", path, pattern });
    if (!answer.ok) throw refusalOf(answer, peer.name);
    if (answer.do !== "list") throw badAnswer(peer);
    return answer;
  }

  /** Takes an answer that the broker forwards; one to nothing that was asked, or by another, is left alone. */
  take(frame: Frame): void {
    const { requestId, targetPubkey, sealed, error } = frame;
    const waiting = typeof requestId === "string" ? this.#waiting.get(requestId) : undefined;
    if (waiting === undefined || targetPubkey !== waiting.peer.memberKey) return;
    if (typeof sealed !== "string") {
      waiting.reject(withoutAnswer(waiting.peer, error));
      return;
    }
    const { meshId, member } = this.#options;
    const opened = openPeerFileMessage(sealed, member.secretKey, {
      type: "answer",
      mesh: meshId,
      from: waiting.peer.memberKey,
      to: member.publicKey,
      requestId: requestId as string,
    });
    const answer = opened.ok ? readAnswer(opened.message.body) : null;
    if (!opened.ok || answer === null) waiting.reject(badAnswer(waiting.peer));
    else waiting.resolve({ answer, content: opened.message.content });
  }

  /** The connection is gone, and with it the answers to what was asked on it. */
  connectionLost(): void {
    const lost = new LocalError("offline", "the connection to the broker was lost", {
      hint: "try again when it is back",
    });
    for (const waiting of [...this.#waiting.values()]) waiting.reject(lost);
  }

  async #ask(
    peer: AskedPeer,
    question: PeerFileQuestion,
  ): Promise<{ answer: PeerFileAnswer; content: Uint8Array }> {
    const { meshId, member, clock, call } = this.#options;
    const requestId = randomId();
    const sealed = sealPeerFileMessage({
      type: "request",
      mesh: meshId,
      from: member.publicKey,
      to: peer.memberKey,
      requestId,
      sentAt: clock.now(),
      body: JSON.stringify(question),
      content: new Uint8Array(),
    }, member.secretKey);
    const answered = Promise.withResolvers<{ answer: PeerFileAnswer; content: Uint8Array }>();
    // Looked at below; one that comes before the broker's own answer must not count as unhandled.
    answered.promise.catch(() => {});
    this.#waiting.set(requestId, { peer, resolve: answered.resolve, reject: answered.reject });
    const cancel = clock.after(PATIENCE_MS, () => answered.reject(withoutAnswer(peer, "timeout")));
    try {
      const targetPubkey = peer.memberKey;
      await call(peerFiles.peerFileRequest, { targetPubkey, requestId, sealed });
      return await answered.promise;
    } finally {
      cancel();
      this.#waiting.delete(requestId);
    }
  }
}

function partLength(sizeBytes: number, offset: number): number {
  return Math.max(0, Math.min(LIMITS.peerFileChunkBytes.value, sizeBytes - offset));
}

function notServed(peer: AskedPeer): LocalError {
  return new LocalError("forbidden", `${peer.name} lets you read no files`, {
    exit: 7,
    hint:
      `ask ${peer.name} to run: claudemesh share DIR, and: claudemesh grant YOUR-NAME file-read`,
  });
}

function withoutAnswer(peer: AskedPeer, reason: unknown): LocalError {
  if (reason === "refused") return notServed(peer);
  if (reason === "gone") {
    return new LocalError("not_found", `${peer.name} went offline before it answered`, {
      hint: "try again when it is connected",
    });
  }
  if (reason === "timeout") {
    return new LocalError("timeout", `${peer.name}'s agent did not answer in time`);
  }
  return new LocalError("bad_answer", `${peer.name}'s agent could not read the question`, {
    hint: "the clocks of both machines may differ, or one program is older than the other",
  });
}

function badAnswer(peer: AskedPeer): LocalError {
  return new LocalError("bad_answer", `what came back is no answer of ${peer.name} to this`, {
    hint: "the broker or the peer is faulty; compare safety numbers: claudemesh verify",
  });
}
