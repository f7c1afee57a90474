import { encodeCell, encodeTimeCell, formatTimeNs, type Cell } from '../core/index.ts';
import type { OutputColumn } from './plan.ts';

/** Writes a row whose first cell is the time in nanoseconds. */
export type RowWriter = (row: readonly Cell[]) => string;

/** The names of the answer with what is known of each column. */
export function describeColumns(names: readonly string[], known: readonly OutputColumn[]): OutputColumn[] {
  return names.map((name) => known.find((column) => column.name === name) ?? { name, float32: false });
}

/** A row as a JSON array. */
export function jsonRowWriter(columns: readonly OutputColumn[]): RowWriter {
  return (row) => {
    const time = row[0];
    let text = typeof time === 'bigint' ? `[${encodeTimeCell(time)}` : '[null';
    for (let i = 1; i < columns.length; i++) text += `,${encodeCell(row[i] ?? null, columns[i] ?? UNKNOWN)}`;
    return `${text}]`;
  };
}

/** A row as a line of CSV (RFC 4180), CRLF included. A missing value is empty, an empty text is `""`. */
export function csvRowWriter(columns: readonly OutputColumn[]): RowWriter {
  return (row) => {
    const time = row[0];
    let text = typeof time === 'bigint' ? formatTimeNs(time) : '';
    for (let i = 1; i < columns.length; i++) text += `,${csvCell(row[i] ?? null, columns[i] ?? UNKNOWN)}`;
    return `${text}\r\n`;
  };
}

export function csvHeader(columns: readonly OutputColumn[]): string {
  return `${columns.map((column) => csvText(column.name)).join(',')}\r\n`;
}

const UNKNOWN = { float32: false };

function csvCell(cell: Cell, column: Pick<OutputColumn, 'float32'>): string {
  if (typeof cell === 'string') return csvText(cell);
  if (typeof cell === 'bigint') return cell.toString();
  const text = encodeCell(cell, column);
  return text === 'null' ? '' : text;
}

function csvText(text: string): string {
  return text === '' || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
