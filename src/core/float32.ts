/**
 * The double that prints as the shortest decimal of the same float32: 21.3 for the float32 nearest to 21.3, whose
 * own double prints as 21.299999237060547. NaN and infinities pass unchanged.
 */
export function shortestFloat32(value: number): number {
  const float = Math.fround(value);
  if (!Number.isFinite(float) || Number.isInteger(float)) return float;
  // Nine significant digits tell any two float32 apart; most need far fewer, so the search starts below.
  for (let digits = 6; digits < 9; digits++) {
    const shorter = Number(float.toPrecision(digits));
    if (Math.fround(shorter) === float) return shorter;
  }
  return Number(float.toPrecision(9));
}
