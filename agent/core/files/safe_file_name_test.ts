/** Tests of the names under which files of peers come to this disk. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { isDeviceName, numberedName, safeFileName } from "./safe_file_name.ts";

Deno.test("a plain name stays as it is", () => {
  for (
    const name of ["report.pdf", "grüße 2.txt", "a..b", "Makefile", "日本語.md", "console.log"]
  ) {
    assert.equal(safeFileName(name), name);
  }
});

Deno.test("no part of a path is left", () => {
  const names = { "../../etc/passwd": "passwd", "C:\\Windows\\x.dll": "x.dll", "/": "file" };
  for (const [name, safe] of Object.entries(names)) assert.equal(safeFileName(name), safe);
});

Deno.test("a peer's file is never hidden, a device, or called nothing", () => {
  const names = {
    ".bashrc": "_.bashrc",
    "..": "file",
    ".": "file",
    "": "file",
    "NUL": "_NUL",
    "nul.txt": "_nul.txt",
    "COM1": "_COM1",
    "aux .c": "_aux .c",
    "name. . ": "name",
    "\u200b.env": "_.env",
    "a\u202egnp.exe": "agnp.exe",
    "two\nlines": "twolines",
    "q?.txt": "q_.txt",
  };
  for (const [name, safe] of Object.entries(names)) assert.equal(safeFileName(name), safe, name);
});

Deno.test("a long name keeps its extension and stays within what file systems take", () => {
  const safe = safeFileName("ü".repeat(300) + ".tar.gz");
  assert.ok(new TextEncoder().encode(safe).length <= 200);
  assert.match(safe, /^ü+.*\.gz$/);
});

Deno.test("whatever a peer sends becomes one visible segment, the same the second time", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 300 }), (name) => {
    const safe = safeFileName(name);
    assert.match(safe, /^[^./\\][^/\\]*$/);
    // deno-lint-ignore no-control-regex -- control characters are what must not be left
    assert.doesNotMatch(safe, /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/);
    assert.ok(!isDeviceName(safe) && safe.length > 0);
    assert.equal(safeFileName(safe), safe);
  }));
});

Deno.test("a number stands before the extension", () => {
  assert.equal(numberedName("report.pdf", 2), "report (2).pdf");
  assert.equal(numberedName("Makefile", 3), "Makefile (3)");
});
