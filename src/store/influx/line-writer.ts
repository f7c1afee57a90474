import { putDouble, putFloat32, putInteger, putTime } from './digits.ts';
import { quoteString } from './line-protocol.ts';
import { WORD_BYTES, type FieldPlan, type Plan, type Words } from './plan.ts';

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

  begin(prefix: Words): number {
    return this.#put(this.at, prefix);
  }

  /**
   * Writes one field of a line at `end` and returns its new end: the same where the value is missing. `first`
   * fields follow a space. -1 for an infinite number, which has no form.
   */
  field(end: number, { key, column }: FieldPlan, row: number, first: boolean): number {
    const { bytes } = this;
    let at = end;
    switch (column.type) {
      case 'float': {
        const value = column.values[row] ?? Number.NaN;
        if (value - value !== 0) {
          if (Number.isNaN(value)) return end;
          return -1;
        }
        at = this.#put(end, key);
        at = column.def.float32 ? putFloat32(bytes, at, value) : putDouble(bytes, at, value);
        break;
      }
      case 'integer':
        if (column.present[row] !== 1) return end;
        at = this.#put(end, key);
        at = putInteger(bytes, at, column.words[row * 2] ?? 0, column.words[row * 2 + 1] ?? 0);
        bytes[at++] = LETTER_I;
        break;
      case 'boolean': {
        const value = column.values[row] ?? 2;
        if (value > 1) return end;
        at = this.#put(end, key);
        this.#view.setInt32(at, value === 1 ? TRUE : FALS, true);
        at += WORD_BYTES;
        if (value === 0) bytes[at++] = LETTER_E;
        break;
      }
      case 'string': {
        const value = column.values[row];
        if (value === null || value === undefined) return end;
        at = this.#put(end, key);
        at += bytes.write(quoteString(value), at);
      }
    }
    if (first) bytes[end] = SPACE;
    return at;
  }

  /** Ends the line with its time; the next one begins behind it. */
  finish(end: number, timeLow: number, timeHigh: number): void {
    const { bytes } = this;
    bytes[end] = SPACE;
    const at = putTime(bytes, end + 1, timeLow, timeHigh);
    bytes[at] = NEWLINE;
    this.at = at + 1;
  }

  #put(at: number, { words, length }: Words): number {
    const view = this.#view;
    for (let i = 0; i < words.length; i++) view.setInt32(at + i * WORD_BYTES, words[i] ?? 0, true);
    return at + length;
  }
}

/** Bytes that the line of a row takes at most. */
export function lineBytes(prefix: Words, plan: Plan, row: number): number {
  let bytes = prefix.length + plan.fieldBytes + LINE_EXTRA_BYTES;
  for (const texts of plan.texts) bytes += (texts[row]?.length ?? 0) * MAX_UNIT_BYTES;
  return bytes;
}
