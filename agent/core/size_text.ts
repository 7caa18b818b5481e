/**
 * Sizes as people and models read them.
 */

const UNITS = ["KiB", "MiB", "GiB", "TiB"];

/** "1 byte", "512 bytes", "3.4 MiB". */
export function sizeText(bytes: number): string {
  if (bytes < 1_024) return bytes === 1 ? "1 byte" : `${bytes} bytes`;
  let value = bytes / 1_024;
  let unit = 0;
  for (; value >= 1_023.95 && unit < UNITS.length - 1; unit++) value /= 1_024;
  return `${value.toFixed(1)} ${UNITS[unit]}`;
}
