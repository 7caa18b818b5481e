/**
 * A bar that shows how far a transfer is, on a terminal alone and on standard error, so that answers stay clean.
 */

/** How far something is. */
export interface Step {
  /** What is being done, in a word. */
  readonly label: string;
  readonly done: number;
  readonly total: number;
}

const BAR_CHARS = 24;
const FULL = "█";
const EMPTY = "░";
const CLEAR_LINE = "\r\x1b[2K";
/** Rates are taken over the last moments, so that they follow the line. */
const RATE_WINDOW_MS = 3_000;

/**
 * One line for a step: bar, percent, amounts, rate. `amount` writes an amount; a rate of 0 is left out.
 */
export function progressLine(
  { label, done, total }: Step,
  ratePerS: number,
  amount: (value: number) => string,
): string {
  const share = total === 0 ? 1 : Math.min(1, done / total);
  const filled = Math.round(share * BAR_CHARS);
  const bar = FULL.repeat(filled) + EMPTY.repeat(BAR_CHARS - filled);
  const percent = `${Math.floor(share * 100)}`.padStart(3);
  const rate = ratePerS > 0 ? `  ${amount(ratePerS)}/s` : "";
  return `  ${label.padEnd(8)} ${bar} ${percent} %  ${amount(done)} of ${amount(total)}${rate}`;
}

export class ProgressBar {
  readonly #amount: (value: number) => string;
  readonly #write: (text: string) => void;
  readonly #isShown: boolean;
  #samples: { atMs: number; done: number }[] = [];
  #label = "";

  /** A bar on this terminal; nothing is shown where there is none, or when `shown` is false. */
  constructor(options: {
    readonly amount: (value: number) => string;
    readonly shown: boolean;
    readonly write?: (text: string) => void;
  }) {
    this.#amount = options.amount;
    this.#isShown = options.shown && (options.write !== undefined || Deno.stderr.isTerminal());
    this.#write = options.write ?? writeToTerminal;
  }

  /** Shows a step at `nowMs`. */
  update(step: Step, nowMs: number): void {
    if (!this.#isShown) return;
    if (step.label !== this.#label) this.#samples = [];
    this.#label = step.label;
    this.#samples.push({ atMs: nowMs, done: step.done });
    while (this.#samples.length > 2 && nowMs - this.#samples[0]!.atMs > RATE_WINDOW_MS) {
      this.#samples.shift();
    }
    const [first] = this.#samples;
    const spanMs = nowMs - first!.atMs;
    const ratePerS = spanMs > 0 ? Math.round((step.done - first!.done) * 1_000 / spanMs) : 0;
    this.#write(CLEAR_LINE + progressLine(step, ratePerS, this.#amount));
  }

  /** Takes the bar away. */
  end(): void {
    if (this.#isShown && this.#label !== "") this.#write(CLEAR_LINE);
    this.#label = "";
  }
}

function writeToTerminal(text: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(text));
}
