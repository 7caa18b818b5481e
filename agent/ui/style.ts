/**
 * Colours and marks of the terminal, switched off where they would be noise: no terminal, `NO_COLOR`, `TERM=dumb`.
 */
import { styleText } from "node:util";

type Format = Parameters<typeof styleText>[0];

/** Whether text for `stream` may carry colour. */
export function usesColour(stream: "stdout" | "stderr"): boolean {
  if (Deno.env.get("NO_COLOR") || Deno.env.get("TERM") === "dumb") return false;
  return Deno[stream].isTerminal();
}

const coloured = { stdout: usesColour("stdout"), stderr: usesColour("stderr") };

function paint(format: Format, text: string, stream: "stdout" | "stderr" = "stdout"): string {
  return coloured[stream] ? styleText(format, text, { validateStream: false }) : text;
}

export const style = {
  bold: (text: string) => paint("bold", text),
  dim: (text: string) => paint("dim", text),
  good: (text: string) => paint("green", text),
  warn: (text: string) => paint("yellow", text),
  bad: (text: string) => paint("red", text, "stderr"),
  hint: (text: string) => paint("dim", text, "stderr"),
  accent: (text: string) => paint("cyan", text),
};

export const marks = {
  done: () => style.good("✔"),
  warning: () => style.warn("⚠"),
  failed: () => style.bad("✘"),
  dot: (state: "idle" | "working" | "dnd" | "offline") =>
    state === "idle"
      ? style.good("●")
      : state === "working"
      ? style.warn("●")
      : state === "dnd"
      ? style.accent("◐")
      : style.dim("○"),
};

const CONTROL =
  // deno-lint-ignore no-control-regex -- removing control characters is the point
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/**
 * Returns text of somebody else on one line, without what could move the cursor, colour the terminal or reorder what is
 * read: a line of its own could pass for one of ours.
 */
export function printable(text: string): string {
  return printableText(text).replace(/[\t\n]+/g, " ");
}

/** As `printable`, with its lines kept, for texts that stand indented below a heading. */
export function printableText(text: string): string {
  return text.replaceAll("\r\n", "\n").replace(CONTROL, "�");
}
