/**
 * The only place of the command line that writes to standard output and standard error.
 */

/** Prints an answer: what the user asked for, or JSON for programs. */
export function printAnswer(text: string): void {
  console.log(text);
}

/** Prints what is no answer: failures, hints, warnings. */
export function printNotice(text: string): void {
  console.error(text);
}
