/**
 * The one way tests wait for what no event tells: a condition is asked again until it holds or its
 * time is over.
 */

const PAUSE_MS = 20;

/**
 * Asks `probe` until it returns something other than null, undefined or false, and returns that.
 * @param what names the condition in the failure.
 * @param limitMs milliseconds; a probe under way is not cut short.
 * @param explain is asked for more to say when the time is over.
 * @throws {Error} when the time is over, and whatever `probe` throws.
 */
export async function until<T>(
  what: string,
  limitMs: number,
  probe: () => T | Promise<T>,
  explain: () => string | Promise<string> = () => "",
): Promise<NonNullable<Exclude<T, false>>> {
  const deadlineMs = performance.now() + limitMs;
  for (;;) {
    const value = await probe();
    if (value !== null && value !== undefined && value !== false) {
      return value as NonNullable<Exclude<T, false>>;
    }
    if (performance.now() > deadlineMs) {
      throw new Error(`not within ${limitMs} ms: ${what} ${await explain()}`.trimEnd());
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}
