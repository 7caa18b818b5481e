/**
 * Names of files as peers give them, made fit for this disk: one segment, nothing hidden, nothing that a shell, a
 * terminal or another operating system would take for something else.
 */

const MAX_NAME_BYTES = 200;
const MAX_EXTENSION_CHARS = 16;
const FALLBACK = "file";
const UNSAFE =
  // deno-lint-ignore no-control-regex -- control characters are what it takes out
  /[\u0000-\u001f\u007f-\u009f\u2028\u2029\p{Bidi_Control}\p{Default_Ignorable_Code_Point}]/gu;
/** Separators of either system, and what Windows gives a meaning. */
const RESERVED_CHARACTERS = /[/\\<>:"|?*]/g;
/** Windows opens a device by these names, whatever stands behind a dot. */
const DEVICE = /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(\.|$)/i;

const encoder = new TextEncoder();

/** Returns whether Windows would open a device by this name. */
export function isDeviceName(name: string): boolean {
  return DEVICE.test(name.replace(/[ .]+$/, "").replace(/ +\./, "."));
}

/**
 * Returns `name` as one plain file name of at most 200 bytes: the last part of a path, no control, direction or invisible
 * characters, not hidden, no device of Windows, no blanks or dots at its end. `file` when nothing is left.
 */
export function safeFileName(name: string): string {
  const last = name.toWellFormed().normalize("NFC").replace(UNSAFE, "").split(/[/\\]/).findLast((
    part,
  ) => part !== "") ?? "";
  const plain = last.replace(RESERVED_CHARACTERS, "_").trim().replace(/[. ]+$/, "");
  if (plain === "") return FALLBACK;
  const shown = plain.startsWith(".") ? `_${plain}` : plain;
  return shortened(isDeviceName(shown) ? `_${shown}` : shown);
}

/** Returns `name` with ` (number)` before its extension. */
export function numberedName(name: string, number: number): string {
  const { stem, extension } = parts(name);
  return `${stem} (${number})${extension}`;
}

function parts(name: string): { stem: string; extension: string } {
  const dot = name.lastIndexOf(".");
  const isExtension = dot > 0 && name.length - dot <= MAX_EXTENSION_CHARS;
  return isExtension
    ? { stem: name.slice(0, dot), extension: name.slice(dot) }
    : { stem: name, extension: "" };
}

/** Cuts the stem at a character, so that the extension stays. */
function shortened(name: string): string {
  if (encoder.encode(name).length <= MAX_NAME_BYTES) return name;
  const { stem, extension } = parts(name);
  const room = MAX_NAME_BYTES - encoder.encode(extension).length;
  let kept = "";
  let bytes = 0;
  for (const character of stem) {
    bytes += encoder.encode(character).length;
    if (bytes > room) break;
    kept += character;
  }
  return kept.trimEnd() + extension;
}
