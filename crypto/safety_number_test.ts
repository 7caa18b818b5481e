/** Tests of the safety number; its value is pinned by the wire vectors. */
import assert from "node:assert/strict";
import { generateKeyPair } from "./sign.ts";
import { safetyNumber } from "./safety_number.ts";

Deno.test("both sides see the same six groups of five digits, and other pairs see others", () => {
  const [alice, bob, eve] = [generateKeyPair(), generateKeyPair(), generateKeyPair()];
  const number = safetyNumber(alice.publicKey, bob.publicKey);
  assert.match(number, /^[0-9]{5}( [0-9]{5}){5}$/);
  assert.equal(safetyNumber(bob.publicKey, alice.publicKey), number);
  assert.notEqual(safetyNumber(alice.publicKey, eve.publicKey), number);
});

Deno.test("what is no public key has no safety number", () => {
  const { publicKey } = generateKeyPair();
  assert.throws(() => safetyNumber(publicKey, publicKey.toUpperCase()), TypeError);
  assert.throws(() => safetyNumber("", publicKey), TypeError);
});
