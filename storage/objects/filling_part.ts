/**
 * The bytes of an upload that become one part: a buffer that grows as they come, up to the size of a part.
 */

const FIRST_BYTES = 65_536;

export class FillingPart {
  readonly #sizeBytes: number;
  #buffer: Uint8Array;
  #length = 0;

  constructor(sizeBytes: number) {
    this.#sizeBytes = sizeBytes;
    this.#buffer = new Uint8Array(Math.min(FIRST_BYTES, sizeBytes));
  }

  get isFull(): boolean {
    return this.#length === this.#sizeBytes;
  }

  /** What is in it; good until the next `add` or `clear`. */
  get bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  /** Takes what fits of `chunk`; returns the rest. */
  add(chunk: Uint8Array): Uint8Array {
    const taken = chunk.subarray(0, this.#sizeBytes - this.#length);
    this.#grow(this.#length + taken.length);
    this.#buffer.set(taken, this.#length);
    this.#length += taken.length;
    return chunk.subarray(taken.length);
  }

  clear(): void {
    this.#length = 0;
  }

  #grow(needed: number): void {
    if (needed <= this.#buffer.length) return;
    const larger = new Uint8Array(
      Math.min(this.#sizeBytes, Math.max(needed, 2 * this.#buffer.length)),
    );
    larger.set(this.bytes);
    this.#buffer = larger;
  }
}
