/** Tests of the bar that shows a transfer. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { ProgressBar, progressLine } from "./progress_bar.ts";

function bytes(value: number): string {
  return `${value} B`;
}

Deno.test("the bar fills from nothing to all", () => {
  const line = (done: number) => progressLine({ label: "sending", done, total: 200 }, 0, bytes);
  assert.equal(line(0), `  sending  ${"░".repeat(24)}   0 %  0 B of 200 B`);
  assert.equal(line(100), `  sending  ${"█".repeat(12)}${"░".repeat(12)}  50 %  100 B of 200 B`);
  assert.equal(line(200), `  sending  ${"█".repeat(24)} 100 %  200 B of 200 B`);
});

Deno.test("every line is as long as its bar, whatever is done", () => {
  fc.assert(fc.property(fc.nat(), fc.nat(), (done, total) => {
    const line = progressLine({ label: "x", done, total }, 0, () => "");
    assert.match(line, /^ {2}x {8}[█░]{24} +\d{1,3} % {3}of $/);
  }));
});

Deno.test("the rate is that of the last moments of one step", () => {
  const written: string[] = [];
  const bar = new ProgressBar({ amount: bytes, shown: true, write: (text) => written.push(text) });
  bar.update({ label: "reading", done: 5_000, total: 10_000 }, 0);
  bar.update({ label: "sending", done: 0, total: 10_000 }, 1_000);
  bar.update({ label: "sending", done: 2_000, total: 10_000 }, 2_000);
  bar.update({ label: "sending", done: 2_500, total: 10_000 }, 5_000);
  bar.end();
  assert.ok(!written[1]!.includes("/s"));
  assert.match(written[2]!, /2000 B\/s$/);
  assert.match(written[3]!, /167 B\/s$/);
  assert.equal(written.at(-1), "\r\x1b[2K");
});

Deno.test("a bar that is not to be shown writes nothing", () => {
  const written: string[] = [];
  const bar = new ProgressBar({ amount: bytes, shown: false, write: (text) => written.push(text) });
  bar.update({ label: "sending", done: 1, total: 2 }, 0);
  bar.end();
  assert.deepEqual(written, []);
});
