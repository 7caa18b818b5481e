/** Tests of the runner of command-line scripts: it must be able to fail. */
import assert from "node:assert/strict";
import { matches, parseScript } from "./script.ts";

Deno.test("parseScript() reads homes, words, standard input, output and exit code", () => {
  const steps = parseScript(
    "# note\nada$ echo 'hi there' | claudemesh send Bob -\nsent\n! oops\n? 3\n",
  );
  assert.deepEqual(steps, [{
    line: 2,
    home: "ada",
    words: ["send", "Bob", "-"],
    stdin: "hi there",
    stdout: ["sent", ""],
    stderr: ["oops"],
    exit: 3,
  }]);
});

Deno.test("parseScript() refuses output without a command", () => {
  assert.throws(() => parseScript("hello\n"), /line 1/);
});

Deno.test("matches() takes wildcards within a line and over lines, and nothing else", () => {
  assert.ok(matches(["a [..] c", "[...]", "end"], "a b c\nx\ny\nend\n"));
  assert.ok(matches(["(a) [b]*", ""], "(a) [b]*"));
  assert.ok(!matches(["a [..] c"], "a b d"));
  assert.ok(!matches(["a"], "a\nb"));
  assert.ok(!matches([], "anything"));
});
