/**
 * Ids of messages: 32 base62 characters, of which the first three tell the second (they come round
 * after 2.8 days). Messages of one time then stand together in the store's index of ids, which a
 * stream of wholly random ones would make it touch everywhere.
 */
import type { Clock, Random } from "../clock.ts";

const BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const TIME_CHARS = 3;

/** A new id; 29 of its characters, 172 bits, are random. */
export function messageId(clock: Clock, random: Random): string {
  let second = Math.floor(clock.now() / 1_000);
  let time = "";
  for (let index = 0; index < TIME_CHARS; index++) {
    time = BASE62.charAt(second % 62) + time;
    second = Math.floor(second / 62);
  }
  return time + random.id().slice(TIME_CHARS);
}
