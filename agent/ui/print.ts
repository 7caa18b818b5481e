/**
 * The only place of the command line that writes to standard output and standard error.
 */

/** Prints an answer: what the user asked for, or JSON for programs. */
export function printAnswer(text: string): void {
  console.log(text);
}

/** Prints JSON for programs; whatever a terminal could obey is escaped, as JSON allows. */
export function printJson(value: object): void {
  printAnswer(escaped(JSON.stringify(value, null, 2)));
}

/** Prints one object of a stream of them: JSON on one line. */
export function printJsonLine(value: object): void {
  printAnswer(escaped(JSON.stringify(value)));
}

function escaped(json: string): string {
  return json.replace(
    /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Prints what is no answer: failures, hints, warnings. */
export function printNotice(text: string): void {
  console.error(text);
}
