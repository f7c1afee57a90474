/**
 * An axis that spans less than this part of its values cannot be divided: its lines would be nearer to each other than
 * two doubles are, and whoever counts from one to the next would not get on.
 */
const LEAST_SPAN = 1e-12;
/** Room above and below the values, as a part of their span. */
const ROOM = 0.08;
/** Values that are all one number get this part of it as their span. */
const SPAN_OF_ONE = 0.1;

/** The range of an axis for values from `low` to `high`; null where there are none. */
export function padded(low: number | null, high: number | null): [number, number] {
  if (low === null || high === null) return [0, 1];
  const magnitude = Math.max(Math.abs(low), Math.abs(high));
  const wanted = Math.max(high - low || magnitude * SPAN_OF_ONE || 1, magnitude * LEAST_SPAN);
  const span = Math.min(wanted, Number.MAX_VALUE / 4);
  const middle = low / 2 + high / 2;
  const half = span * (0.5 + ROOM);
  return [middle - half, middle + half];
}
