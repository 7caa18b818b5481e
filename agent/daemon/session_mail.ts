/**
 * Messages that wait to be put before one session. They leave when somebody has confirmed that they were shown; a hook or
 * a tool whose output is lost on the way loses nothing.
 */
import type { LocalMessage } from "../core/local_types.ts";
import type { MeshPeerApi } from "../core/mesh_peer_api.ts";
import { localMessage } from "./local_message.ts";

/** Held in memory at most; the rest stays in the inbox until these are read. */
const MAX_WAITING = 500;
const ALL_PRIORITIES = ["now", "next", "low"] as const;

export interface MailChoice {
  readonly mesh?: string | undefined;
  readonly priorities?: readonly LocalMessage["priority"][];
  readonly limit?: number;
}

export class SessionMail {
  readonly #reader: string;
  readonly #waiting = new Map<string, LocalMessage>();
  /** Told of once already, in part or by a notice; hooks do not repeat them. */
  readonly #announced = new Set<string>();

  /** @param reader what the inbox knows the session by. */
  constructor(reader: string) {
    this.#reader = reader;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** Takes what arrived for this session in the mesh of `peer`; returns what is new, in order of arrival. */
  fill(peer: MeshPeerApi): LocalMessage[] {
    const limit = MAX_WAITING - this.#waiting.size;
    if (limit <= 0) return [];
    const taken = peer.take(this.#reader, { limit, priorities: ALL_PRIORITIES }).map(localMessage);
    for (const message of taken) this.#waiting.set(message.id, message);
    return taken;
  }

  /** What waits, in order of arrival; it goes on waiting. */
  waiting(choice: MailChoice = {}): LocalMessage[] {
    const { mesh, priorities, limit = MAX_WAITING } = choice;
    return [...this.#waiting.values()]
      .filter((message) => mesh === undefined || message.mesh === mesh || message.meshId === mesh)
      .filter((message) => priorities?.includes(message.priority) ?? true)
      .slice(0, limit);
  }

  /** What waits and was not announced, for hooks. */
  unannounced(choice: MailChoice): LocalMessage[] {
    return this.waiting(choice).filter((message) => !this.#announced.has(message.id));
  }

  announce(ids: readonly string[]): void {
    for (const id of ids) if (this.#waiting.has(id)) this.#announced.add(id);
  }

  /** Forgets messages that were shown; ids of other sessions' messages are nothing to it. */
  drop(ids: readonly string[]): void {
    for (const id of ids) {
      this.#waiting.delete(id);
      this.#announced.delete(id);
    }
  }
}
