import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ColumnBatch, SelectedColumns } from '../core/index.ts';
import type { BlockReader } from './blocks.ts';
import { cellEncoder } from './encode.ts';
import { matchRows, perBatch, type TailFilter } from './filter.ts';
import { batchSeries } from './join.ts';

/** The newest matching row of each series in the frames [from, next), as JSON, in order of first sight. */
export interface NewestRows {
  next: number;
  rows: readonly string[];
}

/**
 * Reads the journal from `from` to `until`, or to the block where `maxSeries` are reached. Frames that write a row of
 * one time several times make one row of it, as in the store: of each field the last value. Throws `cursor_expired`.
 */
export async function newestRows(
  blocks: BlockReader,
  filter: TailFilter,
  selected: SelectedColumns,
  from: number,
  until: number,
  maxSeries: number,
): Promise<NewestRows> {
  const newest = new Map<string, { timeNs: bigint; cells: readonly string[] }>();
  let position = from;
  while (position < until && newest.size < maxSeries) {
    const block = blocks.read(position, filter.measurement);
    if (block === undefined) break;
    // Only the block's winners are encoded.
    const winners = new Map<string, { timeNs: bigint; writes: { batch: ColumnBatch; row: number }[] }>();
    const prepared = perBatch((batch) => ({
      match: matchRows(filter, batch),
      series: batchSeries(batch),
      encode: cellEncoder(batch, selected),
    }));
    for (const frame of block.frames) {
      if (frame.position < position) continue;
      const { batch } = frame;
      const { match, series } = prepared(batch);
      for (let row = frame.start; row < frame.end; row++) {
        if (!match(row)) continue;
        const key = series(row);
        const timeNs = batch.timeNs[row] ?? 0n;
        const winner = winners.get(key);
        const known = winner ?? newest.get(key);
        if (known !== undefined && timeNs < known.timeNs) continue;
        if (timeNs === winner?.timeNs) winner.writes.push({ batch, row });
        else winners.set(key, { timeNs, writes: [{ batch, row }] });
      }
    }
    for (const [key, { timeNs, writes }] of winners) {
      const known = newest.get(key);
      let cells = known?.timeNs === timeNs ? known.cells : [];
      for (const { batch, row } of writes) cells = writtenOver(cells, prepared(batch).encode(row));
      newest.set(key, { timeNs, cells });
    }
    position = block.next;
    await nextTurn();
  }
  return { next: position, rows: [...newest.values()].map(({ cells }) => `[${cells.join(',')}]`) };
}

/** A later write of the same row keeps the values of the fields that it lacks. */
function writtenOver(earlier: readonly string[], later: readonly string[]): readonly string[] {
  return later.map((cell, index) => (cell === 'null' ? (earlier[index] ?? cell) : cell));
}
