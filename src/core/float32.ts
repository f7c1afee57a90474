/** Integers up to here are all float32 values, so that their own digits are the shortest. */
const EXACT_INTEGER = 2 ** 24;
const SMALLEST_NORMAL = 2 ** -126;

/**
 * The double that prints as the shortest decimal of the same float32: 21.3 for the float32 nearest to 21.3, whose
 * own double prints as 21.299999237060547. NaN and infinities pass unchanged.
 */
export function shortestFloat32(value: number): number {
  const float = Math.fround(value);
  if (!Number.isFinite(float) || (Number.isInteger(float) && Math.abs(float) <= EXACT_INTEGER)) return float;
  // Every normal float32 keeps six digits and needs at most nine; subnormal ones may need a single digit.
  for (let digits = Math.abs(float) < SMALLEST_NORMAL ? 1 : 6; digits < 9; digits++) {
    const shorter = Number(float.toPrecision(digits));
    if (Math.fround(shorter) === float) return shorter;
  }
  return Number(float.toPrecision(9));
}
