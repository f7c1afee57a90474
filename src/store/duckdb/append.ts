import {
  BIGINT,
  BOOLEAN,
  DOUBLE,
  DuckDBDataChunk,
  DuckDBTimestampNanosecondsValue,
  TIMESTAMP_NS,
  VARCHAR,
  type DuckDBAppender,
  type DuckDBType,
  type DuckDBValue,
  type DuckDBVector,
} from '@duckdb/node-api';
import {
  BOOLEAN_MISSING,
  type Cell,
  type Column,
  type ColumnBatch,
  type Slice,
  type StoredType,
} from '../../core/index.ts';
import type { Table, TableColumn } from './tables.ts';

/** Rows of a data chunk at most: DuckDB's vector size. */
const CHUNK_ROWS = 2048;

const TYPES: Record<StoredType, DuckDBType> = {
  float: DOUBLE,
  integer: BIGINT,
  boolean: BOOLEAN,
  string: VARCHAR,
};

function chunkOf(table: Table, rows: number): DuckDBDataChunk {
  const types = [TIMESTAMP_NS, VARCHAR, ...table.columns.map((column) => TYPES[column.type])];
  return DuckDBDataChunk.create(types, rows);
}

/** The batch's column that fills a table's column; undefined where it has none of that type. */
export function sourceOf(batch: ColumnBatch, column: TableColumn): Column | undefined {
  return batch.columns.find(({ def }) => def.name === column.name && def.type === column.type);
}

/** Appends the given rows of a batch, column by column, a chunk at a time. */
export async function appendBatchRows(
  appender: DuckDBAppender,
  table: Table,
  batch: ColumnBatch,
  rows: readonly number[],
  slice: Slice,
): Promise<void> {
  const sources = table.columns.map((column) => sourceOf(batch, column));
  for (let start = 0; start < rows.length; start += CHUNK_ROWS) {
    await slice.pause();
    const part = rows.length <= CHUNK_ROWS ? rows : rows.slice(start, start + CHUNK_ROWS);
    const chunk = chunkOf(table, part.length);
    const time = chunk.getColumnVector(0);
    const device = chunk.getColumnVector(1);
    for (let i = 0; i < part.length; i++) {
      const row = part[i] ?? 0;
      time.setItem(i, new DuckDBTimestampNanosecondsValue(batch.timeNs[row] ?? 0n));
      device.setItem(i, batch.device[row] ?? '');
    }
    time.flush();
    device.flush();
    for (const [index, source] of sources.entries()) {
      const vector = chunk.getColumnVector(index + 2);
      fill(vector, source, table.columns[index]?.role === 'tag', part);
      vector.flush();
    }
    appendChunk(appender, chunk);
  }
}

function fill(vector: DuckDBVector, source: Column | undefined, tag: boolean, rows: readonly number[]): void {
  const count = rows.length;
  switch (source?.type) {
    case undefined:
      for (let i = 0; i < count; i++) vector.setItem(i, null);
      return;
    case 'float':
      for (let i = 0; i < count; i++) {
        const value = source.values[rows[i] ?? 0] ?? Number.NaN;
        vector.setItem(i, Number.isNaN(value) ? null : value);
      }
      return;
    case 'integer':
      for (let i = 0; i < count; i++) {
        const row = rows[i] ?? 0;
        vector.setItem(i, source.present[row] === 1 ? (source.values[row] ?? null) : null);
      }
      return;
    case 'boolean':
      for (let i = 0; i < count; i++) {
        const value = source.values[rows[i] ?? 0];
        vector.setItem(i, value === BOOLEAN_MISSING ? null : value === 1);
      }
      return;
    case 'string':
      for (let i = 0; i < count; i++) {
        const value = source.values[rows[i] ?? 0] ?? null;
        vector.setItem(i, tag && value === '' ? null : value);
      }
  }
}

/** One point as cells: `values` in the order of the table's columns. */
export interface Point {
  timeNs: bigint;
  device: string;
  values: Cell[];
}

/** Appends points that are already rows: the few that have to be merged. */
export async function appendPoints(
  appender: DuckDBAppender,
  table: Table,
  points: readonly Point[],
  slice: Slice,
): Promise<void> {
  for (let start = 0; start < points.length; start += CHUNK_ROWS) {
    await slice.pause();
    const part = points.slice(start, start + CHUNK_ROWS);
    const chunk = chunkOf(table, part.length);
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
