/**
 * Turns directions in space, all the same way, so that every dimension carries its share. Angles stay as they are, but
 * now the signs alone say much about a direction: what the index keeps of it is one bit per dimension. Without this, the
 * many zeros of a sparse embedding would all look alike to it.
 *
 * Three rounds of random signs and Walsh-Hadamard transforms (Ailon and Chazelle 2006), in blocks of powers of two for
 * lengths that are none. Stored vectors depend on every number in here.
 */

import { unitVector } from "./unit_vector.ts";

const ROUNDS = 3;

/**
 * Returns `vector` at length 1, rotated.
 * @param vector not all zeros.
 */
export function rotated(vector: Float32Array): Float32Array {
  const turned = unitVector(vector);
  for (let round = 0; round < ROUNDS; round++) {
    flipSigns(turned, round);
    for (let start = 0; start < turned.length;) {
      const size = 2 ** Math.floor(Math.log2(turned.length - start));
      transform(turned.subarray(start, start + size));
      start += size;
    }
    // The next round's blocks mix what this round's kept apart.
    turned.reverse();
  }
  return turned;
}

function flipSigns(vector: Float32Array, round: number): void {
  for (let at = 0; at < vector.length; at++) {
    if ((mixed(round * 0x9e3779b9 + at) & 1) === 1) vector[at] = -(vector[at] ?? 0);
  }
}

/** The Walsh-Hadamard transform of a power of two numbers, in place, keeping the length. */
function transform(block: Float32Array): void {
  for (let half = 1; half < block.length; half *= 2) {
    for (let start = 0; start < block.length; start += 2 * half) {
      for (let at = start; at < start + half; at++) {
        const low = block[at] ?? 0;
        const high = block[at + half] ?? 0;
        block[at] = low + high;
        block[at + half] = low - high;
      }
    }
  }
  const scale = 1 / Math.sqrt(block.length);
  for (let at = 0; at < block.length; at++) block[at] = (block[at] ?? 0) * scale;
}

/** The finaliser of MurmurHash3. */
function mixed(value: number): number {
  let bits = value | 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return bits ^ (bits >>> 16);
}
