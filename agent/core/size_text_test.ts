/** Tests of sizes in words. */
import assert from "node:assert/strict";
import { sizeText } from "./size_text.ts";

Deno.test("sizes are told in the largest unit that leaves something before the point", () => {
  const sizes: [number, string][] = [
    [0, "0 bytes"],
    [1, "1 byte"],
    [1_023, "1023 bytes"],
    [1_024, "1.0 KiB"],
    [1_048_575, "1.0 MiB"],
    [3_565_158, "3.4 MiB"],
    [5_368_709_120, "5.0 GiB"],
    [2 ** 50, "1024.0 TiB"],
  ];
  for (const [bytes, text] of sizes) assert.equal(sizeText(bytes), text);
});
