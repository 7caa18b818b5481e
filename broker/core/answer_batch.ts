/**
 * Joins the answers that a connection gets in one turn of the event loop into one frame: a commit answers all of its sends
 * at once, and a frame for each would cost more than routing the messages.
 */

/** An answer may be as long as a frame; joined ones stay below about this, in characters. */
const MAX_CHARS = 65_536;

export class AnswerBatch {
  readonly #send: (frame: string) => void;
  #answers: string[] = [];
  #chars = 0;

  /** @param send sends one frame. */
  constructor(send: (frame: string) => void) {
    this.#send = send;
  }

  /** Sends an answer by the end of this turn. */
  add(answer: string): void {
    if (this.#chars + answer.length > MAX_CHARS) this.flush();
    this.#answers.push(answer);
    this.#chars += answer.length;
    if (this.#answers.length === 1) queueMicrotask(() => this.flush());
  }

  /** Sends what waits, before anything else is sent. */
  flush(): void {
    const answers = this.#answers;
    const [only] = answers;
    if (only === undefined) return;
    this.#answers = [];
    this.#chars = 0;
    this.#send(
      answers.length === 1 ? only : `{"type":"answer_batch","answers":[${answers.join(",")}]}`,
    );
  }
}
