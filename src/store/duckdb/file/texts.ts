import duckdb from '@duckdb/node-bindings';
import { CELL_WORDS } from './string-cells.ts';

const WORD_BYTES = 4;
const CELL_BYTES = CELL_WORDS * WORD_BYTES;
/** Longer texts lie elsewhere: their cell ends with an address. */
const SHORT_BYTES = 12;
const ADDRESS_AT = 8;

/** The texts of a string vector: row i has texts[index[i]], or none where the index is -1. */
export interface VectorTexts {
  texts: string[];
  index: Int32Array;
}

/**
 * The texts of a string vector. The package's own reader takes a U+FEFF at the beginning of a text for a byte order
 * mark and drops it. The chunk that the vector is of must be alive.
 */
export function textsOf(vector: duckdb.Vector, rows: number): VectorTexts {
  const memory = duckdb.vector_get_data(vector, rows * CELL_BYTES);
  const bytes = Buffer.from(memory.buffer, memory.byteOffset, memory.byteLength);
  const words = new Int32Array(memory.buffer, memory.byteOffset, rows * CELL_WORDS);
  const isThere = presence(vector, rows);
  const texts: string[] = [];
  const index = new Int32Array(rows);
  const known = new KnownCells(words, rows);
  for (let row = 0; row < rows; row++) {
    if (isThere !== null && !isThere(row)) {
      index[row] = -1;
      continue;
    }
    const first = known.firstLike(row);
    index[row] = first === row ? texts.push(textAt(bytes, words, row)) - 1 : (index[first] ?? -1);
  }
  return { texts, index };
}

/**
 * Finds the first row with the same cell: devices and tags repeat from row to row, and equal cells are equal texts. Equal
 * long texts may lie in several places, and then are different cells.
 */
class KnownCells {
  readonly #words: Int32Array;
  /** Row numbers plus one by hash, 0 where free; at least twice as many as there are rows. */
  readonly #slots: Int32Array;
  readonly #mask: number;
  #previous = -1;

  constructor(words: Int32Array, rows: number) {
    this.#words = words;
    const size = 2 ** Math.ceil(Math.log2(Math.max(2, rows * 2)));
    this.#slots = new Int32Array(size);
    this.#mask = size - 1;
  }

  firstLike(row: number): number {
    if (this.#previous >= 0 && this.#isSame(this.#previous, row)) return this.#previous;
    let slot = this.#hash(row) & this.#mask;
    for (;;) {
      const first = (this.#slots[slot] ?? 0) - 1;
      if (first < 0) break;
      if (this.#isSame(first, row)) return (this.#previous = first);
      slot = (slot + 1) & this.#mask;
    }
    this.#slots[slot] = row + 1;
    return (this.#previous = row);
  }

  #hash(row: number): number {
    const at = row * CELL_WORDS;
    let hash = 0;
    for (let i = 0; i < CELL_WORDS; i++) {
      hash = Math.imul(hash ^ (this.#words[at + i] ?? 0), 0x9e3779b1);
      hash ^= hash >>> 15;
    }
    return hash;
  }

  #isSame(a: number, b: number): boolean {
    const words = this.#words;
    const x = a * CELL_WORDS;
    const y = b * CELL_WORDS;
    return (
      words[x + 1] === words[y + 1] &&
      words[x + 2] === words[y + 2] &&
      words[x + 3] === words[y + 3] &&
      words[x] === words[y]
    );
  }
}

function textAt(bytes: Buffer, words: Int32Array, row: number): string {
  const length = (words[row * CELL_WORDS] ?? 0) >>> 0;
  const start = row * CELL_BYTES;
  if (length <= SHORT_BYTES) return bytes.toString('utf8', start + WORD_BYTES, start + WORD_BYTES + length);
  const { buffer, byteOffset } = bytes;
  const long = duckdb.get_data_from_pointer(buffer as ArrayBuffer, byteOffset + start + ADDRESS_AT, length);
  return Buffer.from(long.buffer, long.byteOffset, length).toString('utf8');
}

/** Tells of each row whether it has a value. Null for a vector without any missing one. */
export function presence(vector: duckdb.Vector, rows: number): ((row: number) => boolean) | null {
  const bits: Uint8Array | null = duckdb.vector_get_validity(vector, Math.ceil(rows / 64) * 8);
  return bits === null ? null : (row) => (((bits[row >> 3] ?? 0) >> (row & 7)) & 1) === 1;
}
