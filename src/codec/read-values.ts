import { BOOLEAN_MISSING, shortestFloat32, type Column, type ColumnBatch } from '../core/index.ts';
import { block, readLong, words, wordsAsBigInt, wordsAsNumber } from './check-values.ts';
import { readText, TextMemory } from './text-memory.ts';

/**
 * Reading of single values whose bytes were checked before, for the generated decoder. Places and `words`
 * as in check-values.ts.
 */
export { block, readLong, readText, TextMemory, words };

let lastView: DataView = new DataView(new ArrayBuffer(0));

/** A view of the whole memory in which the bytes lie: a block's for all of its frames, as making one costs. */
export function viewOf({ buffer }: Uint8Array): DataView {
  if (buffer !== lastView.buffer) lastView = new DataView(buffer);
  return lastView;
}

/** The place behind a varint. */
export function skipLong(b: Uint8Array, p: number): number {
  while ((b[p++] as number) > 127);
  return p;
}

/** The place behind a string or bytes. */
export function skipBytes(b: Uint8Array, p: number): number {
  const from = readLong(b, p);
  return from + (words[0] as number);
}

/** A block header: leaves the count in block[0]. */
export function readBlock(b: Uint8Array, p: number): number {
  let next = readLong(b, p);
  const count = wordsAsNumber();
  if (count < 0) next = skipLong(b, next);
  block[0] = Math.abs(count);
  return next;
}

/** What readLong found, in decimal digits. */
export function wordsAsText(): string {
  const high = words[1] as number;
  const low = (words[0] as number) >>> 0;
  if (high === 0) return String(low);
  return wordsAsBigInt().toString();
}

/** A float as a tag's text; null for NaN, which is a missing value. */
export function floatAsText(value: number): string | null {
  return Number.isNaN(value) ? null : String(shortestFloat32(value));
}

/** A double as a tag's text; null for NaN. */
export function doubleAsText(value: number): string | null {
  return Number.isNaN(value) ? null : String(value);
}

/** Turns what readLong found into nanoseconds, `nsPerUnit` of them each, in `words` again. */
export function scaleWords(nsPerUnit: number): void {
  if (nsPerUnit === 1) return;
  // Both products stay below 2^53: times are not negative and end in 2262.
  const low = ((words[0] as number) >>> 0) * nsPerUnit;
  const high = (words[1] as number) * nsPerUnit + Math.floor(low / 4294967296);
  words[0] = low;
  words[1] = high;
}

/** Nanoseconds of a millisecond, which tell frames apart that came in the same one. */
const COUNTS = 1_000_000;

/**
 * The time of receipt of the frame at a place of the journal, in nanoseconds, in `words`: its millisecond, and in that
 * the last six digits of the position. Whoever reads the frame from the journal, however often, finds the same time.
 */
export function receiptWords(arrivalMs: number, position: number): void {
  const whole = Math.max(0, Math.floor(arrivalMs));
  words[0] = whole;
  words[1] = Math.floor(whole / 4294967296);
  scaleWords(COUNTS);
  const low = (words[0] >>> 0) + (position % COUNTS);
  words[0] = low;
  words[1] += Math.floor(low / 4294967296);
}

/**
 * Writes `words` as the time of the rows [from, to): of all of them, or only of those whose own time is
 * missing, which a negative high word marks.
 */
export function fillTime(timeWords: Int32Array, from: number, to: number, onlyMissing: boolean): void {
  const low = words[0] as number;
  const high = words[1] as number;
  for (let row = from; row < to; row++) {
    if (onlyMissing && (timeWords[row * 2 + 1] as number) >= 0) continue;
    timeWords[row * 2] = low;
    timeWords[row * 2 + 1] = high;
  }
}

/** Repeats the frame's value, which stands in row `from`, down to row `to` (exclusive). */
export function repeatValue(column: Column, from: number, to: number): void {
  switch (column.type) {
    case 'float':
      column.values.fill(column.values[from] as number, from + 1, to);
      return;
    case 'boolean':
      column.values.fill(column.values[from] ?? BOOLEAN_MISSING, from + 1, to);
      return;
    case 'integer': {
      const low = column.words[from * 2] as number;
      const high = column.words[from * 2 + 1] as number;
      for (let row = from + 1; row < to; row++) {
        column.words[row * 2] = low;
        column.words[row * 2 + 1] = high;
      }
      column.present.fill(column.present[from] as number, from + 1, to);
      return;
    }
    case 'string': {
      const value = column.values[from] ?? null;
      for (let row = from + 1; row < to; row++) column.values[row] = value;
    }
  }
}

/** Moves those of the rows [from, from + rows) together that have any field, and returns their number. */
export function withoutEmptyRows(into: ColumnBatch, from: number, rows: number): number {
  const fields = into.columns.flatMap(({ def }, index) => (def.role === 'field' ? [index] : []));
  let to = from;
  for (let row = from; row < from + rows; row++) {
    if (fields.every((index) => into.cell(index, row) === null)) continue;
    if (to !== row) moveRow(into, row, to);
    to++;
  }
  return to - from;
}

function moveRow({ timeWords, columns }: ColumnBatch, from: number, to: number): void {
  timeWords.copyWithin(to * 2, from * 2, from * 2 + 2);
  for (const column of columns) {
    if (column.type === 'string') {
      column.values[to] = column.values[from] ?? null;
      continue;
    }
    column.values.copyWithin(to, from, from + 1);
    if (column.type === 'integer') column.present.copyWithin(to, from, from + 1);
  }
}

/** Counts `rows` more points as written, all of one frame. */
export function finishRows(into: ColumnBatch, rows: number, device: string, position: number): void {
  const to = into.rows + rows;
  const { device: devices, position: positions } = into;
  // For few rows a call of fill() costs more than the rows.
  for (let row = into.rows; row < to; row++) {
    devices[row] = device;
    positions[row] = position;
  }
  into.rows = to;
}
