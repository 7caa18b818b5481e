/**
 * A stream of a server's answer as a reader of the port: nothing is read before it is asked for.
 */
import type { Readable } from "node:stream";
import { type ObjectReader, ObjectsError } from "./port.ts";

/** Makes the failures of a driver those of the port. */
type Translate = <T>(run: () => Promise<T>) => Promise<T>;

export class StreamReader implements ObjectReader {
  readonly #stream: Readable;
  readonly #chunks: AsyncIterator<Uint8Array>;
  readonly #translated: Translate;
  readonly #onClose: () => void;
  /** What has come and was not asked for yet. */
  #rest: Uint8Array = new Uint8Array();
  #closed = false;

  constructor(stream: Readable, translated: Translate, onClose: () => void) {
    this.#stream = stream;
    this.#chunks = stream[Symbol.asyncIterator]();
    this.#translated = translated;
    this.#onClose = onClose;
  }

  async read(into: Uint8Array): Promise<number> {
    if (this.#closed) throw new ObjectsError("unavailable", "this reader is closed");
    while (this.#rest.length === 0) {
      const next = await this.#translated(() => this.#chunks.next());
      if (next.done) return 0;
      this.#rest = next.value;
    }
    const taken = this.#rest.subarray(0, into.length);
    into.set(taken);
    this.#rest = this.#rest.subarray(taken.length);
    return taken.length;
  }

  close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      this.#stream.destroy();
      this.#onClose();
    }
    return Promise.resolve();
  }
}
