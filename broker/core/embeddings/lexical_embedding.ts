/**
 * The built-in embedding: needs no model. Features of a text are hashed into 1,536 signed dimensions (feature hashing,
 * Weinberger et al. 2009), so that texts which share words, parts of words or phrases point the same way, in any
 * language. It knows no synonyms. What it gives for a text must never change, for collections are stored with it.
 */
import { lexicalFeatures } from "./lexical_features.ts";
import { STOP_WORDS } from "./stop_words.ts";

/** The kind of a collection that is made with it. */
export const LEXICAL_EMBEDDING = "lexical-v1";
export const LEXICAL_DIMENSIONS = 1_536;

/** Parts of words count as much as this, all of a word's together, beside 1 for the word. */
const GRAMS_WEIGHT = 1;
const PAIR_WEIGHT = 0.4;
/** Of scripts without blanks, where two of them stand in for a word. */
const CHARACTER_WEIGHT = 0.3;
const STOP_WORD_WEIGHT = 0.15;
const SHORTEST_GRAM = 3;
const LONGEST_GRAM = 5;
/** Dimensions per feature: two texts then rarely seem alike for one collision. */
const PLACES = 2;

const WORD_SEED = 0x9747b28c;
const GRAM_SEED = 0x3c6ef372;
const PAIR_SEED = 0x1b873593;
const CHARACTER_SEED = 0x7feb352d;

/**
 * Returns the direction of a text, of length 1; null when it has no letter or digit.
 */
export function lexicalEmbedding(text: string): Float32Array | null {
  const { words, characters, pairs } = lexicalFeatures(text);
  const vector = new Float32Array(LEXICAL_DIMENSIONS);
  for (const [word, times] of words) {
    const weight = (STOP_WORDS.has(word) ? STOP_WORD_WEIGHT : 1) * damped(times);
    add(vector, hash(word, 0, word.length, WORD_SEED), weight);
    addGrams(vector, `^${word}$`, weight * GRAMS_WEIGHT);
  }
  for (const [character, times] of characters) {
    const feature = hash(character, 0, character.length, CHARACTER_SEED);
    add(vector, feature, CHARACTER_WEIGHT * damped(times));
  }
  for (const [pair, times] of pairs) {
    const light = pair.split(" ").some((word) => STOP_WORDS.has(word));
    const weight = PAIR_WEIGHT * (light ? STOP_WORD_WEIGHT : 1) * damped(times);
    add(vector, hash(pair, 0, pair.length, PAIR_SEED), weight);
  }
  return toUnitLength(vector);
}

/** A word that stands there ten times does not count tenfold. */
function damped(times: number): number {
  return 1 + Math.log(times);
}

/** The parts of a word with its edges marked: what inflected forms and compounds share. */
function addGrams(vector: Float32Array, edged: string, weight: number): void {
  const most = Math.min(LONGEST_GRAM, edged.length);
  let grams = 0;
  for (let length = SHORTEST_GRAM; length <= most; length++) grams += edged.length - length + 1;
  const each = weight / Math.sqrt(grams);
  for (let length = SHORTEST_GRAM; length <= most; length++) {
    for (let start = 0; start + length <= edged.length; start++) {
      add(vector, hash(edged, start, start + length, GRAM_SEED), each);
    }
  }
}

function add(vector: Float32Array, feature: number, weight: number): void {
  let bits = feature;
  for (let place = 0; place < PLACES; place++) {
    bits = mixed(bits + 0x6d2b79f5);
    const index = (bits >>> 1) % LEXICAL_DIMENSIONS;
    vector[index] = (vector[index] ?? 0) + ((bits & 1) === 0 ? weight : -weight);
  }
}

/** FNV-1a over UTF-16 code units, then mixed so that every bit counts. */
function hash(text: string, start: number, end: number, seed: number): number {
  let bits = seed;
  for (let at = start; at < end; at++) {
    bits = Math.imul(bits ^ text.charCodeAt(at), 0x01000193);
  }
  return mixed(bits);
}

/** The finaliser of MurmurHash3. */
function mixed(value: number): number {
  let bits = value | 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}

/** Null where there was nothing, or, hardly to be met, where everything cancels out. */
function toUnitLength(vector: Float32Array): Float32Array | null {
  let sum = 0;
  for (const value of vector) sum += value * value;
  if (sum === 0) return null;
  const length = Math.sqrt(sum);
  return vector.map((value) => value / length);
}
