import { BOOLEAN_MISSING, type Cell } from './columns.ts';
import type { ColumnDef, StoredType } from './measurement.ts';

/**
 * A column of an answer of rows. It is chosen once, from what the registry knows, and goes with the rows from the
 * store to whoever writes them out.
 */
export interface AnswerColumn {
  name: string;
  /** The first column is the time; the device is a tag, and an aggregate a field. */
  role: 'time' | 'tag' | 'field';
  /** A time is an integer in the rows: nanoseconds since the UTC epoch. */
  type: 'time' | StoredType;
  float32: boolean;
  unit: string | null;
}

export const TIME_COLUMN: AnswerColumn = {
  name: 'time',
  role: 'time',
  type: 'time',
  float32: false,
  unit: null,
};
export const DEVICE_COLUMN: AnswerColumn = {
  name: 'device',
  role: 'tag',
  type: 'string',
  float32: false,
  unit: null,
};

export function answerColumn({ name, role, type, float32, unit }: ColumnDef): AnswerColumn {
  return { name, role, type, float32, unit };
}

/** The values of one column of an answer, as plain data that can be sent to another process. */
export type AnswerValues =
  /** A missing value is NaN. */
  | { type: 'float'; values: Float64Array }
  | {
      type: 'integer';
      values: BigInt64Array;
      /** 1 where there is a value; null where every row has one. */
      present: Uint8Array | null;
      /** Sums beyond 64 bits, by row, as the nearest double; null where there are none. */
      beyond: ReadonlyMap<number, number> | null;
    }
  /** 0 false, 1 true, 2 missing. */
  | { type: 'boolean'; values: Uint8Array }
  /** Row i has the text texts[index[i]], or none where the index is -1. A text may stand there more than once. */
  | { type: 'string'; texts: readonly string[]; index: Int32Array };

/** Some rows of an answer, column by column in the order of the answer's columns. */
export interface AnswerBatch {
  rows: number;
  columns: readonly AnswerValues[];
}

/** One value: a bigint for integers, null where it is missing. */
function cellAt(column: AnswerValues, row: number): Cell {
  switch (column.type) {
    case 'float': {
      const value = column.values[row] ?? Number.NaN;
      return Number.isNaN(value) ? null : value;
    }
    case 'integer':
      if (column.beyond?.has(row) === true) return column.beyond.get(row) ?? null;
      return column.present === null || column.present[row] === 1 ? (column.values[row] ?? null) : null;
    case 'boolean':
      return column.values[row] === BOOLEAN_MISSING ? null : column.values[row] === 1;
    case 'string':
      return column.texts[column.index[row] ?? -1] ?? null;
  }
}

/** One row of a batch. */
export function rowAt(batch: AnswerBatch, row: number): Cell[] {
  return batch.columns.map((column) => cellAt(column, row));
}

/** The rows of a batch from `first` on, over the same memory. */
export function rowsFrom(batch: AnswerBatch, first: number): AnswerBatch {
  if (first === 0) return batch;
  return { rows: batch.rows - first, columns: batch.columns.map((column) => valuesFrom(column, first)) };
}

function valuesFrom(column: AnswerValues, first: number): AnswerValues {
  switch (column.type) {
    case 'float':
      return { ...column, values: column.values.subarray(first) };
    case 'integer': {
      const { values, present, beyond } = column;
      const later = [...(beyond ?? [])].flatMap(([row, sum]) =>
        row < first ? [] : [[row - first, sum] as const],
      );
      return {
        ...column,
        values: values.subarray(first),
        present: present?.subarray(first) ?? null,
        beyond: later.length === 0 ? null : new Map(later),
      };
    }
    case 'boolean':
      return { ...column, values: column.values.subarray(first) };
    case 'string':
      return { ...column, index: column.index.subarray(first) };
  }
}

/** A batch as rows, for readers that look at each. */
export function rowsOfBatch(batch: AnswerBatch): Cell[][] {
  const rows: Cell[][] = [];
  for (let row = 0; row < batch.rows; row++) {
    const cells: Cell[] = [];
    for (const column of batch.columns) cells.push(cellAt(column, row));
    rows.push(cells);
  }
  return rows;
}

/** The columns of rows that a store gave one by one. A cell of another type than its column's counts as missing. */
export function batchOfRows(
  columns: readonly Pick<AnswerColumn, 'type'>[],
  rows: readonly (readonly Cell[])[],
): AnswerBatch {
  return { rows: rows.length, columns: columns.map(({ type }, index) => valuesOf(type, index, rows)) };
}

function valuesOf(
  type: AnswerColumn['type'],
  index: number,
  rows: readonly (readonly Cell[])[],
): AnswerValues {
  switch (type) {
    case 'float': {
      const values = new Float64Array(rows.length);
      rows.forEach((row, i) => {
        const cell = row[index];
        values[i] = typeof cell === 'number' || typeof cell === 'bigint' ? Number(cell) : Number.NaN;
      });
      return { type, values };
    }
    case 'time':
    case 'integer':
      return integersOf(index, rows);
    case 'boolean': {
      const values = new Uint8Array(rows.length);
      rows.forEach((row, i) => {
        const cell = row[index];
        values[i] = typeof cell === 'boolean' ? Number(cell) : BOOLEAN_MISSING;
      });
      return { type, values };
    }
    case 'string':
      return stringsOf(index, rows);
  }
}

function integersOf(index: number, rows: readonly (readonly Cell[])[]): AnswerValues {
  const values = new BigInt64Array(rows.length);
  const present = new Uint8Array(rows.length);
  const beyond = new Map<number, number>();
  let missing = 0;
  rows.forEach((row, i) => {
    const cell = row[index];
    if (typeof cell === 'bigint') {
      values[i] = cell;
      present[i] = 1;
      return;
    }
    missing++;
    if (typeof cell === 'number') beyond.set(i, cell);
  });
  return {
    type: 'integer',
    values,
    present: missing === 0 ? null : present,
    beyond: beyond.size === 0 ? null : beyond,
  };
}

function stringsOf(index: number, rows: readonly (readonly Cell[])[]): AnswerValues {
  const texts: string[] = [];
  const known = new Map<string, number>();
  const indexes = new Int32Array(rows.length);
  rows.forEach((row, i) => {
    const cell = row[index];
    if (typeof cell !== 'string') {
      indexes[i] = -1;
      return;
    }
    let at = known.get(cell);
    if (at === undefined) {
      at = texts.push(cell) - 1;
      known.set(cell, at);
    }
    indexes[i] = at;
  });
  return { type: 'string', texts, index: indexes };
}
