import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ColumnBatch, SelectedColumns } from '../core/index.ts';
import type { BlockReader } from './blocks.ts';
import { rowEncoder } from './encode.ts';
import { matchRows, perBatch, type TailFilter } from './filter.ts';
import { batchSeries } from './join.ts';

/** The newest matching row of each series in the frames [from, next), as JSON, in order of first sight. */
export interface NewestRows {
  next: number;
  rows: readonly string[];
}

/**
 * Reads the journal from `from` to `until`, or to the block where `maxSeries` are reached. Of two rows with the
 * same time the later frame's is the newer. Throws `cursor_expired`.
 */
export async function newestRows(
  blocks: BlockReader,
  filter: TailFilter,
  selected: SelectedColumns,
  from: number,
  until: number,
  maxSeries: number,
): Promise<NewestRows> {
  const newest = new Map<string, { timeNs: bigint; json: string }>();
  let position = from;
  while (position < until && newest.size < maxSeries) {
    const block = blocks.read(position, filter.measurement);
    if (block === undefined) break;
    // Only the block's winners are encoded.
    const winners = new Map<string, { timeNs: bigint; batch: ColumnBatch; row: number }>();
    const prepared = perBatch((batch) => ({
      match: matchRows(filter, batch),
      series: batchSeries(batch),
      encode: rowEncoder(batch, selected),
    }));
    for (const frame of block.frames) {
      if (frame.position < position) continue;
      const { batch } = frame;
      const { match, series } = prepared(batch);
      for (let row = frame.start; row < frame.end; row++) {
        if (!match(row)) continue;
        const key = series(row);
        const timeNs = batch.timeNs[row] ?? 0n;
        const known = winners.get(key) ?? newest.get(key);
        if (known === undefined || timeNs >= known.timeNs) winners.set(key, { timeNs, batch, row });
      }
    }
    for (const [key, { timeNs, batch, row }] of winners) {
      newest.set(key, { timeNs, json: prepared(batch).encode(row) });
    }
    position = block.next;
    await nextTurn();
  }
  return { next: position, rows: [...newest.values()].map(({ json }) => json) };
}
