/** Times of rows as 64-bit halves, low word first: what ColumnBatch.timeWords holds. */

/** Negative where row `a` is before row `b`, 0 at the same time. */
function compareTimes(times: Int32Array, a: number, b: number): number {
  const high = (times[a * 2 + 1] ?? 0) - (times[b * 2 + 1] ?? 0);
  return high !== 0 ? high : ((times[a * 2] ?? 0) >>> 0) - ((times[b * 2] ?? 0) >>> 0);
}

/**
 * Brings the rows `order[start..end)` into the order of their times; of rows at the same time the one written later
 * (with the larger number) stays behind. Returns whether all times are distinct.
 */
export function sortByTime(order: Int32Array, start: number, end: number, times: Int32Array): boolean {
  let distinct = true;
  for (let i = start + 1; i < end; i++) {
    const step = compareTimes(times, order[i - 1] ?? 0, order[i] ?? 0);
    if (step < 0) continue;
    distinct = false;
    if (step === 0) continue;
    order.subarray(start, end).sort((a, b) => compareTimes(times, a, b) || a - b);
    return distinctTimes(order, start, end, times);
  }
  return distinct;
}

function distinctTimes(order: Int32Array, start: number, end: number, times: Int32Array): boolean {
  for (let i = start + 1; i < end; i++) {
    if (compareTimes(times, order[i - 1] ?? 0, order[i] ?? 0) === 0) return false;
  }
  return true;
}

/** The place behind those sorted rows that have the same time as the one at `place`. */
export function sameTimeEnd(order: Int32Array, place: number, end: number, times: Int32Array): number {
  let behind = place + 1;
  while (behind < end && compareTimes(times, order[place] ?? 0, order[behind] ?? 0) === 0) behind++;
  return behind;
}
