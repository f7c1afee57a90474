import duckdb from '@duckdb/node-bindings';
import { CELL_WORDS } from './string-cells.ts';

const WORD_BYTES = 4;
const CELL_BYTES = CELL_WORDS * WORD_BYTES;
/** Longer texts lie elsewhere: their cell ends with an address. */
const SHORT_BYTES = 12;
const ADDRESS_AT = 8;

/**
 * The texts of a string vector, null where there is none. The package's own reader takes a U+FEFF at the beginning of
 * a text for a byte order mark and drops it. The chunk that the vector is of must be alive.
 */
export function textsOf(vector: duckdb.Vector, rows: number): (string | null)[] {
  const memory = duckdb.vector_get_data(vector, rows * CELL_BYTES);
  const bytes = Buffer.from(memory.buffer, memory.byteOffset, memory.byteLength);
  const words = new Int32Array(memory.buffer, memory.byteOffset, rows * CELL_WORDS);
  const isThere = presence(vector, rows);
  const texts: (string | null)[] = [];
  // Devices and tags repeat from row to row, and equal cells are equal texts.
  let previous = -1;
  let text = '';
  for (let row = 0; row < rows; row++) {
    if (!isThere(row)) {
      texts.push(null);
      continue;
    }
    if (previous < 0 || !sameCell(words, previous, row)) text = textAt(bytes, words, row);
    previous = row;
    texts.push(text);
  }
  return texts;
}

function textAt(bytes: Buffer, words: Int32Array, row: number): string {
  const length = (words[row * CELL_WORDS] ?? 0) >>> 0;
  const start = row * CELL_BYTES;
  if (length <= SHORT_BYTES) return bytes.toString('utf8', start + WORD_BYTES, start + WORD_BYTES + length);
  const { buffer, byteOffset } = bytes;
  const long = duckdb.get_data_from_pointer(buffer as ArrayBuffer, byteOffset + start + ADDRESS_AT, length);
  return Buffer.from(long.buffer, long.byteOffset, length).toString('utf8');
}

function sameCell(words: Int32Array, a: number, b: number): boolean {
  const x = a * CELL_WORDS;
  const y = b * CELL_WORDS;
  return (
    words[x + 1] === words[y + 1] &&
    words[x + 2] === words[y + 2] &&
    words[x + 3] === words[y + 3] &&
    words[x] === words[y]
  );
}

/** Tells of each row whether it has a value. A vector without any missing one has no bits for it. */
function presence(vector: duckdb.Vector, rows: number): (row: number) => boolean {
  const bits: Uint8Array | null = duckdb.vector_get_validity(vector, Math.ceil(rows / 64) * 8);
  return bits === null ? () => true : (row) => (((bits[row >> 3] ?? 0) >> (row & 7)) & 1) === 1;
}
