/**
 * A transport that tells when an answer has left: what an answer carried counts as shown only then.
 */
import type { Transport, TransportSendOptions } from "@modelcontextprotocol/sdk/shared/transport";
import type { JSONRPCMessage, MessageExtraInfo, RequestId } from "@modelcontextprotocol/sdk/types";

export class AnswerTransport implements Transport {
  readonly #inner: Transport;
  readonly #afterwards = new Map<RequestId, () => void>();
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: <T extends JSONRPCMessage>(message: T, extra?: MessageExtraInfo) => void;

  constructor(inner: Transport) {
    this.#inner = inner;
  }

  get sessionId(): string {
    return this.#inner.sessionId ?? "";
  }

  /** Runs `act` once the answer to `requestId` has been written; never when it is not. */
  afterAnswer(requestId: RequestId, act: () => void): void {
    this.#afterwards.set(requestId, act);
  }

  async start(): Promise<void> {
    this.#inner.onclose = () => this.onclose?.();
    this.#inner.onerror = (error) => this.onerror?.(error);
    this.#inner.onmessage = (message, extra) => this.onmessage?.(message, extra);
    await this.#inner.start();
  }

  async send(message: JSONRPCMessage, options?: TransportSendOptions): Promise<void> {
    await this.#inner.send(message, options);
    if (!("id" in message) || "method" in message || message.id === undefined) return;
    const act = this.#afterwards.get(message.id);
    this.#afterwards.delete(message.id);
    act?.();
  }

  async close(): Promise<void> {
    this.#afterwards.clear();
    await this.#inner.close();
  }
}
