import {
  DuckDBVarCharVector,
  type DuckDBConnection,
  type DuckDBDataChunk,
  type DuckDBValue,
} from '@duckdb/node-api';
import duckdb from '@duckdb/node-bindings';
import type { Cell } from '../../../core/index.ts';
import { textsOf } from './texts.ts';

const MAX_INT64 = 9_223_372_036_854_775_807n;
const MIN_INT64 = -9_223_372_036_854_775_808n;

/** A value out of a result, other than a text. A sum beyond 64 bits becomes a float. */
function toCell(value: DuckDBValue): Cell {
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return value;
  if (typeof value === 'bigint') return value > MAX_INT64 || value < MIN_INT64 ? Number(value) : value;
  throw new TypeError('the statement returned a type that the store does not use');
}

/** The rows of a chunk. */
export function rowsOf(chunk: DuckDBDataChunk): Cell[][] {
  const { rowCount, columnCount } = chunk;
  const rows: Cell[][] = Array.from({ length: rowCount }, () => []);
  for (let c = 0; c < columnCount; c++) {
    const vector = chunk.getColumnVector(c);
    if (vector instanceof DuckDBVarCharVector) {
      const texts = textsOf(duckdb.data_chunk_get_vector(chunk.chunk, c), rowCount);
      for (let r = 0; r < rowCount; r++) rows[r]?.push(texts[r] ?? null);
      continue;
    }
    for (let r = 0; r < rowCount; r++) rows[r]?.push(toCell(vector.getItem(r)));
  }
  return rows;
}

/** All rows of a small result. */
export async function readRows(
  connection: DuckDBConnection,
  text: string,
  values: DuckDBValue[] = [],
): Promise<Cell[][]> {
  const result = values.length === 0 ? await connection.run(text) : await connection.run(text, values);
  const chunks = await result.fetchAllChunks();
  return chunks.flatMap(rowsOf);
}
