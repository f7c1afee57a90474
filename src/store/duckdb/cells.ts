import type { DuckDBConnection, DuckDBDataChunk, DuckDBValue } from '@duckdb/node-api';
import type { Cell } from '../../core/index.ts';

const MAX_INT64 = 9_223_372_036_854_775_807n;
const MIN_INT64 = -9_223_372_036_854_775_808n;

/** A value out of a result. A sum beyond 64 bits becomes a float. */
function toCell(value: DuckDBValue): Cell {
  if (
    value === null ||
    typeof value === 'number' ||
    typeof value === 'string' ||
    typeof value === 'boolean'
  ) {
    return value;
  }
  if (typeof value === 'bigint') return value > MAX_INT64 || value < MIN_INT64 ? Number(value) : value;
  throw new TypeError('the statement returned a type that the store does not use');
}

/** The rows of a chunk. */
export function rowsOf(chunk: DuckDBDataChunk): Cell[][] {
  const { rowCount, columnCount } = chunk;
  const rows: Cell[][] = Array.from({ length: rowCount }, () => []);
  for (let c = 0; c < columnCount; c++) {
    const vector = chunk.getColumnVector(c);
    for (let r = 0; r < rowCount; r++) {
      rows[r]?.push(toCell(vector.getItem(r)));
    }
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
