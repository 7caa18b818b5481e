/**
 * Decides which events reach the model as channel events, and when: nothing before the client is ready, low messages
 * never, in mode `inbox` notices instead of texts, in mode `off` nothing.
 */
import type { LocalEvent, SessionState } from "../agent/core/local_types.ts";
import {
  type ChannelEvent,
  inboxEvent,
  messageEvent,
  streamEvent,
  systemEvent,
  welcomeEvent,
} from "./channel.ts";

/** Events before the host listens are lost, and it listens a while after it says that it is ready. */
const GRACE_MS = 3_000;
const MAX_WAITING = 500;

export interface ChannelPushesOptions {
  send(event: ChannelEvent): Promise<void>;
  readonly graceMs?: number;
  readonly nowMs?: () => number;
}

export class ChannelPushes {
  readonly #options: ChannelPushesOptions;
  #mode: SessionState["messageMode"] = "push";
  #isOpen = false;
  #isClosed = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #waiting: ChannelEvent[] = [];
  readonly #welcomed = new Set<string>();

  constructor(options: ChannelPushesOptions) {
    this.#options = options;
  }

  set mode(mode: SessionState["messageMode"]) {
    this.#mode = mode;
    if (mode === "off") this.#waiting = [];
  }

  get mode(): SessionState["messageMode"] {
    return this.#mode;
  }

  /** The client has said that it is initialized. */
  clientReady(): void {
    if (this.#timer !== undefined || this.#isClosed) return;
    this.#timer = setTimeout(() => this.#open(), this.#options.graceMs ?? GRACE_MS);
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#waiting = [];
  }

  take(event: LocalEvent): void {
    const made = this.#eventFor(event);
    if (made !== null) this.#push(made);
  }

  /** Greets once per mesh. */
  welcome(mesh: SessionState["meshes"][number], peers: readonly string[], unread: number): void {
    if (this.#mode === "off" || this.#welcomed.has(mesh.meshId)) return;
    this.#welcomed.add(mesh.meshId);
    this.#push(welcomeEvent(mesh, peers, unread));
  }

  #eventFor(event: LocalEvent): ChannelEvent | null {
    if (this.#mode === "off" || event.kind === "state" || event.kind === "transfer") return null;
    if (event.kind === "system") return systemEvent(event);
    if (event.kind === "stream") return streamEvent(event);
    const { message } = event;
    if (message.priority === "low") return null;
    if (this.#mode === "inbox") return inboxEvent(message);
    const nowMs = (this.#options.nowMs ?? Date.now)();
    return messageEvent(message, new Date(nowMs).toISOString());
  }

  #push(event: ChannelEvent): void {
    if (this.#isClosed) return;
    if (this.#isOpen) return this.#send(event);
    // The oldest goes: every message is still in the inbox, and hooks and tools carry it.
    if (this.#waiting.length >= MAX_WAITING) this.#waiting.shift();
    this.#waiting.push(event);
  }

  #open(): void {
    this.#isOpen = true;
    for (const event of this.#waiting.splice(0)) this.#send(event);
  }

  #send(event: ChannelEvent): void {
    // A failed write means that the client is gone; the transport's own end tells so.
    this.#options.send(event).catch(() => this.close());
  }
}
