import { shortestFloat32, type AnswerBatch, type AnswerColumn, type AnswerValues } from '../../core/index.ts';

/** How a form that is text writes values. Numbers are decimals and booleans words in each. */
export interface TextStyle {
  missing: string;
  /** Takes RFC 3339 in UTC. */
  time(text: string): string;
  text(text: string): string;
  /** Takes an integer that a double may not hold. */
  longInteger(value: bigint): string;
}

/** Gives the text of the value in a row. */
export type CellText = (row: number) => string;

/** For each column of a batch what writes its values. `formatTime` is kept from batch to batch. */
export function cellTexts(
  columns: readonly AnswerColumn[],
  batch: AnswerBatch,
  style: TextStyle,
  formatTime: (timeNs: bigint) => string,
): CellText[] {
  return batch.columns.map((values, i) => {
    const column = columns[i];
    if (column?.type === 'time' && values.type === 'integer') return timeText(values, style, formatTime);
    return valueText(values, style, column?.float32 ?? false);
  });
}

type Values<Type extends AnswerValues['type']> = Extract<AnswerValues, { type: Type }>;

function timeText(
  { values, present }: Values<'integer'>,
  style: TextStyle,
  formatTime: (timeNs: bigint) => string,
): CellText {
  return (row) =>
    present !== null && present[row] !== 1 ? style.missing : style.time(formatTime(values[row] ?? 0n));
}

function valueText(values: AnswerValues, style: TextStyle, float32: boolean): CellText {
  switch (values.type) {
    case 'float':
      return (row) => numberText(values.values[row] ?? Number.NaN, style, float32);
    case 'integer':
      return integerText(values, style);
    case 'boolean': {
      const texts = ['false', 'true', style.missing];
      return (row) => texts[values.values[row] ?? 2] ?? style.missing;
    }
    case 'string': {
      // Each text is written once, however many rows have it, and none that no row has here.
      const texts: string[] = [];
      return (row) => {
        const index = values.index[row] ?? -1;
        const known = texts[index];
        if (known !== undefined) return known;
        const text = values.texts[index];
        return text === undefined ? style.missing : (texts[index] = style.text(text));
      };
    }
  }
}

function numberText(value: number, style: TextStyle, float32: boolean): string {
  if (!Number.isFinite(value)) return style.missing;
  return String(float32 ? shortestFloat32(value) : value);
}

const TWO_32 = 2 ** 32;
/** A high word nearer to zero than this makes an integer that a double holds. */
const HIGH_WORD_OF_2_53 = 2 ** 21;

function integerText({ values, present, beyond }: Values<'integer'>, style: TextStyle): CellText {
  // The same memory in halves, low word first: most integers need no bigint.
  const words = new Int32Array(values.buffer, values.byteOffset, values.length * 2);
  return (row) => {
    if (present !== null && present[row] !== 1) {
      const sum = beyond?.get(row);
      return sum === undefined ? style.missing : numberText(sum, style, false);
    }
    const high = words[2 * row + 1] ?? 0;
    if (high < -HIGH_WORD_OF_2_53 || high >= HIGH_WORD_OF_2_53) return style.longInteger(values[row] ?? 0n);
    return String(high * TWO_32 + ((words[2 * row] ?? 0) >>> 0));
  };
}
