import { DEVICE_COLUMN, TIME_COLUMN, answerColumn, type AnswerColumn } from './answer-batch.ts';
import type { Cell } from './columns.ts';
import { MillraceError } from './errors.ts';
import { shortestFloat32 } from './float32.ts';
import type { ColumnDef, Measurement } from './measurement.ts';
import { didYouMean } from './nearest.ts';
import { formatTimeNs } from './time.ts';

/**
 * The columns of raw rows, in queries and tails alike: `time`, `device`, then `defs` (the measurement's tags,
 * then the chosen fields, in the measurement's order). A row's cells stand in the order of `columns`.
 */
export interface SelectedColumns {
  columns: readonly AnswerColumn[];
  names: readonly string[];
  tags: readonly ColumnDef[];
  fields: readonly ColumnDef[];
  /** Tags and fields: the columns from the third on. */
  defs: readonly ColumnDef[];
}

/** Chooses by field names; all fields when `fields` is empty. Throws `field_unknown`. */
export function selectColumns(measurement: Measurement, fields: readonly string[]): SelectedColumns {
  const wanted = new Set(fields);
  const known = new Set(measurement.fields.map(({ name }) => name));
  for (const name of fields) {
    if (!known.has(name)) throw fieldUnknown(measurement, name);
  }
  const { tags } = measurement;
  const chosen =
    fields.length === 0 ? measurement.fields : measurement.fields.filter(({ name }) => wanted.has(name));
  const defs = [...tags, ...chosen];
  const columns = [TIME_COLUMN, DEVICE_COLUMN, ...defs.map(answerColumn)];
  return { columns, names: columns.map(({ name }) => name), tags, fields: chosen, defs };
}

/** Integers beyond this lose digits in a JSON reader that knows only doubles; they travel as strings. */
const MAX_JSON_INTEGER = 2n ** 53n;

/**
 * One value as JSON text: integers beyond 2^53 as strings, a float32 field as the shortest decimal of the same
 * float32, a missing value (or NaN) as null.
 */
export function encodeCell(cell: Cell, def: Pick<ColumnDef, 'float32'>): string {
  switch (typeof cell) {
    case 'number':
      if (!Number.isFinite(cell)) return 'null';
      return String(def.float32 ? shortestFloat32(cell) : cell);
    case 'bigint':
      return cell > MAX_JSON_INTEGER || cell < -MAX_JSON_INTEGER ? `"${cell}"` : cell.toString();
    case 'string':
      return JSON.stringify(cell);
    case 'boolean':
      return cell ? 'true' : 'false';
    case 'object':
      return 'null';
  }
}

/** A time cell as JSON text: RFC 3339 in UTC, quoted. */
export function encodeTimeCell(timeNs: bigint): string {
  return `"${formatTimeNs(timeNs)}"`;
}

/** A raw row as a JSON array. Its first cell is the time in nanoseconds, the second the device. */
export function encodeRow(row: readonly Cell[], selected: SelectedColumns): string {
  const timeNs = row[0];
  const device = row[1];
  let text = `[${typeof timeNs === 'bigint' ? encodeTimeCell(timeNs) : 'null'},${JSON.stringify(device ?? null)}`;
  for (let i = 0; i < selected.defs.length; i++) {
    const def = selected.defs[i];
    if (def !== undefined) text += `,${encodeCell(row[i + 2] ?? null, def)}`;
  }
  return `${text}]`;
}

/** Says which field the measurement has instead, where one has nearly the same name. */
export function fieldUnknown({ name: measurement, fields }: Measurement, name: string): MillraceError {
  const known = fields.map((field) => field.name);
  const message = `${measurement} has no field "${name.slice(0, 100)}"${didYouMean(name, known)}`;
  return new MillraceError('field_unknown', message);
}
