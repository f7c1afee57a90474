import type { Mapping, ColumnDef } from './measurement.ts';

/**
 * Points of one schema in columns, the form in which frames travel from the codec to stores and tails.
 * Arrays are allocated for `capacity` rows and grow by doubling; only the first `rows` entries count.
 */
export type Column =
  /** A missing value is NaN. */
  | { type: 'float'; def: ColumnDef; values: Float64Array }
  /** `present[i]` is 1 where there is a value. `words` is the same memory as 32-bit halves, low word first. */
  | { type: 'integer'; def: ColumnDef; values: BigInt64Array; words: Int32Array; present: Uint8Array }
  /** 0 false, 1 true, 2 missing. */
  | { type: 'boolean'; def: ColumnDef; values: Uint8Array }
  | { type: 'string'; def: ColumnDef; values: (string | null)[] };

export const BOOLEAN_MISSING = 2;

export class ColumnBatch {
  readonly mapping: Mapping;
  rows = 0;
  capacity: number;
  /** Nanoseconds since the UTC epoch. */
  timeNs: BigInt64Array;
  /** The same memory as timeNs in 32-bit halves, low word first. */
  timeWords: Int32Array;
  device: string[] = [];
  /** The journal position of the frame that each row came in. */
  position: Float64Array;
  /** In the order of mapping.columns. */
  readonly columns: Column[];

  constructor(mapping: Mapping, capacity = 256) {
    this.mapping = mapping;
    this.capacity = capacity;
    this.timeNs = new BigInt64Array(capacity);
    this.timeWords = new Int32Array(this.timeNs.buffer);
    this.position = new Float64Array(capacity);
    this.columns = mapping.columns.map((def) => emptyColumn(def, capacity));
  }

  /** Makes room for `extra` more rows. Call it before writing past `rows`. */
  reserve(extra: number): void {
    const needed = this.rows + extra;
    if (needed <= this.capacity) return;
    let capacity = this.capacity;
    while (capacity < needed) capacity *= 2;
    const timeNs = new BigInt64Array(capacity);
    timeNs.set(this.timeNs);
    this.timeNs = timeNs;
    this.timeWords = new Int32Array(timeNs.buffer);
    const position = new Float64Array(capacity);
    position.set(this.position);
    this.position = position;
    for (const column of this.columns) growColumn(column, capacity);
    this.capacity = capacity;
  }

  /** Takes all rows out again, so that the memory can be used for others. */
  clear(): void {
    this.rows = 0;
  }

  /** The value at a row: a bigint for integers, null where it is missing. */
  cell(columnIndex: number, row: number): Cell {
    const column = this.columns[columnIndex];
    if (column === undefined) return null;
    switch (column.type) {
      case 'float': {
        const value = column.values[row] ?? Number.NaN;
        return Number.isNaN(value) ? null : value;
      }
      case 'integer':
        return column.present[row] === 1 ? (column.values[row] ?? null) : null;
      case 'boolean':
        return column.values[row] === BOOLEAN_MISSING ? null : column.values[row] === 1;
      case 'string':
        return column.values[row] ?? null;
    }
  }
}

/** One value on its way out: floats are numbers, integers bigints, booleans and strings themselves. */
export type Cell = number | bigint | string | boolean | null;

function emptyColumn(def: ColumnDef, capacity: number): Column {
  switch (def.type) {
    case 'float':
      return { type: 'float', def, values: new Float64Array(capacity) };
    case 'integer': {
      const values = new BigInt64Array(capacity);
      const words = new Int32Array(values.buffer);
      return { type: 'integer', def, values, words, present: new Uint8Array(capacity) };
    }
    case 'boolean':
      return { type: 'boolean', def, values: new Uint8Array(capacity) };
    case 'string':
      return { type: 'string', def, values: [] };
  }
}

function growColumn(column: Column, capacity: number): void {
  switch (column.type) {
    case 'float': {
      const values = new Float64Array(capacity);
      values.set(column.values);
      column.values = values;
      return;
    }
    case 'integer': {
      const values = new BigInt64Array(capacity);
      values.set(column.values);
      column.values = values;
      column.words = new Int32Array(values.buffer);
      const present = new Uint8Array(capacity);
      present.set(column.present);
      column.present = present;
      return;
    }
    case 'boolean': {
      const values = new Uint8Array(capacity);
      values.set(column.values);
      column.values = values;
      return;
    }
    case 'string':
      return;
  }
}
