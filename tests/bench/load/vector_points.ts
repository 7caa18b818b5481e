/**
 * Directions and texts for the figure of similarity search: made from a seed, so that every run has the same, and what is
 * really nearest among them.
 */

export const DIMENSIONS = 1_536;
/**
 * Directions of a model lie near a space of far fewer dimensions, in clouds, and all of them on one side of space. Two
 * that have nothing in common have a cosine of about 0.3 here, the ten nearest of 100,000 one of about 0.5.
 */
const LATENT = 128;
const CLOUDS = 200;
const CLOUD_DISTANCE = 0.7;
const COMMON = 0.9 * Math.sqrt(LATENT);
const NOISE = 0.7 * Math.sqrt(LATENT);

/** Random numbers from 0 to 1, the same for the same seed (Mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), 1 | state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Returns what makes one direction after the other, as a model of language would spread them. */
export function modelLike(seed: number): () => Float32Array {
  const random = seeded(seed);
  const normal = () =>
    Math.sqrt(-2 * Math.log(random() + 1e-12)) * Math.cos(2 * Math.PI * random());
  const axes = Array.from({ length: LATENT }, () => vectorOf(DIMENSIONS, normal));
  const clouds = Array.from({ length: CLOUDS }, () => vectorOf(LATENT, normal));
  const common = vectorOf(DIMENSIONS, normal);
  return () => {
    const cloud = clouds[Math.floor(random() * CLOUDS)]!;
    // Noise need not be normal; uniform numbers, here of a variance of 1, are made faster.
    const noise = () => Math.sqrt(12) * (random() - 0.5);
    const direction = common.map((value) => COMMON * value + NOISE * noise());
    for (const [at, axis] of axes.entries()) {
      const weight = CLOUD_DISTANCE * cloud[at]! + normal();
      for (let i = 0; i < DIMENSIONS; i++) direction[i] = direction[i]! + weight * axis[i]!;
    }
    return direction;
  };
}

function vectorOf(length: number, value: () => number): Float32Array {
  return Float32Array.from({ length }, value);
}

/** Returns what makes one text after the other: words of a language's skew, half of them of one of 300 topics. */
export function topicalTexts(seed: number): () => string {
  const random = seeded(seed);
  const skewed = (words: number) => Math.floor(random() ** 3 * words).toString(36);
  return () => {
    const topic = Math.floor(random() * 300).toString(36);
    const length = 12 + Math.floor(random() * 40);
    const words = Array.from(
      { length },
      () => random() < 0.5 ? `common${skewed(2_000)}` : `topic${topic}x${skewed(200)}`,
    );
    return words.join(" ");
  };
}

/** Keeps the ids of the points that are nearest to some queries, by comparing each point with each. */
export class Nearest {
  readonly #queries: readonly Float32Array[];
  readonly #count: number;
  readonly #best: { readonly id: string; readonly score: number }[][];

  constructor(queries: readonly Float32Array[], count: number) {
    this.#queries = queries.map(unit);
    this.#count = count;
    this.#best = queries.map(() => []);
  }

  add(id: string, direction: Float32Array): void {
    const point = unit(direction);
    for (const [index, query] of this.#queries.entries()) {
      let score = 0;
      for (let at = 0; at < point.length; at++) score += point[at]! * query[at]!;
      const best = this.#best[index]!;
      if (best.length === this.#count && score <= best[this.#count - 1]!.score) continue;
      best.push({ id, score });
      best.sort((a, b) => b.score - a.score);
      best.length = Math.min(best.length, this.#count);
    }
  }

  /** Of the nearest ids, the share that is among the found ones, over all queries. */
  recall(found: readonly (readonly string[])[]): number {
    let [hits, all] = [0, 0];
    for (const [index, best] of this.#best.entries()) {
      const ids = new Set(found[index]);
      all += best.length;
      hits += best.filter(({ id }) => ids.has(id)).length;
    }
    return hits / all;
  }
}

function unit(direction: Float32Array): Float32Array {
  let sum = 0;
  for (const value of direction) sum += value * value;
  const length = Math.sqrt(sum);
  return direction.map((value) => value / length);
}
