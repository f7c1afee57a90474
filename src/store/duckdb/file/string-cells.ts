import duckdb from '@duckdb/node-bindings';
import { VARCHAR } from '@duckdb/node-api';

/** 32-bit words of a string's cell: its length, then the bytes of a short one, or four of them and an address. */
export const CELL_WORDS = 4;
export const CELL_BYTES = 16;
/** Bytes that fit into the cell itself. */
const SHORT_BYTES = 12;
/** Longer texts are no names that repeat, and not remembered. */
const MAX_BYTES = 64;
/** Cells remembered: with their texts about 10 MB at most. */
const MAX_CELLS = 65_536;

/**
 * Cells of DuckDB's string vectors for texts that repeat, devices and tags above all: each is encoded once, and
 * then 16 bytes are copied per row. What a cell points at lives as long as this remembers the text; so a chunk must have
 * been appended, which copies the texts, before refresh() is called again.
 */
export class StringCells {
  /** Cell i is the words [i * CELL_WORDS, (i + 1) * CELL_WORDS). */
  readonly words = new Int32Array((MAX_CELLS + 1) * CELL_WORDS);
  readonly #bytes = new Uint8Array(this.words.buffer);
  readonly #encoder = new TextEncoder();
  readonly #scratch = new Uint8Array(MAX_BYTES + 4);
  #cells = new Map<string, number>();
  #heap = newHeap();

  /** Forgets everything when it has become too much. No chunk may refer to the cells any more. */
  refresh(): void {
    if (this.#cells.size < MAX_CELLS) return;
    this.#cells = new Map();
    this.#heap = newHeap();
  }

  /** The number of a text's cell, good until the next call; -1 when it has none and is to be assigned by itself. */
  of(text: string): number {
    return this.#cells.get(text) ?? this.#add(text);
  }

  #add(text: string): number {
    const { read, written } = this.#encoder.encodeInto(text, this.#scratch);
    if (read < text.length || written > MAX_BYTES) return -1;
    const known = this.#cells.size;
    const full = known >= MAX_CELLS;
    if (full && written > SHORT_BYTES) return -1;
    // The last cell is for short texts that are not remembered.
    const cell = full ? MAX_CELLS : known;
    const at = cell * CELL_BYTES;
    if (written <= SHORT_BYTES) {
      this.words.fill(0, cell * CELL_WORDS, (cell + 1) * CELL_WORDS);
      this.words[cell * CELL_WORDS] = written;
      this.#bytes.set(this.#scratch.subarray(0, written), at + 4);
    } else {
      // Where DuckDB has put the text is read from the cell that it wrote.
      duckdb.vector_assign_string_element_len(this.#heap, 0, this.#scratch.subarray(0, written));
      this.#bytes.set(duckdb.vector_get_data(this.#heap, CELL_BYTES), at);
    }
    if (!full) this.#cells.set(text, cell);
    return cell;
  }
}

/** A vector of one string, whose memory keeps the texts of all that were ever assigned to it. */
function newHeap(): duckdb.Vector {
  return duckdb.create_vector(VARCHAR.toLogicalType().logical_type, 1);
}
