/** Rows of a batch in ascending order, kept as runs of neighbours: mostly they are one. */
export class RowRuns {
  /** Run i is the rows [starts[i], ends[i]). */
  readonly starts: number[] = [];
  readonly ends: number[] = [];
  rows = 0;

  /** Adds the rows [from, to), which lie behind those added before. */
  add(from: number, to: number): void {
    if (from >= to) return;
    this.rows += to - from;
    const last = this.ends.length - 1;
    if (this.ends[last] === from) this.ends[last] = to;
    else {
      this.starts.push(from);
      this.ends.push(to);
    }
  }
}

/** Below this many neighbours a loop is faster than a view and a copy of it. */
const FEW = 16;

/**
 * The parts of runs that fill a chunk each, one after another: pieces of neighbours, and where in the chunk they begin.
 * An instance goes through one RowRuns once.
 */
export class Pieces {
  readonly from: Int32Array;
  readonly at: Int32Array;
  readonly length: Int32Array;
  count = 0;
  /** Rows of all pieces. */
  rows = 0;
  readonly #capacity: number;
  #run = 0;
  #offset = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
    this.from = new Int32Array(capacity);
    this.at = new Int32Array(capacity);
    this.length = new Int32Array(capacity);
  }

  /** Takes the next rows, as many as a chunk holds; false when there are none left. */
  next({ starts, ends }: RowRuns): boolean {
    this.count = 0;
    this.rows = 0;
    while (this.rows < this.#capacity && this.#run < starts.length) {
      const from = (starts[this.#run] ?? 0) + this.#offset;
      const left = (ends[this.#run] ?? 0) - from;
      const length = Math.min(left, this.#capacity - this.rows);
      this.from[this.count] = from;
      this.at[this.count] = this.rows;
      this.length[this.count] = length;
      this.count++;
      this.rows += length;
      if (length === left) {
        this.#run++;
        this.#offset = 0;
      } else {
        this.#offset += length;
      }
    }
    return this.rows > 0;
  }

  /** Copies the rows of a column together; `width` elements make a row. */
  gather<T extends Float64Array | Int32Array | Uint8Array>(target: T, source: T, width: 1 | 2): void {
    for (let piece = 0; piece < this.count; piece++) {
      const from = (this.from[piece] as number) * width;
      const at = (this.at[piece] as number) * width;
      const length = (this.length[piece] as number) * width;
      if (length >= FEW) target.set(source.subarray(from, from + length), at);
      else for (let i = 0; i < length; i++) target[at + i] = source[from + i] as number;
    }
  }
}
