/**
 * What the built-in embedding looks at in a text: its words, pairs of neighbouring words, and in languages that write no
 * blanks, neighbouring characters. Folded, so that case, accents and width make no difference.
 */

/** What stands in a text, with how often. */
export interface LexicalFeatures {
  readonly words: ReadonlyMap<string, number>;
  /** Single characters of scripts without blanks. */
  readonly characters: ReadonlyMap<string, number>;
  /** Neighbouring words, with a blank between. */
  readonly pairs: ReadonlyMap<string, number>;
}

const WORD = /[\p{L}\p{N}\p{M}]+/gu;
/** Scripts that put no blanks between words: their neighbouring characters stand in for words. */
const UNSPACED =
  /([\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}ー]+)/u;
/** `userName2Id` is read as `user Name2 Id`. */
const HUMP = /(?<=[\p{Ll}\p{N}])(?=\p{Lu})/gu;
/** Accents of Latin, Greek and Cyrillic letters; other scripts' marks are vowels and stay. */
const ACCENTS = /[\u0300-\u036f]/g;

/** Reads a text. Nothing is found in one without a letter or digit. */
export function lexicalFeatures(text: string): LexicalFeatures {
  const words = new Map<string, number>();
  const characters = new Map<string, number>();
  const pairs = new Map<string, number>();
  let before: string | null = null;
  for (const word of wordsOf(text, characters)) {
    count(words, word);
    if (before !== null) count(pairs, `${before} ${word}`);
    before = word;
  }
  return { words, characters, pairs };
}

/** Words in the order of the text; counts the characters of those that are none. */
function* wordsOf(text: string, characters: Map<string, number>): Generator<string> {
  for (const [run] of folded(text).matchAll(WORD)) {
    if (!UNSPACED.test(run)) {
      yield run;
      continue;
    }
    for (const [index, part] of run.split(UNSPACED).entries()) {
      if (part === "") continue;
      if (index % 2 === 0) yield part;
      else yield* neighbours(part, characters);
    }
  }
}

/** Characters two by two. */
function* neighbours(run: string, characters: Map<string, number>): Generator<string> {
  let before: string | null = null;
  for (const character of run) {
    count(characters, character);
    if (before !== null) yield before + character;
    before = character;
  }
}

function folded(text: string): string {
  return text.normalize("NFKC").replace(HUMP, " ").normalize("NFD").replace(ACCENTS, "")
    .normalize("NFC").toUpperCase().toLowerCase();
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
