/**
 * Commands of a Markdown page that a test runs as a reader would: fenced blocks whose info string
 * says `test=NAME`.
 */

/** One fenced block. */
export interface CommandBlock {
  /** Line of the opening fence, from 1. */
  readonly line: number;
  /** The language, `sh` for what a test runs. */
  readonly language: string;
  /** `key=value` words of the info string; `test` names the test that the block belongs to. */
  readonly attributes: Readonly<Record<string, string>>;
  readonly text: string;
}

const FENCE = /^```(\S*)[ \t]*(.*)$/;

/**
 * Reads the blocks that belong to the test `name`, in order.
 * @throws {SyntaxError} when a fence is not closed, or when no block belongs to the test.
 */
export function commandBlocks(markdown: string, name: string): CommandBlock[] {
  const chosen = fencedBlocks(markdown).filter((block) => block.attributes.test === name);
  if (chosen.length === 0) throw new SyntaxError(`no block says test=${name}`);
  return chosen;
}

/** Reads all fenced blocks, in order. @throws {SyntaxError} when a fence is not closed. */
export function fencedBlocks(markdown: string): CommandBlock[] {
  const blocks: CommandBlock[] = [];
  let open: { line: number; language: string; info: string; text: string[] } | null = null;
  for (const [index, line] of markdown.split("\n").entries()) {
    const [, language = "", info = ""] = FENCE.exec(line) ?? [];
    if (open === null) {
      if (FENCE.test(line)) open = { line: index + 1, language, info, text: [] };
    } else if (line.trimEnd() === "```") {
      const { text, ...rest } = open;
      blocks.push({
        line: rest.line,
        language: rest.language,
        attributes: attributesOf(rest.info),
        text: text.join("\n"),
      });
      open = null;
    } else open.text.push(line);
  }
  if (open !== null) throw new SyntaxError(`line ${open.line}: the fence is not closed`);
  return blocks;
}

function attributesOf(info: string): Record<string, string> {
  return Object.fromEntries(
    [...info.matchAll(/(\w+)=(\S+)/g)].map((match) => [match[1]!, match[2]!]),
  );
}
