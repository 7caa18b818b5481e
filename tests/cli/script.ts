/**
 * Scripts of the command line: text files in which a line `$ claudemesh ...` is a command and the lines below are what it
 * prints. `ada$` runs it in the home called ada. A line that begins with `! ` is on standard error, `? N` is the exit code
 * (0 when left out). `[..]` stands for any text within a line, `[...]` alone on a line for any lines.
 */

export interface Step {
  readonly line: number;
  readonly home: string;
  readonly words: readonly string[];
  readonly stdin: string | null;
  readonly stdout: readonly string[];
  readonly stderr: readonly string[];
  readonly exit: number;
}

const COMMAND = /^([a-z]*)\$ (?:echo (?:'([^']*)'|(\S+)) \| )?claudemesh ?(.*)$/;

/** Splits a command line into words; quotes keep blanks together. */
function split(text: string): string[] {
  return [...text.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map((match) =>
    match[1] ?? match[2] ?? match[3]!
  );
}

/**
 * Reads a script.
 * @throws {SyntaxError} with the line that is neither a command nor below one.
 */
export function parseScript(text: string): Step[] {
  const steps: (Step & { stdout: string[]; stderr: string[]; exit: number })[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    const command = COMMAND.exec(line);
    const current = steps.at(-1);
    if (command) {
      steps.push({
        line: index + 1,
        home: command[1] || "main",
        words: split(command[4]!),
        stdin: command[2] ?? command[3] ?? null,
        stdout: [],
        stderr: [],
        exit: 0,
      });
    } else if (line.startsWith("#") || (line === "" && !current)) continue;
    else if (!current) throw new SyntaxError(`line ${index + 1}: no command above it`);
    else if (/^\? \d+$/.test(line)) current.exit = Number(line.slice(2));
    else if (line.startsWith("! ")) current.stderr.push(line.slice(2));
    else current.stdout.push(line);
  }
  return steps;
}

/** Returns whether `actual` is what the pattern lines say; trailing empty lines do not count. */
export function matches(pattern: readonly string[], actual: string): boolean {
  const wanted = trimEnd(pattern);
  const lines = trimEnd(actual.split("\n"));
  const source = wanted.map((line) => line === "[...]" ? "(?:.*\\n)*?" : `${escape(line)}\\n`);
  return new RegExp(`^${source.join("")}$`).test(lines.map((line) => `${line}\n`).join(""));
}

function trimEnd(lines: readonly string[]): string[] {
  const kept = [...lines];
  while (kept.at(-1)?.trim() === "") kept.pop();
  return kept;
}

function escape(line: string): string {
  return line.split("[..]").map((part) => part.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&")).join(".*");
}
