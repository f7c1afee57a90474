import {
  DuckDBDataChunk,
  DuckDBTimestampNanosecondsValue,
  TIMESTAMP_NS,
  VARCHAR,
  type DuckDBAppender,
  type DuckDBType,
  type DuckDBValue,
} from '@duckdb/node-api';
import type { Cell, Column, ColumnBatch, Slice } from '../../../core/index.ts';
import { CHUNK_ROWS, COLUMN_TYPES, type ChunkFiller } from './chunk-filler.ts';
import { Pieces, type RowRuns } from './row-runs.ts';
import type { Table, TableColumn } from '../file/tables.ts';

/**
 * Chunks handed over before the table takes them, which halves the cost of a row; it holds the event loop for some
 * two milliseconds.
 */
const CHUNKS_PER_FLUSH = 8;

/** The batch's column that fills a table's column; undefined where it has none of that type. */
export function sourceOf(batch: ColumnBatch, column: TableColumn): Column | undefined {
  return batch.columns.find(({ def }) => def.name === column.name && def.type === column.type);
}

/**
 * Lets `fill` append and closes the appender, which flushes: what comes next must see every row. Throws the first failure.
 * What an appender still holds then has to be thrown away: the collector would flush it into whatever transaction runs
 * by that time, which ends that one, or has the rows twice.
 */
export async function appending(appender: DuckDBAppender, fill: () => Promise<void>): Promise<void> {
  try {
    await fill();
    appender.closeSync();
  } catch (error) {
    appender.clear();
    throw error;
  }
}

/** Appends the given rows of a batch, column by column, a chunk at a time. */
export async function appendBatchRows(
  appender: DuckDBAppender,
  filler: ChunkFiller,
  table: Table,
  batch: ColumnBatch,
  runs: RowRuns,
  slice: Slice,
): Promise<void> {
  const sources = table.columns.map((column) => ({
    type: column.type,
    tag: column.role === 'tag',
    column: sourceOf(batch, column),
  }));
  const pieces = new Pieces(Math.min(CHUNK_ROWS, runs.rows));
  for (let chunks = 1; pieces.next(runs); chunks++) {
    appender.appendDataChunk(filler.fill(batch, sources, pieces));
    if (chunks % CHUNKS_PER_FLUSH === 0) appender.flushSync();
    await slice.pause();
  }
}

/** One point as cells: `values` in the order of the table's columns. */
export interface TablePoint {
  timeNs: bigint;
  device: string;
  values: Cell[];
}

/** Appends points that are already rows: the few that have to be merged. */
export async function appendPoints(
  appender: DuckDBAppender,
  table: Table,
  points: readonly TablePoint[],
  slice: Slice,
): Promise<void> {
  for (let start = 0; start < points.length; start += CHUNK_ROWS) {
    await slice.pause();
    const part = points.slice(start, start + CHUNK_ROWS);
    const types = [TIMESTAMP_NS, VARCHAR, ...table.columns.map(({ type }) => COLUMN_TYPES[type])];
    const chunk = DuckDBDataChunk.create(types, part.length);
    chunk.setRows(
      part.map((point) => [new DuckDBTimestampNanosecondsValue(point.timeNs), point.device, ...point.values]),
    );
    appendChunk(appender, chunk);
  }
}

/** Appends plain values of the given types. */
export async function appendRows(
  appender: DuckDBAppender,
  types: readonly DuckDBType[],
  rows: readonly DuckDBValue[][],
  slice: Slice,
): Promise<void> {
  for (let start = 0; start < rows.length; start += CHUNK_ROWS) {
    await slice.pause();
    const part = rows.slice(start, start + CHUNK_ROWS);
    const chunk = DuckDBDataChunk.create(types, part.length);
    chunk.setRows(part);
    appendChunk(appender, chunk);
  }
}

/** Hands a chunk over at once: the appender would do it for many together, and hold the event loop for as long. */
function appendChunk(appender: DuckDBAppender, chunk: DuckDBDataChunk): void {
  appender.appendDataChunk(chunk);
  appender.flushSync();
}
