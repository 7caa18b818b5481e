/**
 * Checks that a recipient gets each message of one sender once and in order. Messages are named `<run>.<number>`, the last
 * one of a run `<run>.<number>.last`.
 */
import type { Delivery } from "./mesh_socket.ts";

/** The name of message `index` of a run. */
export function messageName(run: string, index: number, last = false): string {
  return `${run}.${index}${last ? ".last" : ""}`;
}

export class Arrivals {
  readonly #run: string;
  readonly #onLast: () => void;
  #next = 0;
  #wrong = 0;
  readonly whole: Promise<void>;

  /** @param run which run's messages are expected. */
  constructor(run: string) {
    this.#run = run;
    let onLast = () => {};
    this.whole = new Promise((resolve) => onLast = resolve);
    this.#onLast = onLast;
  }

  /** How many came in order: the number of the next one. */
  get count(): number {
    return this.#next;
  }

  /** How many came twice, out of order, or were not of this run. */
  get wrong(): number {
    return this.#wrong;
  }

  /** Takes what arrived. */
  take(deliveries: readonly Delivery[]): void {
    for (const { client_message_id } of deliveries) this.takeName(client_message_id ?? "");
  }

  /** Takes the name of what arrived. */
  takeName(name: string): void {
    const [run, index, last] = name.split(".");
    if (run !== this.#run || Number(index) !== this.#next) this.#wrong += 1;
    else this.#next += 1;
    if (last !== undefined) this.#onLast();
  }
}
