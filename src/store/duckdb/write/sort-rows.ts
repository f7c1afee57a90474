import { AlikeRows, type ColumnBatch, type Slice } from '../../../core/index.ts';
import type { RefusedPoint } from '../../store.ts';
import { sourceOf } from './append.ts';
import { SeriesOfBatch } from './batch-series.ts';
import { sourcesOf, type LatePoints, type Meets } from './late.ts';
import { RowRuns } from './row-runs.ts';
import type { SeenDevices } from './seen.ts';
import { mayMeet } from '../file/series.ts';
import { storableTime } from '../file/sql.ts';
import type { Table } from '../file/tables.ts';

/** Rows between two looks at the clock. */
const ROWS_BETWEEN_LOOKS = 1024;
/** The high word of the largest times, the last of which has no form in a column. */
const LAST_HIGH = 0x7fff_ffff;
const LAST_LOW = 0xffff_ffff;

/** Where the rows go that cannot simply be appended, and what is noted of all that are taken. */
export interface Sorted {
  late: LatePoints;
  seen: SeenDevices;
  refused: RefusedPoint[];
}

/**
 * The rows that are newer than all of their series, which can be appended; the others go to `late` or `refused`.
 * Readings of one frame follow one another and mostly share their series, so the work is done by such runs; times
 * are compared in halves, as a bigint costs an object.
 */
export async function sortRows(
  table: Table,
  batch: ColumnBatch,
  { late, seen, refused }: Sorted,
  slice: Slice,
): Promise<RowRuns> {
  const fresh = new RowRuns();
  const conflictOf = conflictsWith(table, batch);
  const sources = sourcesOf(table, batch);
  const tags = table.tags.map((tag) => {
    const source = sourceOf(batch, tag);
    return source?.type === 'string' ? source.values : [];
  });
  const { timeNs, timeWords } = batch;
  const alike = new AlikeRows([batch.device, ...tags], batch.rows);
  const seriesOf = new SeriesOfBatch(table, batch, tags);

  let looked = 0;
  for (let from = 0, to = 0; from < batch.rows; from = to) {
    if (from - looked >= ROWS_BETWEEN_LOOKS) {
      looked = from;
      await slice.pause();
    }
    to = alike.endOf(from);
    const of = seriesOf.of(from);
    const { device, key, series } = of;
    let { high, low } = of;
    const run = series === null ? null : { batch, from, to: from, high, low, previous: of.run };
    let freshFrom = from;
    let newest = -1;
    for (let row = from; row < to; row++) {
      const rowLow = (timeWords[row * 2] as number) >>> 0;
      const rowHigh = timeWords[row * 2 + 1] as number;
      const message = conflictOf === null ? null : conflictOf(row);
      if (
        message === null &&
        (rowHigh > high || (rowHigh === high && rowLow > low)) &&
        (rowHigh !== LAST_HIGH || rowLow !== LAST_LOW)
      ) {
        high = rowHigh;
        low = rowLow;
        if (of.oldest < 0) of.oldest = row;
        newest = row;
        continue;
      }
      fresh.add(freshFrom, row);
      freshFrom = row + 1;
      const atNs = timeNs[row] ?? 0n;
      if (message !== null || !storableTime(atNs)) {
        refused.push({ batch, row, message: message ?? 'the time is at the end of the range' });
        continue;
      }
      seen.add(device, table.measurement, atNs);
      let meets: Meets = 'stored';
      if (run !== null && series !== null && atNs > series.newestNs) {
        run.to = row;
        meets = mayMeet(run, rowHigh, rowLow) ? 'appended' : 'none';
      }
      late.add(sources, key, batch, row, meets);
    }
    fresh.add(freshFrom, to);
    if (newest < 0 || run === null) continue;
    run.to = to;
    of.high = high;
    of.low = low;
    of.newest = newest;
    of.run = run;
  }

  for (const { device, series, oldest, newest, run } of seriesOf.all()) {
    if (newest < 0 || series === null || run === null) continue;
    const newestNs = timeNs[newest] ?? 0n;
    seen.add(device, table.measurement, timeNs[oldest] ?? 0n);
    seen.add(device, table.measurement, newestNs);
    table.series.advance(series, newestNs, run);
  }
  return fresh;
}

/** Says of a row why it cannot be stored beside what the table has; null where no row of the batch can clash. */
function conflictsWith(table: Table, batch: ColumnBatch): ((row: number) => string | null) | null {
  const conflicts = batch.columns.flatMap(({ def }, index) => {
    const stored = table.byName.get(def.name);
    if (stored === undefined || (stored.type === def.type && stored.role === def.role)) return [];
    return [{ index, message: `${def.name} is stored as ${stored.role} of type ${stored.type}` }];
  });
  if (conflicts.length === 0) return null;
  return (row) => conflicts.find(({ index }) => batch.cell(index, row) !== null)?.message ?? null;
}
