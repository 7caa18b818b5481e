/**
 * A raw client of a broker: it proves who it is, sends, and acknowledges what it gets. No encryption, no inbox file, so
 * that a load process can outrun the broker.
 */
// @ts-types="@types/ws"
import { WebSocket } from "ws";
import { signHello } from "../../../crypto/hello_proof.ts";
import type { Identity } from "./order.ts";

/** The fields of a push that a load process reads. */
export interface Delivery {
  readonly messageId: string;
  readonly senderMemberPubkey: string;
  readonly client_message_id?: string;
  /** `system`: an event of the mesh, no message. */
  readonly subtype?: string;
}

export interface MeshSocketOptions {
  readonly url: string;
  readonly meshId: string;
  readonly identity: Identity;
  /** One frame's deliveries; they are acknowledged after it returns. */
  readonly onDeliveries?: (deliveries: readonly Delivery[]) => void;
  /** The broker has committed a message; `id` is the one given to `send`. */
  readonly onAck?: (id: string) => void;
  /** The broker refused something. */
  readonly onRefusal?: (code: string, message: string) => void;
}

export interface Message {
  /** Names it in the ack and, for the recipient, as its `client_message_id`. */
  readonly id: string;
  readonly targetSpec: string;
  readonly ciphertext: string;
  /** Set for a group message. */
  readonly epoch?: number;
}

interface Frame {
  readonly type: string;
  readonly id?: string;
  readonly _reqId?: string;
  readonly code?: string;
  readonly message?: string;
  readonly pushes?: readonly Delivery[];
  readonly answers?: readonly Frame[];
}

const NONCE = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH";
const MAX_IDS_PER_ACK = 1024;
const HELLO_LIMIT_MS = 20_000;

export class MeshSocket {
  readonly #socket: WebSocket;
  readonly #options: MeshSocketOptions;
  readonly #confirmations = new Map<string, () => void>();
  #greeted: { resolve: () => void; reject: (error: Error) => void } | null = null;
  #unacked: string[] = [];
  #ackScheduled = false;
  #nextRequest = 0;
  #closing = false;

  /** Use `MeshSocket.connect`. */
  private constructor(options: MeshSocketOptions) {
    this.#options = options;
    this.#socket = new WebSocket(options.url, { perMessageDeflate: false });
  }

  /** Resolves after the broker has answered the hello. Throws when it refuses it. */
  static async connect(options: MeshSocketOptions): Promise<MeshSocket> {
    const socket = new MeshSocket(options);
    await socket.#greet();
    return socket;
  }

  /** Sends a message; its ack comes to `onAck`. */
  send(message: Message): void {
    const { id, targetSpec, ciphertext, epoch } = message;
    this.#socket.send(JSON.stringify({
      type: "send",
      id,
      targetSpec,
      priority: "next",
      nonce: NONCE,
      ciphertext,
      client_message_id: id,
      bodyVersion: 2,
      ...(epoch === undefined ? {} : { epoch }),
    }));
  }

  /** Acknowledges what is left and resolves after the broker has answered that. */
  async confirmAcks(): Promise<void> {
    const request = `ack-${++this.#nextRequest}`;
    const answered = new Promise<void>((resolve) => this.#confirmations.set(request, resolve));
    const ids = this.#unacked.splice(0, MAX_IDS_PER_ACK);
    this.#write({ type: "client_ack", brokerMessageIds: ids, _reqId: request });
    await answered;
    if (this.#unacked.length > 0) await this.confirmAcks();
  }

  /** Closes the connection and waits for the broker to agree. */
  async close(): Promise<void> {
    this.#closing = true;
    const closed = new Promise<void>((resolve) => this.#socket.once("close", () => resolve()));
    this.#socket.close(1000);
    await closed;
  }

  async #greet(): Promise<void> {
    const deadline = setTimeout(() => {
      this.#greeted?.reject(new Error("no answer to the hello in time"));
    }, HELLO_LIMIT_MS);
    try {
      await new Promise<void>((resolve, reject) => {
        this.#greeted = { resolve, reject };
        this.#socket.on("open", () => this.#hello());
        this.#socket.on("error", reject);
        this.#socket.on("close", (code, reason) => this.#ended(code, String(reason)));
        this.#socket.on("message", (data) => this.#receive(String(data)));
      });
    } finally {
      clearTimeout(deadline);
    }
  }

  #hello(): void {
    const { meshId, identity } = this.#options;
    const { memberId, pubkey, secretKey } = identity;
    const timestamp = Date.now();
    this.#write({
      type: "hello",
      meshId,
      memberId,
      pubkey,
      sessionId: `bench-${memberId}`,
      pid: Deno.pid,
      cwd: "/",
      protocolVersion: 2,
      capabilities: ["acks", "batch", "answer_batch", "body2"],
      timestamp,
      signature: signHello({ meshId, memberId, timestamp }, secretKey),
    });
  }

  #receive(text: string): void {
    this.#take(JSON.parse(text) as Frame);
  }

  #take(frame: Frame): void {
    switch (frame.type) {
      case "ack":
        return this.#options.onAck?.(frame.id ?? "");
      case "push":
        if ((frame as unknown as Delivery).subtype === "system") return;
        return this.#deliver([frame as unknown as Delivery]);
      case "answer_batch":
        for (const answer of frame.answers ?? []) this.#take(answer);
        return;
      case "push_batch":
        return this.#deliver(frame.pushes ?? []);
      case "client_acked":
        return this.#confirmed(frame._reqId);
      case "hello_ack":
        return this.#greeted?.resolve();
      case "error":
        return this.#refused(frame);
      default:
        // Answers that nobody asked for here.
        return;
    }
  }

  #deliver(deliveries: readonly Delivery[]): void {
    for (const { messageId } of deliveries) this.#unacked.push(messageId);
    this.#options.onDeliveries?.(deliveries);
    if (this.#ackScheduled) return;
    this.#ackScheduled = true;
    setImmediate(() => {
      this.#ackScheduled = false;
      while (this.#unacked.length > 0) {
        const brokerMessageIds = this.#unacked.splice(0, MAX_IDS_PER_ACK);
        this.#write({ type: "client_ack", brokerMessageIds });
      }
    });
  }

  #confirmed(request: string | undefined): void {
    if (request === undefined) return;
    this.#confirmations.get(request)?.();
    this.#confirmations.delete(request);
  }

  #refused(frame: Frame): void {
    const error = new Error(`refused: ${frame.code} ${frame.message}`);
    this.#greeted?.reject(error);
    if (this.#options.onRefusal === undefined) throw error;
    this.#options.onRefusal(frame.code ?? "", frame.message ?? "");
  }

  #ended(code: number, reason: string): void {
    if (this.#closing) return;
    const error = new Error(`the broker closed the connection: ${code} ${reason}`);
    this.#greeted?.reject(error);
    this.#options.onRefusal?.(String(code), reason);
  }

  #write(frame: object): void {
    this.#socket.send(JSON.stringify(frame));
  }
}
