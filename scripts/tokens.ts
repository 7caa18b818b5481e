/**
 * Cuts TypeScript source into tokens, so that checks see code and never the inside of a comment, a string, a
 * template or a regular expression. Whether a slash divides or opens a regular expression is decided by the token
 * before it, which is exact for the code that `deno fmt` leaves behind.
 */

/** One token; `text` is the source text, for strings the value between the quotes as written. */
export interface Token {
  readonly kind: "word" | "string" | "template" | "regex" | "punctuation";
  readonly text: string;
  /** Line in the file, counted from 1. */
  readonly line: number;
}

const WORDS_BEFORE_REGEX = new Set([
  "await",
  "case",
  "delete",
  "do",
  "else",
  "in",
  "instanceof",
  "new",
  "of",
  "return",
  "throw",
  "typeof",
  "void",
  "yield",
]);

const WORD = /[\p{ID_Start}$_#@0-9][\p{ID_Continue}$\u200c\u200d]*/uy;
const SPACE = /\s+/y;
const LINE_COMMENT = /\/\/[^\n]*/y;
const BLOCK_COMMENT = /\/\*[\s\S]*?(?:\*\/|$)/y;
const STRING = /"(?:[^"\\\n]|\\[\s\S])*"|'(?:[^'\\\n]|\\[\s\S])*'/y;
const REGEX = /\/(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y;
const TEMPLATE_PART = /(?:[^`\\$]|\\[\s\S]|\$(?!\{))*(?:`|\$\{|$)/y;

function opensRegex(before: Token | undefined): boolean {
  if (before === undefined) return true;
  if (before.kind === "word") return WORDS_BEFORE_REGEX.has(before.text);
  return before.kind === "punctuation" && !")]}".includes(before.text);
}

/**
 * Tokens of `source`, in order, without white space and comments. Code inside `${}` of a template is tokenised too.
 * Never throws: text that is no TypeScript comes out as single characters of punctuation.
 */
export function tokens(source: string): Token[] {
  return new Scanner(source).run();
}

/** Walks once over the text; `#braces` remembers, per open brace, whether a template waits for its end. */
class Scanner {
  readonly #source: string;
  readonly #found: Token[] = [];
  readonly #braces: ("block" | "template")[] = [];
  #at = 0;
  #line = 1;

  constructor(source: string) {
    this.#source = source;
  }

  run(): Token[] {
    while (this.#at < this.#source.length) this.#step();
    return this.#found;
  }

  #step(): void {
    if (this.#take(SPACE) ?? this.#take(LINE_COMMENT) ?? this.#take(BLOCK_COMMENT)) return;
    const line = this.#line;
    const string = this.#take(STRING);
    if (string !== undefined) return this.#add("string", string.slice(1, -1), line);
    const word = this.#take(WORD);
    if (word !== undefined) return this.#add("word", word, line);
    const character = this.#source.charAt(this.#at);
    if (character === "/" && opensRegex(this.#found.at(-1))) {
      const regex = this.#take(REGEX);
      if (regex !== undefined) return this.#add("regex", regex, line);
    }
    this.#at += 1;
    if (character === "`") return this.#template(line);
    if (character === "{") this.#braces.push("block");
    if (character === "}" && this.#braces.pop() === "template") return this.#template(line);
    this.#add("punctuation", character, line);
  }

  /** Reads on inside a template until it ends or code begins; the code's closing brace comes back here. */
  #template(line: number): void {
    const part = this.#take(TEMPLATE_PART) ?? "";
    this.#add("template", part, line);
    if (part.endsWith("${")) this.#braces.push("template");
  }

  #add(kind: Token["kind"], text: string, line: number): void {
    this.#found.push({ kind, text, line });
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const text = pattern.exec(this.#source)?.[0];
    if (text === undefined || text === "") return undefined;
    this.#at += text.length;
    for (const character of text) if (character === "\n") this.#line += 1;
    return text;
  }
}
