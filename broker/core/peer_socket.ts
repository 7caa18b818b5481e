/**
 * One WebSocket from its upgrade to its end: text frames only, bounded both ways, hello first, then operations in order.
 * Deno's `idleTimeout` is the heartbeat: after half of it in silence it pings, after all of it without an answer it cuts.
 */
import { type ErrorCode, MeshError } from "../api/errors.ts";
import { AnswerBatch } from "./answer_batch.ts";
import type { ConnectionTable, TrackedSocket } from "./connection_table.ts";
import type { CancelTimer } from "./clock.ts";
import type { BrokerContext } from "./context.ts";
import { Deque } from "./delivery/deque.ts";
import { type Dispatch, errorFrame } from "./dispatch.ts";
import type { Admission, Handshake } from "./handshake.ts";
import { helloAckFrame } from "./hello_ack.ts";
import type { Connection, Member, Mesh, Session } from "./model.ts";
import { storeError } from "./store_error.ts";

/** Frames that are refused before a good hello ends the patience. */
const STRAY_FRAMES = 32;
/** Frames that may wait for the one that runs, in characters. */
const WAITING_CHARS = 4 * 1_048_576;

export interface PeerSocketParts {
  readonly broker: BrokerContext;
  readonly table: ConnectionTable;
  readonly handshake: Handshake;
  readonly dispatch: Dispatch;
}

type Frame = Readonly<Record<string, unknown>>;

export class PeerSocket implements TrackedSocket {
  readonly address: string;
  readonly #parts: PeerSocketParts;
  readonly #socket: WebSocket;
  readonly #waiting = new Deque<string>();
  #waitingChars = 0;
  #busy = false;
  #closing = false;
  #strays = 0;
  #sentBytes = 0;
  #connection: PeerConnection | null = null;
  #deadline: CancelTimer = () => {};

  /** Takes over a socket that is about to open. */
  constructor(parts: PeerSocketParts, socket: WebSocket, address: string) {
    this.#parts = parts;
    this.#socket = socket;
    this.address = address;
    socket.binaryType = "arraybuffer";
    parts.table.add(this);
    const { clock, settings } = parts.broker;
    this.#deadline = clock.after(settings.limits.helloDeadlineMs, () => {
      const seconds = Math.round(settings.limits.helloDeadlineMs / 1000);
      this.#refuse(new MeshError("hello_timeout", `no good hello within ${seconds} s`), {});
    });
    socket.onopen = () => {
      if (this.#closing) socket.close(1001);
    };
    socket.onmessage = ({ data }) => this.#receive(data);
    socket.onclose = () => this.#closed();
    socket.onerror = (event) => {
      if (!(event instanceof ErrorEvent) || !event.message.includes("ping")) return;
      parts.broker.metrics.connectionsCut.inc({ reason: "silent" });
    };
  }

  get meshId(): string | null {
    return this.#connection?.mesh.id ?? null;
  }

  /** False once it is closing. */
  get open(): boolean {
    return !this.#closing;
  }

  /** What waits for the peer to take it. */
  get unsentBytes(): number {
    return this.#socket.bufferedAmount;
  }

  progress(): { takenBytes: number; waitingBytes: number } {
    const waitingBytes = this.#socket.bufferedAmount;
    return { takenBytes: this.#sentBytes - waitingBytes, waitingBytes };
  }

  send(frame: string): void {
    if (this.#closing || this.#socket.readyState !== WebSocket.OPEN) return;
    const limit = this.#parts.broker.settings.limits.sendBufferBytes;
    if (this.#socket.bufferedAmount + frame.length > limit) {
      this.#parts.broker.metrics.connectionsCut.inc({ reason: "slow_reader" });
      return this.close(4008, "slow_reader");
    }
    this.#sentBytes += frame.length;
    this.#socket.send(frame);
  }

  /** Ends the connection; whatever depended on it is told in the same turn. */
  close(code: number, reason: string): void {
    if (this.#closing) return;
    this.#leave();
    const { readyState } = this.#socket;
    if (readyState <= WebSocket.OPEN) this.#socket.close(code, reason);
    // A client that went away during the upgrade leaves a socket that never opens and never says that it closed.
    if (readyState === WebSocket.CONNECTING) this.#closed();
  }

  #receive(data: unknown): void {
    if (this.#closing) return;
    if (typeof data !== "string") {
      return this.#cut(
        1003,
        new MeshError("malformed", "binary frames are not understood: send JSON text"),
      );
    }
    const limit = this.#parts.broker.settings.limits.frameBytes;
    if (data.length > limit || (data.length * 3 > limit && utf8Length(data) > limit)) {
      this.#parts.broker.metrics.connectionsCut.inc({ reason: "too_large" });
      const error = new MeshError("too_large", `a frame has at most ${limit} bytes`, {
        data: { limit },
      });
      return this.#cut(1009, error);
    }
    if (!this.#busy) return this.#run(data);
    this.#waitingChars += data.length;
    this.#waiting.push(data);
    if (this.#waitingChars > WAITING_CHARS) {
      this.#cut(1008, new MeshError("rate_limited", "frames come faster than they are answered"));
    }
  }

  /** Starts a frame, and those that waited for it once it allows. */
  #run(first: string): void {
    let text: string | undefined = first;
    while (text !== undefined && !this.#closing) {
      const running = this.#handle(text);
      if (running !== null) {
        this.#busy = true;
        running.then(() => this.#resume(), (error) => this.#broken(error));
        return;
      }
      text = this.#next();
    }
  }

  #resume(): void {
    this.#busy = false;
    const text = this.#next();
    if (text !== undefined) this.#run(text);
  }

  #next(): string | undefined {
    const text = this.#waiting.shift();
    if (text !== undefined) this.#waitingChars -= text.length;
    return text;
  }

  #handle(text: string): Promise<void> | null {
    const frame = parsed(text);
    if (this.#connection === null) return this.#greet(frame);
    const { session } = this.#connection;
    session.lastSeenAtMs = this.#parts.broker.clock.now();
    if (frame === null) {
      this.send(errorFrame(notAnObject(), {}));
      return null;
    }
    if (isHello(frame)) {
      const error = new MeshError("already_hello", "this connection has said hello; open another");
      this.send(errorFrame(error, frame));
      return null;
    }
    return this.#parts.dispatch.handle(this.#connection, frame, text.includes("\\u"));
  }

  /** Before the hello: nothing else is understood. */
  #greet(frame: Frame | null): Promise<void> | null {
    if (frame !== null && isHello(frame)) return this.#hello(frame);
    const error = frame === null
      ? notAnObject()
      : new MeshError("no_hello", "say hello or session_hello first");
    this.send(errorFrame(error, frame ?? {}));
    this.#strays += 1;
    if (this.#strays >= STRAY_FRAMES) this.close(1008, error.code);
    return null;
  }

  async #hello(frame: Frame): Promise<void> {
    const { broker, handshake } = this.#parts;
    try {
      if (broker.stopping()) {
        throw new MeshError("shutting_down", "the broker is stopping; connect again shortly");
      }
      const admission = await handshake.admit(frame, this.address);
      if (this.#closing) return;
      handshake.confirm(admission);
      this.#enter(admission, frame);
    } catch (error) {
      this.#refuse(storeError(error), frame);
    }
  }

  /** Everything from here to the first push happens in one turn. */
  #enter(admission: Admission, frame: Frame): void {
    const { broker, table } = this.#parts;
    const { member } = admission.arrival;
    this.#deadline();
    member.bodyVersion = admission.bodyVersion;
    const { session, connection, restored, silent } = broker.sessions.attach(
      admission.arrival,
      (session) => new PeerConnection(broker.random.id(), this, session, admission),
    );
    this.#connection = connection as PeerConnection;
    table.authenticated(this);
    this.send(helloAckFrame(broker, session, restored, frame));
    member.mesh.connections.add(connection);
    broker.simulationClocks.peersChanged(member.mesh);
    if (!silent) broker.status.arrived(session);
    broker.delivery.drain(member);
  }

  /** Refuses a hello. */
  #refuse(error: MeshError, frame: Frame): void {
    if (this.#closing) return;
    const { metrics, log } = this.#parts.broker;
    metrics.connectionsRejected.inc({ reason: error.code });
    if (error.code === "internal") log.error("hello failed", { error: String(error.cause) });
    this.send(errorFrame(error, frame));
    const [code, reason] = closeOf(error.code);
    this.close(code, reason);
  }

  #cut(code: number, error: MeshError): void {
    this.send(errorFrame(error, {}));
    this.close(code, error.code);
  }

  /** A frame failed in a way that no operation declares: a bug ends the connection. */
  #broken(error: unknown): void {
    this.#parts.broker.log.error("connection failed", {
      error: error instanceof Error ? error.stack ?? error.message : String(error),
    });
    this.close(1011, "internal");
  }

  #leave(): void {
    this.#closing = true;
    this.#deadline();
    while (this.#waiting.shift() !== undefined);
    const connection = this.#connection;
    if (connection === null) return;
    const { sessions, delivery, streams } = this.#parts.broker;
    connection.mesh.connections.delete(connection);
    this.#parts.broker.simulationClocks.peersChanged(connection.mesh);
    sessions.detach(connection);
    delivery.connectionClosed(connection);
    streams.connectionClosed(connection);
  }

  #closed(): void {
    if (!this.#closing) this.#leave();
    this.#parts.table.remove(this);
  }
}

/** An authenticated socket, as the rest of the broker knows it. */
class PeerConnection implements Connection {
  readonly id: string;
  readonly session: Session;
  readonly acks: boolean;
  readonly batch: boolean;
  readonly #socket: PeerSocket;
  /** Null where each answer goes by itself. */
  readonly #answers: AnswerBatch | null;

  constructor(id: string, socket: PeerSocket, session: Session, admission: Admission) {
    this.id = id;
    this.#socket = socket;
    this.session = session;
    this.acks = admission.acks;
    this.batch = admission.batch;
    this.#answers = admission.answerBatch ? new AnswerBatch((frame) => socket.send(frame)) : null;
  }

  get member(): Member {
    return this.session.member;
  }

  get mesh(): Mesh {
    return this.session.member.mesh;
  }

  get open(): boolean {
    return this.#socket.open;
  }

  get unsentBytes(): number {
    return this.#socket.unsentBytes;
  }

  send(frame: string): void {
    this.#answers?.flush();
    this.#socket.send(frame);
  }

  answer(frame: string): void {
    if (this.#answers === null) this.#socket.send(frame);
    else this.#answers.add(frame);
  }

  close(code: number, reason: string): void {
    this.#answers?.flush();
    this.#socket.close(code, reason);
  }
}

/** The close code and reason of a refused hello (reference protocol 1.6). */
function closeOf(code: ErrorCode): [number, string] {
  if (code === "revoked") return [4002, "banned"];
  if (code === "shutting_down") return [1001, "shutting down"];
  return [1008, code];
}

function parsed(text: string): Frame | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? value as Frame
      : null;
  } catch {
    return null;
  }
}

function isHello(frame: Frame): boolean {
  return frame.type === "hello" || frame.type === "session_hello";
}

function notAnObject(): MeshError {
  return new MeshError("malformed", "a frame is one JSON object");
}

function utf8Length(text: string): number {
  return new TextEncoder().encode(text).length;
}
