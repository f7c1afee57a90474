import type { ColumnBatch, SelectedColumns } from '../core/index.ts';
import { framesOf, type BlockReader, type DecodedBlock } from './blocks.ts';
import { cellEncoder } from './encode.ts';
import { perBatch } from './filter.ts';
import type { Group } from './group.ts';
import { batchSeries } from './join.ts';
import type { Turns } from './turns.ts';

/** The newest matching row of each series in the frames [from, next), as JSON, in order of first sight. */
export interface NewestRows {
  next: number;
  rows: readonly string[];
}

interface NewestSources {
  blocks: BlockReader;
  turns: Turns;
}

/** A row that is the newest of its series so far, and the frames that wrote it. */
interface Winner {
  timeNs: bigint;
  writes: { batch: ColumnBatch; row: number }[];
}

type NewestBySeries = Map<string, { timeNs: bigint; cells: readonly string[] }>;

/** Rows between two looks at the time. */
const ROWS_PER_LOOK = 16;

/**
 * Reads the journal from `from` to `until`, or to the block where `maxSeries` are reached. Frames that write a row of
 * one time several times make one row of it, as in the store: of each field the last value. Throws `cursor_expired`.
 */
export async function newestRows(
  sources: NewestSources,
  group: Pick<Group, 'filter' | 'rows'>,
  selected: SelectedColumns,
  { from, until, maxSeries }: { from: number; until: number; maxSeries: number },
  signal: AbortSignal,
): Promise<NewestRows> {
  const { blocks, turns } = sources;
  const newest: NewestBySeries = new Map();
  let position = from;
  while (position < until && newest.size < maxSeries) {
    const next = await blocks.use(
      position,
      group.filter.measurement,
      async (block) => {
        if (block !== undefined) await addNewest(newest, block, group, selected, position, turns);
        return block?.next;
      },
      signal,
    );
    if (next === undefined) break;
    position = next;
    await turns.next('lone');
  }
  const rows: string[] = [];
  for (const { cells } of newest.values()) {
    rows.push(`[${cells.join(',')}]`);
    if (rows.length % ROWS_PER_LOOK === 0 && turns.over) await turns.next('lone');
  }
  return { next: position, rows };
}

async function addNewest(
  newest: NewestBySeries,
  block: DecodedBlock,
  { filter, rows }: Pick<Group, 'filter' | 'rows'>,
  selected: SelectedColumns,
  from: number,
  turns: Turns,
): Promise<void> {
  // Only the block's winners are encoded.
  const winners = new Map<string, Winner>();
  const prepared = perBatch((batch) => ({
    match: rows.of(batch),
    series: batchSeries(batch),
    encode: cellEncoder(batch, selected),
  }));
  let looked = 0;
  for (const { position, batch, start, end } of framesOf(block, filter.devices)) {
    if (position < from) continue;
    const { match, series } = prepared(batch);
    for (let row = start; row < end; row++) {
      if (++looked % ROWS_PER_LOOK === 0 && turns.over) await turns.next('lone');
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
    if (++looked % ROWS_PER_LOOK === 0 && turns.over) await turns.next('lone');
  }
}

/** A later write of the same row keeps the values of the fields that it lacks. */
function writtenOver(earlier: readonly string[], later: readonly string[]): readonly string[] {
  return later.map((cell, index) => (cell === 'null' ? (earlier[index] ?? cell) : cell));
}
