/**
 * Directions without their lengths.
 */

/**
 * Returns `vector` at length 1.
 * @param vector of finite numbers, not all zeros.
 */
export function unitVector(vector: Float32Array): Float32Array {
  // A large vector's squares may be beyond a double: scaled to its largest number first.
  let largest = 0;
  for (const value of vector) largest = Math.max(largest, Math.abs(value));
  let sum = 0;
  for (const value of vector) sum += (value / largest) ** 2;
  const length = Math.sqrt(sum);
  return vector.map((value) => value / largest / length);
}
