import { BOOLEAN_MISSING } from '../../../core/index.ts';
import { putDouble, putFloat32, putInteger, putTime } from './digits.ts';
import { quoteString } from './line-protocol.ts';
import {
  BOOLEAN,
  DOUBLE,
  FLOAT32,
  INTEGER,
  WORD_BYTES,
  type FieldPlan,
  type BatchPlan,
  type Words,
} from './plan.ts';

/** Bytes of a line beside prefix and fields: a space, 19 digits, a newline, and what writing in words spoils. */
const LINE_EXTRA_BYTES = 24 + WORD_BYTES;
/** A UTF-16 unit takes at most so many bytes: 3 in UTF-8, or 2 with its escape. */
const MAX_UNIT_BYTES = 3;

const TRUE = 0x65757274;
const FALS = 0x736c6166;
const LETTER_E = 101;
const LETTER_I = 105;
const SPACE = 32;
const NEWLINE = 10;

/** Memory that lines are written to, one behind the other. */
export class LineWriter {
  readonly bytes: Buffer;
  readonly #view: DataView;
  /** Where the next line begins. */
  at = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** True where a line of so many bytes (see lineBytes) can be written. */
  fits(lineBytes: number): boolean {
    return this.at + lineBytes <= this.bytes.length;
  }

  /** Begins a line; returns where its fields are to go. */
  begin(prefix: Words): number {
    return this.#put(this.at, prefix);
  }

  /** The fields of a row, at `start`. Returns their end: `start` where none is there, -1 for an infinite number. */
  fields(start: number, fields: readonly FieldPlan[], row: number): number {
    let end = start;
    for (let i = 0; i < fields.length; i++) {
      const field = fields[i];
      if (field === undefined) break;
      end = this.field(end, field, row, end === start);
      if (end < 0) return end;
    }
    return end;
  }

  /**
   * Writes one field of a line at `end` and returns its new end: the same where the value is missing. A line's
   * `first` field follows a space. -1 for an infinite number, which has no form.
   */
  field(end: number, field: FieldPlan, row: number, first: boolean): number {
    const { bytes } = this;
    let at = end;
    if (field.kind <= DOUBLE) {
      const value = field.floats[row] ?? Number.NaN;
      // Only NaN and the infinities differ from zero here.
      if (value - value !== 0) return Number.isNaN(value) ? end : -1;
      at = this.#put(end, field.key);
      at =
        field.kind === FLOAT32
          ? putFloat32(bytes, this.#view, at, value)
          : putDouble(bytes, this.#view, at, value);
    } else if (field.kind === INTEGER) {
      if (field.flags[row] !== 1) return end;
      at = this.#put(end, field.key);
      at = putInteger(bytes, at, field.halves[row * 2] ?? 0, field.halves[row * 2 + 1] ?? 0);
      bytes[at++] = LETTER_I;
    } else if (field.kind === BOOLEAN) {
      const value = field.flags[row] ?? BOOLEAN_MISSING;
      if (value >= BOOLEAN_MISSING) return end;
      at = this.#put(end, field.key);
      this.#view.setInt32(at, value === 1 ? TRUE : FALS, true);
      at += WORD_BYTES;
      if (value === 0) bytes[at++] = LETTER_E;
    } else {
      const value = field.texts[row];
      if (value === null || value === undefined) return end;
      at = this.#put(end, field.key);
      at += bytes.write(quoteString(value), at);
    }
    if (first) bytes[end] = SPACE;
    return at;
  }

  /** Ends the line with its time; the next one begins behind it. */
  finish(end: number, timeLow: number, timeHigh: number): void {
    const { bytes } = this;
    bytes[end] = SPACE;
    const at = putTime(bytes, this.#view, end + 1, timeLow, timeHigh);
    bytes[at] = NEWLINE;
    this.at = at + 1;
  }

  #put(at: number, { words, length }: Words): number {
    const view = this.#view;
    for (let i = 0, to = at; i < words.length; i++, to += WORD_BYTES) view.setInt32(to, words[i] ?? 0, true);
    return at + length;
  }
}

/** Bytes that the line of a row takes at most. */
export function lineBytes(prefix: Words, plan: BatchPlan, row: number): number {
  let bytes = prefix.length + plan.fieldBytes + LINE_EXTRA_BYTES;
  for (const texts of plan.texts) bytes += (texts[row]?.length ?? 0) * MAX_UNIT_BYTES;
  return bytes;
}
