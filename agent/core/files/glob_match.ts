/**
 * Wildcards in names: `*` for any characters, `?` for one. Matched without regular expressions, so that no pattern of a
 * peer takes longer than the product of both lengths.
 */

/** Returns whether the whole `name` matches `pattern`; case does not matter. */
export function globMatches(pattern: string, name: string): boolean {
  const wanted = [...pattern.toLowerCase()];
  const given = [...name.toLowerCase()];
  let at = 0;
  let star = -1;
  let resume = 0;
  for (let index = 0; index < given.length;) {
    if (wanted[at] === "*") {
      star = at++;
      resume = index;
    } else if (wanted[at] === "?" || wanted[at] === given[index]) {
      at++;
      index++;
    } else if (star >= 0) {
      // The last star takes one character more.
      at = star + 1;
      index = ++resume;
    } else {
      return false;
    }
  }
  while (wanted[at] === "*") at++;
  return at === wanted.length;
}
