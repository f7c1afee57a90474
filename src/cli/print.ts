import Table from 'cli-table3';
import { printable } from '../core/index.ts';

/** One JSON document on stdout. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

/** A table without borders, for people; missing values are empty. */
export function printTable(head: readonly string[], rows: readonly (readonly unknown[])[]): void {
  const line = { top: '', 'top-mid': '', 'top-left': '', 'top-right': '' };
  const table = new Table({
    head: [...head],
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 2 },
    chars: {
      ...line,
      bottom: '',
      'bottom-mid': '',
      'bottom-left': '',
      'bottom-right': '',
      left: '',
      'left-mid': '',
      mid: '',
      'mid-mid': '',
      right: '',
      'right-mid': '',
      middle: '',
    },
  });
  for (const row of rows) table.push(row.map((cell) => cellText(cell)));
  process.stdout.write(`${table.toString()}\n`);
}

/** A value as one cell of a line for people: empty for a missing one, without control characters of its own. */
export function cellText(cell: unknown): string {
  if (cell === null || cell === undefined) return '';
  return printable(typeof cell === 'string' ? cell : JSON.stringify(cell));
}
