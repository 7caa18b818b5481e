/** Tests of grants. */
import assert from "node:assert/strict";
import { CAPABILITIES, type Capability, DEFAULT_CAPABILITIES } from "../api/fields.ts";
import { isGranted, neededCapability } from "./grants.ts";

function granted(entry: readonly Capability[] | null): Capability[] {
  const grants = new Map([["other", [] as readonly Capability[]]]);
  if (entry !== null) grants.set("key", entry);
  return CAPABILITIES.filter((capability) => isGranted({ grants }, { pubkey: "key" }, capability));
}

Deno.test("a sender has what it was granted, without an entry the defaults, with [] nothing", () => {
  assert.deepEqual(granted(["dm", "file-read"]), ["dm", "file-read"]);
  assert.deepEqual(granted(null), DEFAULT_CAPABILITIES);
  assert.deepEqual(granted([]), []);
});

Deno.test("a member that never granted anything grants the defaults", () => {
  const recipient = { grants: new Map() };
  assert.equal(isGranted(recipient, { pubkey: "key" }, "dm"), true);
  assert.equal(isGranted(recipient, { pubkey: "key" }, "file-read"), false);
});

Deno.test("what goes to many needs broadcast, all else dm", () => {
  assert.deepEqual(["*", "@all", "@ops/db", "Ben", "a@b"].map(neededCapability), [
    "broadcast",
    "broadcast",
    "broadcast",
    "dm",
    "dm",
  ]);
});
