import type { ColumnBatch } from '../core/index.ts';
import type { RowTimes } from '../journal/index.ts';

const WORD = 2 ** 32;
const NS_PER_MS = 1e6;

/** The milliseconds that the times of all rows lie in; [Infinity, -Infinity) without rows. */
export function rowTimes(batches: readonly Pick<ColumnBatch, 'rows' | 'timeWords'>[]): RowTimes {
  let earliestNs = Infinity;
  let latestNs = -Infinity;
  for (const { rows, timeWords } of batches) {
    for (let row = 0; row < rows; row++) {
      // A double is up to 512 ns off at these sizes, and much faster than a bigint.
      const timeNs = (timeWords[row * 2 + 1] ?? 0) * WORD + ((timeWords[row * 2] ?? 0) >>> 0);
      if (timeNs < earliestNs) earliestNs = timeNs;
      if (timeNs > latestNs) latestNs = timeNs;
    }
  }
  return { fromMs: Math.floor(earliestNs / NS_PER_MS) - 1, toMs: Math.floor(latestNs / NS_PER_MS) + 2 };
}
