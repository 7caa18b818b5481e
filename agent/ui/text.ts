/**
 * Layout of text for people: aligned columns, key/value pairs, short keys and relative times.
 */
import { stripVTControlCharacters } from "node:util";
import { printable, style } from "./style.ts";

function width(text: string): number {
  return stripVTControlCharacters(text).length;
}

/** A longer value is not put into a table, where it would set the width of its column. */
const TABLE_CELL_CHARS = 96;

/** Aligns `rows` into columns two spaces apart, indented by two. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, column) => widths[column] = Math.max(widths[column] ?? 0, width(cell)));
  }
  return rows.map((row) =>
    ("  " + row.map((cell, column) => cell + " ".repeat(widths[column]! - width(cell))).join("  "))
      .trimEnd()
  ).join("\n");
}

/** Lays out `label  value` lines; entries without a value are left out. */
export function pairs(entries: readonly (readonly [string, string | null | undefined])[]): string {
  return table(
    entries.filter((entry) => entry[1] !== null && entry[1] !== undefined)
      .map(([label, value]) => [style.dim(label), value!]),
  );
}

/**
 * Renders the answer of a derived verb: scalars as pairs, lists of objects as a table, or one below the other where a
 * value is too long for that. In an overview such a value is cut.
 */
export function describe(data: Record<string, unknown>, isOverview = false): string {
  const lists = Object.entries(data).filter(([, value]) => Array.isArray(value));
  // That a list is whole goes without saying.
  const scalars = Object.entries(data).filter(([key, value]) =>
    !Array.isArray(value) && !(key === "more" && value === false && lists.length > 0)
  );
  const blocks = [];
  if (scalars.length > 0) blocks.push(pairs(scalars.map(([key, value]) => [key, cell(value)])));
  for (const [key, list] of lists) {
    blocks.push(describeList(key, list as unknown[], isOverview));
  }
  return blocks.join("\n");
}

function describeList(name: string, list: readonly unknown[], isOverview: boolean): string {
  if (list.length === 0) return `  No ${name}.`;
  if (typeof list[0] !== "object" || list[0] === null) {
    return `  ${style.dim(name)}  ${list.map(cell).join(", ")}`;
  }
  const columns = [...new Set(list.flatMap((row) => Object.keys(row as object)))];
  const rows = list.map((row) =>
    columns.map((column) => cell((row as Record<string, unknown>)[column]))
  );
  if (!isOverview && rows.some((row) => row.some((text) => text.length > TABLE_CELL_CHARS))) {
    return rows.map((row) => pairs(row.map((text, column) => [columns[column]!, text])))
      .join("\n\n");
  }
  return table([columns.map((column) => style.dim(column)), ...rows.map((row) => row.map(cut))]);
}

function cut(text: string): string {
  const characters = [...text];
  if (characters.length <= TABLE_CELL_CHARS) return text;
  return `${characters.slice(0, TABLE_CELL_CHARS - 1).join("")}…`;
}

function cell(value: unknown): string {
  if (value === null || value === undefined || value === "") return "-";
  return printable(typeof value === "object" ? JSON.stringify(value) : String(value));
}

/** The first twelve characters of a key, which is how peers are told apart. */
export function shortKey(key: string): string {
  return key.slice(0, 12);
}

/** "3 min ago", "in 2 h": the distance of `timeMs` from `nowMs`. */
export function relativeTime(timeMs: number, nowMs: number): string {
  const distance = relativeSpan(Math.abs(nowMs - timeMs));
  return timeMs <= nowMs ? `${distance} ago` : `in ${distance}`;
}

function relativeSpan(spanMs: number): string {
  const seconds = Math.round(spanMs / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}
