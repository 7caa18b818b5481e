/**
 * Cuts a stream of text into lines.
 */

/** Chunks of text in, lines without their newlines out; what stands after the last newline comes at the end. */
export class TextLineStream extends TransformStream<string, string> {
  constructor() {
    let held = "";
    super({
      transform(chunk, controller) {
        const lines = (held + chunk).split("\n");
        held = lines.pop() ?? "";
        for (const line of lines) controller.enqueue(line);
      },
      flush(controller) {
        if (held !== "") controller.enqueue(held);
      },
    });
  }
}
