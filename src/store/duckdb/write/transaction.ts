import type { DuckDBConnection } from '@duckdb/node-api';
import { Slice, type ColumnBatch } from '../../../core/index.ts';
import type { RefusedPoint, StorePosition } from '../../store.ts';
import { appendBatchRows, appending, appendPoints } from './append.ts';
import type { ChunkFiller } from './chunk-filler.ts';
import { LatePoints, mergePoints } from './late.ts';
import { mergeSeen, SeenDevices } from './seen.ts';
import type { RowRuns } from './row-runs.ts';
import { sortRows } from './sort-rows.ts';
import { withRefused, writePosition } from './position.ts';
import { CATALOG, POINTS } from '../file/sql.ts';
import type { Table, Tables } from '../file/tables.ts';

/**
 * Writes batches and the position in one transaction. A row newer than its series' newest cannot collide
 * with a stored one and is appended; the others are merged. Throws whatever DuckDB threw, after a rollback.
 */
export async function writeTransaction(
  connection: DuckDBConnection,
  tables: Tables,
  filler: ChunkFiller,
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
      await writeTable(connection, filler, table, ofTable, seen, refused, slice);
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
  filler: ChunkFiller,
  table: Table,
  batches: readonly ColumnBatch[],
  seen: SeenDevices,
  refused: RefusedPoint[],
  slice: Slice,
): Promise<void> {
  const late = new LatePoints();
  const sorted: { batch: ColumnBatch; fresh: RowRuns }[] = [];
  for (const batch of batches) {
    sorted.push({ batch, fresh: await sortRows(table, batch, { late, seen, refused }, slice) });
  }
  // Looked up before the rows are appended, none of which can be meant.
  const { alone, meeting } = await late.split(connection, table, slice);
  const appender = await connection.createAppender(table.tableName, POINTS, CATALOG);
  await appending(appender, async () => {
    for (const { batch, fresh } of sorted)
      await appendBatchRows(appender, filler, table, batch, fresh, slice);
    await appendPoints(appender, table, alone, slice);
  });
  if (meeting.length > 0) await mergePoints(connection, table, meeting, slice);
}
