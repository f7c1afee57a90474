import {
  BIGINT,
  BOOLEAN,
  DOUBLE,
  DuckDBDataChunk,
  TIMESTAMP_NS,
  VARCHAR,
  type DuckDBType,
} from '@duckdb/node-api';
import duckdb from '@duckdb/node-bindings';
import { BOOLEAN_MISSING, type Column, type ColumnBatch, type StoredType } from '../../../core/index.ts';
import type { Pieces } from './row-runs.ts';
import { CELL_BYTES, CELL_WORDS, StringCells } from '../file/string-cells.ts';

/** Rows of a data chunk at most: DuckDB's vector size. */
export const CHUNK_ROWS = 2048;
/** Chunks kept to be used again: writes mostly meet the same few tables … */
const KEPT_CHUNKS = 16;
/** … and columns of such a chunk at most: 32 KB each. */
const KEPT_COLUMNS = 64;

export const COLUMN_TYPES: Record<StoredType, DuckDBType> = {
  float: DOUBLE,
  integer: BIGINT,
  boolean: BOOLEAN,
  string: VARCHAR,
};

/** Where a column of a table finds its values in a batch; `column` is undefined where the batch has none. */
export interface Source {
  type: StoredType;
  tag: boolean;
  column: Column | undefined;
}

interface ChunkTarget {
  chunk: DuckDBDataChunk;
  /** Time, device, then the table's columns. */
  vectors: duckdb.Vector[];
}

/**
 * Fills data chunks column by column: values are gathered in memory of ours and copied into DuckDB's as a whole.
 * One per database; it keeps what it needs for the next chunk.
 */
export class ChunkFiller {
  readonly #targets = new Map<string, ChunkTarget>();
  readonly #cells = new StringCells();
  readonly #words = new Int32Array(CHUNK_ROWS * 2);
  readonly #floats = new Float64Array(CHUNK_ROWS);
  readonly #flags = new Uint8Array(CHUNK_ROWS);
  readonly #strings = new Int32Array(CHUNK_ROWS * CELL_WORDS);
  /** A bit per row, 1 where there is a value. */
  readonly #valid = new Uint8Array(CHUNK_ROWS >> 3);

  /**
   * A chunk with the given rows of a batch: time, device and a column per source. It is good until the next call, and
   * has to be appended before.
   */
  fill(batch: ColumnBatch, sources: readonly Source[], pieces: Pieces): DuckDBDataChunk {
    const { chunk, vectors } = this.#target(sources);
    chunk.reset();
    chunk.rowCount = pieces.rows;
    this.#cells.refresh();
    pieces.gather(this.#words, batch.timeWords, 2);
    copy(vectors[0], this.#words, pieces.rows * 2);
    this.#fillStrings(vectors[1], batch.device, pieces, false);
    for (const [index, { tag, column }] of sources.entries()) {
      this.#fillColumn(vectors[index + 2], column, tag, pieces);
    }
    return chunk;
  }

  #target(sources: readonly Source[]): ChunkTarget {
    const key = sources.map(({ type }) => type.charAt(0)).join('');
    let target = this.#targets.get(key);
    if (target === undefined) {
      const chunk = DuckDBDataChunk.create([
        TIMESTAMP_NS,
        VARCHAR,
        ...sources.map(({ type }) => COLUMN_TYPES[type]),
      ]);
      const vectors = Array.from({ length: sources.length + 2 }, (_, index) =>
        duckdb.data_chunk_get_vector(chunk.chunk, index),
      );
      target = { chunk, vectors };
    }
    if (sources.length > KEPT_COLUMNS) return target;
    // The one that was used longest ago goes first.
    this.#targets.delete(key);
    this.#targets.set(key, target);
    for (const oldest of this.#targets.keys()) {
      if (this.#targets.size <= KEPT_CHUNKS) break;
      this.#targets.delete(oldest);
    }
    return target;
  }

  #fillColumn(
    vector: duckdb.Vector | undefined,
    column: Column | undefined,
    tag: boolean,
    pieces: Pieces,
  ): void {
    const { rows } = pieces;
    switch (column?.type) {
      case undefined:
        this.#valid.fill(0);
        return this.#setValid(vector);
      case 'float': {
        const values = this.#floats;
        pieces.gather(values, column.values, 1);
        copy(vector, values, rows);
        let missing = false;
        for (let row = 0; row < rows; row++) {
          if (!Number.isNaN(values[row])) continue;
          if (!missing) this.#valid.fill(255);
          missing = true;
          this.#invalidate(row);
        }
        if (missing) this.#setValid(vector);
        return;
      }
      case 'integer': {
        pieces.gather(this.#words, column.words, 2);
        copy(vector, this.#words, rows * 2);
        pieces.gather(this.#flags, column.present, 1);
        return this.#markMissing(vector, 0, rows);
      }
      case 'boolean': {
        pieces.gather(this.#flags, column.values, 1);
        this.#markMissing(vector, BOOLEAN_MISSING, rows);
        // No other byte is a boolean to DuckDB, not even where it is no value.
        for (let row = 0; row < rows; row++) this.#flags[row] = this.#flags[row] === 1 ? 1 : 0;
        return copy(vector, this.#flags, rows);
      }
      case 'string':
        return this.#fillStrings(vector, column.values, pieces, tag);
    }
  }

  /** Makes the rows null whose flag is `missing`. */
  #markMissing(vector: duckdb.Vector | undefined, missing: number, rows: number): void {
    const flags = this.#flags;
    const first = flags.indexOf(missing);
    if (first < 0 || first >= rows) return;
    this.#valid.fill(255);
    for (let row = first; row < rows; row++) if (flags[row] === missing) this.#invalidate(row);
    this.#setValid(vector);
  }

  #fillStrings(
    vector: duckdb.Vector | undefined,
    values: readonly (string | null)[],
    pieces: Pieces,
    emptyIsMissing: boolean,
  ): void {
    const strings = this.#strings;
    const { words } = this.#cells;
    /** The texts that have no cell of ours, with the rows next to one another that they stand in. */
    const others: { text: string; rows: number[] }[] = [];
    let missing = false;
    let last: string | null = null;
    let cell = -1;
    for (let piece = 0; piece < pieces.count; piece++) {
      const from = pieces.from[piece] as number;
      const at = pieces.at[piece] as number;
      const length = pieces.length[piece] as number;
      for (let i = 0; i < length; i++) {
        const text = values[from + i] ?? null;
        if (text === null || (emptyIsMissing && text === '')) {
          if (!missing) this.#valid.fill(255);
          missing = true;
          this.#invalidate(at + i);
          strings.fill(0, (at + i) * CELL_WORDS, (at + i + 1) * CELL_WORDS);
          continue;
        }
        if (text !== last) {
          last = text;
          cell = this.#cells.of(text);
          if (cell < 0) others.push({ text, rows: [] });
        }
        const to = (at + i) * CELL_WORDS;
        if (cell < 0) {
          strings.fill(0, to, to + CELL_WORDS);
          others.at(-1)?.rows.push(at + i);
          continue;
        }
        const source = cell * CELL_WORDS;
        strings[to] = words[source] as number;
        strings[to + 1] = words[source + 1] as number;
        strings[to + 2] = words[source + 2] as number;
        strings[to + 3] = words[source + 3] as number;
      }
    }
    copy(vector, strings, pieces.rows * CELL_WORDS);
    if (missing) this.#setValid(vector);
    for (const { text, rows } of others) assignText(existing(vector), text, rows);
  }

  #invalidate(row: number): void {
    this.#valid[row >> 3] = (this.#valid[row >> 3] as number) & ~(1 << (row & 7));
  }

  #setValid(vector: duckdb.Vector | undefined): void {
    const target = existing(vector);
    duckdb.vector_ensure_validity_writable(target);
    duckdb.copy_data_to_vector_validity(target, 0, this.#valid.buffer, 0, this.#valid.length);
  }
}

/** Puts a text into rows of a vector, whose memory holds it once. */
function assignText(vector: duckdb.Vector, text: string, rows: readonly number[]): void {
  const [first, ...others] = rows;
  if (first === undefined) return;
  duckdb.vector_assign_string_element_len(vector, first, Buffer.from(text));
  if (others.length === 0) return;
  const end = (first + 1) * CELL_BYTES;
  const cell = Uint8Array.from(duckdb.vector_get_data(vector, end).subarray(end - CELL_BYTES));
  for (const row of others) duckdb.copy_data_to_vector(vector, row * CELL_BYTES, cell.buffer, 0, CELL_BYTES);
}

/** Copies the first `length` elements to the beginning of a vector. */
function copy(
  vector: duckdb.Vector | undefined,
  values: Float64Array<ArrayBuffer> | Int32Array<ArrayBuffer> | Uint8Array<ArrayBuffer>,
  length: number,
): void {
  duckdb.copy_data_to_vector(existing(vector), 0, values.buffer, 0, length * values.BYTES_PER_ELEMENT);
}

function existing(vector: duckdb.Vector | undefined): duckdb.Vector {
  if (vector === undefined) throw new TypeError('the chunk has fewer columns than the table');
  return vector;
}
