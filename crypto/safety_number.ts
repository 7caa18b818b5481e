/** The safety number that two people compare to know that they hold each other's true keys. */
import { concatBytes, fromHex } from "./bytes.ts";
import { sha256 } from "./kdf.ts";
import { isPublicKey } from "./sign.ts";

const GROUPS = 6;
const GROUP_BITS = 20n;

/**
 * Six groups of five digits from two **member** public keys (64 hex), the same whichever comes
 * first (protocol.md 4.9): SHA-256 of the lesser key and the greater, 120 bits of it, 20 for each
 * group. Throws TypeError on a malformed key.
 */
export function safetyNumber(onePublicKey: string, otherPublicKey: string): string {
  if (!isPublicKey(onePublicKey) || !isPublicKey(otherPublicKey)) {
    throw new TypeError("a safety number needs two public keys");
  }
  // Lower-case hex sorts as its bytes do.
  const [lesser = "", greater = ""] = [onePublicKey, otherPublicKey].sort();
  const hash = sha256(concatBytes(fromHex(lesser), fromHex(greater)));
  let bits = 0n;
  for (const byte of hash.subarray(0, 15)) bits = (bits << 8n) | BigInt(byte);
  const groups: string[] = [];
  for (let group = GROUPS - 1; group >= 0; group--) {
    const value = (bits >> (BigInt(group) * GROUP_BITS)) & ((1n << GROUP_BITS) - 1n);
    groups.push(String(value % 100_000n).padStart(5, "0"));
  }
  return groups.join(" ");
}
