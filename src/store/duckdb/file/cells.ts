import type { DuckDBConnection, DuckDBDataChunk, DuckDBHugeIntVector, DuckDBValue } from '@duckdb/node-api';
import duckdb from '@duckdb/node-bindings';
import {
  BOOLEAN_MISSING,
  rowsOfBatch,
  type AnswerBatch,
  type AnswerValues,
  type Cell,
} from '../../../core/index.ts';
import { presence, textsOf } from './texts.ts';

const MAX_INT64 = 9_223_372_036_854_775_807n;
const MIN_INT64 = -9_223_372_036_854_775_808n;
const WORD_BYTES = 8;

/** The columns of a chunk, copied out of DuckDB's memory: the chunk may end afterwards. */
export function batchOfChunk(chunk: DuckDBDataChunk): AnswerBatch {
  const { rowCount: rows, columnCount } = chunk;
  return { rows, columns: Array.from({ length: columnCount }, (_, index) => valuesOf(chunk, index, rows)) };
}

function valuesOf(chunk: DuckDBDataChunk, index: number, rows: number): AnswerValues {
  const vector = duckdb.data_chunk_get_vector(chunk.chunk, index);
  const type = duckdb.get_type_id(duckdb.vector_get_column_type(vector));
  switch (type) {
    case duckdb.Type.VARCHAR:
      return { type: 'string', ...textsOf(vector, rows) };
    case duckdb.Type.DOUBLE: {
      const values = new Float64Array(memoryOf(vector, rows * WORD_BYTES));
      forMissing(vector, rows, (row) => (values[row] = Number.NaN));
      return { type: 'float', values };
    }
    case duckdb.Type.BIGINT: {
      const values = new BigInt64Array(memoryOf(vector, rows * WORD_BYTES));
      return { type: 'integer', values, present: presentOf(vector, rows), beyond: null };
    }
    case duckdb.Type.BOOLEAN: {
      const values = new Uint8Array(memoryOf(vector, rows));
      forMissing(vector, rows, (row) => (values[row] = BOOLEAN_MISSING));
      return { type: 'boolean', values };
    }
    case duckdb.Type.HUGEINT:
      return hugeIntegers(chunk, index, rows);
    case duckdb.Type.INTEGER: {
      const values = Float64Array.from(new Int32Array(memoryOf(vector, rows * 4)));
      forMissing(vector, rows, (row) => (values[row] = Number.NaN));
      return { type: 'float', values };
    }
    default:
      throw new TypeError('the statement returned a type that the store does not use');
  }
}

/** Sums, which need 128 bits on their way. Those beyond 64 become floats. */
function hugeIntegers(chunk: DuckDBDataChunk, index: number, rows: number): AnswerValues {
  const vector = chunk.getColumnVector(index) as DuckDBHugeIntVector;
  const values = new BigInt64Array(rows);
  const present = new Uint8Array(rows);
  const beyond = new Map<number, number>();
  for (let row = 0; row < rows; row++) {
    const value = vector.getItem(row);
    if (value === null) continue;
    if (value > MAX_INT64 || value < MIN_INT64) beyond.set(row, Number(value));
    else {
      values[row] = value;
      present[row] = 1;
    }
  }
  return { type: 'integer', values, present, beyond: beyond.size === 0 ? null : beyond };
}

function memoryOf(vector: duckdb.Vector, bytes: number): ArrayBuffer {
  const copy = new Uint8Array(bytes);
  copy.set(duckdb.vector_get_data(vector, bytes));
  return copy.buffer;
}

function forMissing(vector: duckdb.Vector, rows: number, miss: (row: number) => void): void {
  const isThere = presence(vector, rows);
  if (isThere === null) return;
  for (let row = 0; row < rows; row++) if (!isThere(row)) miss(row);
}

function presentOf(vector: duckdb.Vector, rows: number): Uint8Array | null {
  const isThere = presence(vector, rows);
  return isThere === null ? null : Uint8Array.from({ length: rows }, (_, row) => Number(isThere(row)));
}

/** All rows of a small result. */
export async function readRows(
  connection: DuckDBConnection,
  text: string,
  values: DuckDBValue[] = [],
): Promise<Cell[][]> {
  const result = values.length === 0 ? await connection.run(text) : await connection.run(text, values);
  const chunks = await result.fetchAllChunks();
  return chunks.flatMap((chunk) => rowsOfBatch(batchOfChunk(chunk)));
}
