import type { DuckDBConnection } from '@duckdb/node-api';
import { Slice, type ColumnBatch } from '../../core/index.ts';
import type { RefusedPoint, StorePosition } from '../store.ts';
import { appendBatchRows, sourceOf } from './append.ts';
import { LatePoints, sourcesOf } from './late.ts';
import { mergeSeen, SeenDevices } from './seen.ts';
import { seriesKey, type Series } from './series.ts';
import { withRefused, writePosition } from './position.ts';
import { CATALOG, POINTS, storableTime } from './sql.ts';
import type { Table, Tables } from './tables.ts';

/** Rows between two looks at the clock. */
const ROWS_BETWEEN_LOOKS = 256;

/**
 * Writes batches and the position in one transaction. A row newer than its series' newest cannot collide
 * with a stored one and is appended; the others are merged. Throws whatever DuckDB threw, after a rollback.
 */
export async function writeTransaction(
  connection: DuckDBConnection,
  tables: Tables,
  batches: readonly ColumnBatch[],
  position: StorePosition,
): Promise<RefusedPoint[]> {
  const refused: RefusedPoint[] = [];
  const byTable = new Map<Table, ColumnBatch[]>();
  for (const batch of batches) {
    if (batch.rows === 0) continue;
    const table = await tables.ensure(connection, batch.mapping);
    const same = byTable.get(table);
    if (same === undefined) byTable.set(table, [batch]);
    else same.push(batch);
  }

  await connection.run('BEGIN TRANSACTION');
  try {
    const seen = new SeenDevices();
    const slice = new Slice();
    for (const [table, ofTable] of byTable)
      await writeTable(connection, table, ofTable, seen, refused, slice);
    await mergeSeen(connection, seen, slice);
    await writePosition(connection, withRefused(position, refused));
    await connection.run('COMMIT');
  } catch (error) {
    for (const table of byTable.keys()) table.series.rollback();
    await connection.run('ROLLBACK').catch(() => undefined);
    throw error;
  }
  for (const table of byTable.keys()) table.series.commit();
  return refused;
}

async function writeTable(
  connection: DuckDBConnection,
  table: Table,
  batches: readonly ColumnBatch[],
  seen: SeenDevices,
  refused: RefusedPoint[],
  slice: Slice,
): Promise<void> {
  const late = new LatePoints();
  const appender = await connection.createAppender(table.tableName, POINTS, CATALOG);
  try {
    for (const batch of batches) {
      const fresh = await sortRows(table, batch, late, seen, refused, slice);
      await appendBatchRows(appender, table, batch, fresh, slice);
    }
  } finally {
    // closing flushes: the merge and the commit must see every row
    appender.closeSync();
  }
  if (late.size > 0) await late.merge(connection, table, slice);
}

/** The rows that can be appended; the others go to `late` or `refused`. */
async function sortRows(
  table: Table,
  batch: ColumnBatch,
  late: LatePoints,
  seen: SeenDevices,
  refused: RefusedPoint[],
  slice: Slice,
): Promise<number[]> {
  const fresh: number[] = [];
  const conflicts = batch.columns.flatMap(({ def }, index) => {
    const stored = table.byName.get(def.name);
    if (stored === undefined || (stored.type === def.type && stored.role === def.role)) return [];
    return [{ index, message: `${def.name} is stored as ${stored.role} of type ${stored.type}` }];
  });
  const sources = sourcesOf(table, batch);
  const tagSources = table.tags.map((tag) => sourceOf(batch, tag));
  const tags: (string | null)[] = tagSources.map(() => null);
  let device: string | null = null;
  let key = '';
  let series: Series | null = null;

  for (let row = 0; row < batch.rows; row++) {
    if (row % ROWS_BETWEEN_LOOKS === 0) await slice.pause();
    const timeNs = batch.timeNs[row] ?? 0n;
    const conflict = conflicts.find(({ index }) => batch.cell(index, row) !== null);
    if (conflict !== undefined || !storableTime(timeNs)) {
      refused.push({ batch, row, message: conflict?.message ?? 'the time is at the end of the range' });
      continue;
    }
    // readings of one frame follow one another and mostly share their series
    let same = device === batch.device[row];
    for (const [index, source] of tagSources.entries()) {
      const value = source?.type === 'string' ? source.values[row] || null : null;
      if (tags[index] !== value) {
        tags[index] = value;
        same = false;
      }
    }
    if (!same) {
      device = batch.device[row] ?? '';
      key = seriesKey(device, tags);
      series = table.series.entry(key);
    }
    seen.add(device ?? '', table.measurement, timeNs);
    if (series !== null && timeNs > series.draftNs) {
      table.series.advance(series, timeNs);
      fresh.push(row);
    } else {
      late.add(sources, key, batch, row);
    }
  }
  return fresh;
}
