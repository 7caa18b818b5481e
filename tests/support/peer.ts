/**
 * A raw peer for tests: a WebSocket that says hello with real keys and keeps every frame it gets.
 */
import { randomUUID } from "node:crypto";
import { type RawData, WebSocket } from "ws";
import type { Hello, SessionHello } from "../../broker/api/hello.ts";
import { makeAttestation, signHello, signSessionHello } from "../../crypto/hello_proof.ts";
import { generateKeyPair, type KeyPair } from "../../crypto/sign.ts";

const PATIENCE_MS = 10_000;
const ATTESTATION_MS = 3_600_000;

export type Frame = Readonly<Record<string, unknown>>;
export type HelloOverrides = Partial<Omit<Hello, "type">>;
export type SessionHelloOverrides = Partial<Omit<SessionHello, "type">>;

/** Whose hello it is. */
export interface PeerIdentity {
  readonly id: string;
  readonly meshId: string;
  readonly keys: KeyPair;
}

interface Waiter {
  readonly wanted: (frame: Frame) => boolean;
  readonly found: (frame: Frame) => void;
}

export class TestPeer {
  readonly ws: WebSocket;
  /** Frames that nobody has taken yet, oldest first. */
  readonly frames: Frame[] = [];
  /** Resolves when the socket is closed. */
  readonly closed: Promise<{ code: number; reason: string }>;
  readonly #waiters = new Set<Waiter>();

  private constructor(ws: WebSocket) {
    this.ws = ws;
    this.closed = new Promise((resolve) => {
      ws.on("close", (code, reason) => resolve({ code, reason: reason.toString() }));
    });
    ws.on("message", (data: RawData) => this.#got(JSON.parse(data.toString())));
    ws.on("error", () => {});
  }

  /** Resolves when the socket is open. Without `autoPong` it answers no pings. */
  static async connect(url: string, { autoPong = true } = {}): Promise<TestPeer> {
    const ws = new WebSocket(url, { perMessageDeflate: false, autoPong });
    const peer = new TestPeer(ws);
    await new Promise<void>((resolve, reject) => {
      ws.once("open", () => resolve());
      ws.once("error", reject);
    });
    return peer;
  }

  /** Says `hello` and waits for its ack. @throws {Error} when it is refused. */
  async hello(member: PeerIdentity, overrides: HelloOverrides = {}): Promise<Frame> {
    this.send(helloFrame(member, overrides));
    return await this.#helloAck();
  }

  /** Says `session_hello` and waits for its ack. @throws {Error} when it is refused. */
  async sessionHello(
    member: PeerIdentity,
    overrides: SessionHelloOverrides = {},
    session: KeyPair = generateKeyPair(),
  ): Promise<Frame> {
    this.send(sessionHelloFrame(member, session, overrides));
    return await this.#helloAck();
  }

  send(frame: object): void {
    this.ws.send(JSON.stringify(frame));
  }

  /** Sends a request and waits for its answer, be it an error. */
  async request(type: string, input: object = {}, patienceMs?: number): Promise<Frame> {
    const _reqId = randomUUID();
    this.send({ type, _reqId, ...input });
    return await this.next((frame) => frame._reqId === _reqId, patienceMs);
  }

  /** Takes the next frame that is wanted, already here or still to come. */
  async next(wanted: (frame: Frame) => boolean, patienceMs = PATIENCE_MS): Promise<Frame> {
    const index = this.frames.findIndex(wanted);
    const [kept] = index < 0 ? [] : this.frames.splice(index, 1);
    if (kept !== undefined) return kept;
    return await new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiters.delete(waiter);
        reject(new Error(`no such frame; there are ${JSON.stringify(this.frames).slice(0, 2000)}`));
      }, patienceMs);
      const waiter: Waiter = {
        wanted,
        found: (frame) => {
          clearTimeout(timer);
          resolve(frame);
        },
      };
      this.#waiters.add(waiter);
    });
  }

  /** Takes the next frame of a type. */
  async nextOf(type: string): Promise<Frame> {
    return await this.next((frame) => frame.type === type);
  }

  /** Takes the next message; events come as pushes too. */
  async nextMessage(): Promise<Frame> {
    return await this.next(({ type, subtype }) => type === "push" && subtype !== "system");
  }

  /** Takes the next system event of a name. */
  async nextEvent(name: string): Promise<Frame> {
    const frame = await this.next((each) => each.event === name);
    return frame.eventData as Frame;
  }

  /** Waits until the broker has handled everything sent so far. */
  async settled(): Promise<void> {
    await this.request("get_grants");
  }

  /** Cuts the connection without a close frame. */
  async cut(): Promise<void> {
    this.ws.terminate();
    await this.closed;
  }

  async close(): Promise<void> {
    if (this.ws.readyState === WebSocket.CLOSED) return;
    this.ws.close();
    const timer = setTimeout(() => this.ws.terminate(), 2_000);
    await this.closed;
    clearTimeout(timer);
  }

  #got(frame: Frame): void {
    for (const waiter of this.#waiters) {
      if (!waiter.wanted(frame)) continue;
      this.#waiters.delete(waiter);
      return waiter.found(frame);
    }
    this.frames.push(frame);
  }

  async #helloAck(): Promise<Frame> {
    const frame = await this.next(({ type }) => type === "hello_ack" || type === "error");
    if (frame.type === "error") throw new Error(`hello refused: ${JSON.stringify(frame)}`);
    return frame;
  }
}

/** A good `hello` but for what `overrides` change; the signature fits the fields that are signed. */
export function helloFrame(member: PeerIdentity, overrides: HelloOverrides = {}): object {
  const meshId = overrides.meshId ?? member.meshId;
  const memberId = overrides.memberId ?? member.id;
  const timestamp = overrides.timestamp ?? Date.now();
  return {
    type: "hello",
    protocolVersion: 2,
    capabilities: ["acks", "batch", "body2"],
    meshId,
    memberId,
    pubkey: member.keys.publicKey,
    sessionId: `control-${member.id}`,
    pid: 1,
    cwd: "/",
    timestamp,
    signature: signHello({ meshId, memberId, timestamp }, member.keys.secretKey),
    ...overrides,
  };
}

/** A good `session_hello` but for what `overrides` change. */
export function sessionHelloFrame(
  member: PeerIdentity,
  session: KeyPair,
  overrides: SessionHelloOverrides = {},
): object {
  const timestamp = overrides.timestamp ?? Date.now();
  const { meshId, keys } = member;
  const expiresAt = timestamp + ATTESTATION_MS;
  const signed = { meshId, parentMemberPubkey: keys.publicKey, timestamp };
  return {
    type: "session_hello",
    protocolVersion: 2,
    capabilities: ["acks", "batch", "body2"],
    meshId,
    parentMemberId: member.id,
    parentMemberPubkey: keys.publicKey,
    sessionPubkey: session.publicKey,
    parentAttestation: makeAttestation(
      { meshId, sessionPubkey: session.publicKey, expiresAt },
      keys.secretKey,
    ),
    sessionId: `session-${session.publicKey.slice(0, 16)}`,
    pid: 1,
    cwd: "/",
    timestamp,
    signature: signSessionHello(signed, session.secretKey),
    ...overrides,
  };
}
