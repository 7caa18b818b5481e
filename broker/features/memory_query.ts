/**
 * What people and models write to search the memory: words, "a phrase", prefix*, tag:name, and each of these with a
 * minus in front to leave out what has it.
 */

/** One part of a query. */
export interface MemoryTerm {
  readonly kind: "word" | "phrase" | "prefix";
  /** As it was written, without quotes and star. */
  readonly text: string;
  /** Leaves out what has it. */
  readonly excluded: boolean;
}

/** A query in its parts. */
export interface MemoryQuery {
  readonly terms: readonly MemoryTerm[];
  /** Lower-case tags that a memory must have. */
  readonly tags: readonly string[];
  /** Lower-case tags that it must not have. */
  readonly excludedTags: readonly string[];
}

/** [minus] [tag:] then "quoted", or anything without blanks. A quote that is not closed reaches to the end. */
const PART = /(-?)(tag:)?(?:"([^"]*)(?:"|$)|([^\s"]+))/giu;
/** What a word index can hold; a part without any is punctuation. */
const WORDLIKE = /[\p{L}\p{N}]/u;
/** Shorter beginnings stand for too many words. */
const MIN_PREFIX_CHARS = 2;

/** Reads a query; everything is one, and what makes no sense as syntax is a word. */
export function parseMemoryQuery(query: string): MemoryQuery {
  const terms: MemoryTerm[] = [];
  const tags: string[] = [];
  const excludedTags: string[] = [];
  for (const [, minus, isTag, quoted, bare] of query.matchAll(PART)) {
    const excluded = minus === "-";
    if (isTag !== undefined) {
      const tag = (quoted ?? bare ?? "").trim().toLowerCase();
      if (tag !== "") (excluded ? excludedTags : tags).push(tag);
      continue;
    }
    const term = quoted === undefined ? bareTerm(bare ?? "", excluded) : quotedTerm(quoted);
    if (WORDLIKE.test(term.text)) terms.push({ ...term, excluded });
  }
  return { terms, tags: [...new Set(tags)], excludedTags: [...new Set(excludedTags)] };
}

function quotedTerm(text: string): Omit<MemoryTerm, "excluded"> {
  return { kind: "phrase", text: text.trim() };
}

function bareTerm(text: string, excluded: boolean): Omit<MemoryTerm, "excluded"> {
  // "--flag" is a word that somebody looks for, not two exclusions of it.
  const word = excluded ? text : text.replace(/^-+/, "");
  const stem = /^(.*[\p{L}\p{N}])\*$/u.exec(word)?.[1];
  if (stem !== undefined && [...stem].length >= MIN_PREFIX_CHARS) {
    return { kind: "prefix", text: stem };
  }
  return { kind: "word", text: word };
}
