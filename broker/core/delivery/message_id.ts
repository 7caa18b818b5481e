/**
 * Ids of messages: 32 base62 characters. The first eight are the message's place in the log,
 * enciphered, so that the store finds a message by its id, or the beginning of it, without an index
 * of ids; the others are random.
 */
import type { Random } from "../clock.ts";

const BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const DIGITS = new Map([...BASE62].map((character, digit) => [character, digit]));
const PLACE_CHARS = 8;
const RANDOM_CHARS = 24;
/** The largest multiple of 62 in a byte: the bytes above it would favour some characters. */
const UNBIASED_BELOW = 248;
const POOL_BYTES = 4_096;

/** Places have 46 bits, which eight characters hold; each half of them goes through four rounds. */
const HALF = 2 ** 23;
const HALF_MASK = HALF - 1;

/** Makes ids of places in the log, and reads them. */
export class MessageIds {
  readonly #random: Random;
  readonly #roundKeys: readonly number[];
  #pool: Uint8Array = new Uint8Array();
  #used = 0;
  /** The characters being made; longer texts grow faster so than one by one. */
  readonly #codes: number[] = new Array(RANDOM_CHARS).fill(0);

  /** @param key 16 bytes: a store's own, or its old ids could not be read any more. */
  constructor(key: Uint8Array, random: Random) {
    const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
    this.#roundKeys = [0, 4, 8, 12].map((at) => view.getUint32(at));
    this.#random = random;
  }

  /** A new id for a place; 142 bits of it are random. */
  next(seq: number): string {
    return `${digits(this.#encipher(seq))}${this.#randomCharacters()}`;
  }

  /** The place that an id, or the beginning of one, stands for; null for text that is neither. */
  seqOf(id: string): number | null {
    if (id.length < PLACE_CHARS) return null;
    let value = 0;
    for (let index = 0; index < PLACE_CHARS; index++) {
      const digit = DIGITS.get(id.charAt(index));
      if (digit === undefined) return null;
      value = value * 62 + digit;
    }
    return value < HALF * HALF ? this.#decipher(value) : null;
  }

  /** A Feistel network: it hides how many messages there are, and protects nothing else. */
  #encipher(seq: number): number {
    let left = Math.floor(seq / HALF);
    let right = seq % HALF;
    for (const key of this.#roundKeys) [left, right] = [right, left ^ mixed(right, key)];
    return left * HALF + right;
  }

  #decipher(value: number): number {
    let left = Math.floor(value / HALF);
    let right = value % HALF;
    for (const key of this.#roundKeys.toReversed()) {
      [left, right] = [right ^ mixed(left, key), left];
    }
    return left * HALF + right;
  }

  #randomCharacters(): string {
    const codes = this.#codes;
    for (let count = 0; count < RANDOM_CHARS;) {
      if (this.#used === this.#pool.length) {
        this.#pool = this.#random.bytes(POOL_BYTES);
        this.#used = 0;
      }
      const byte = this.#pool[this.#used++] ?? UNBIASED_BELOW;
      if (byte < UNBIASED_BELOW) codes[count++] = BASE62.charCodeAt(byte % 62);
    }
    return String.fromCharCode(...codes);
  }
}

/** A half and a key stirred into another half (the finish of MurmurHash3). */
function mixed(half: number, key: number): number {
  let value = half ^ key;
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) & HALF_MASK;
}

function digits(value: number): string {
  let rest = value;
  let text = "";
  for (let index = 0; index < PLACE_CHARS; index++) {
    text = (BASE62[rest % 62] ?? "") + text;
    rest = Math.floor(rest / 62);
  }
  return text;
}
