import { z } from 'zod';
import type { HttpAnswer } from '../net/index.ts';
import type { View } from '../store/index.ts';
import { FORMS } from './negotiate.ts';
import type { OutputColumn } from './plan.ts';
import type { Reading } from './reading.ts';
import type { Outputs } from './route.ts';
import { csvHeader, csvRowWriter } from './rows-text.ts';

const cell = z.union([z.string(), z.number(), z.boolean(), z.null()]);

/** The forms of an answer of rows. */
export const rowsOutputs: Outputs = {
  [FORMS.json]: z.object({
    measurement: z.string(),
    columns: z.array(z.string()).describe('time first; the names of the cells of each row'),
    rows: z
      .array(z.array(cell))
      .describe('Times are RFC 3339 in UTC; integers beyond 2^53 are strings; a missing value is null'),
    cursor: z.string().nullable().describe('Where the next page begins; null when there are no more rows'),
    tail: z.string().describe('Where a live tail goes on from what this answer saw'),
  }),
  'text/csv': null,
};

export interface RowsAnswer {
  columns: readonly OutputColumn[];
  /** Each written out already. */
  rows: readonly string[];
  cursor: string | null;
  tail: string;
}

export function jsonAnswer(answer: RowsAnswer & { measurement: string }): HttpAnswer {
  const head = {
    measurement: answer.measurement,
    columns: answer.columns.map((column) => column.name),
  };
  const foot = { cursor: answer.cursor, tail: answer.tail };
  const body = `${JSON.stringify(head).slice(0, -1)},"rows":[${answer.rows.join(',')}],${JSON.stringify(foot).slice(1)}`;
  return { status: 200, headers: { 'Content-Type': FORMS.json, Vary: 'Accept' }, body };
}

/** A whole CSV answer: what JSON has around the rows travels in headers. */
export function csvAnswer(answer: RowsAnswer): HttpAnswer {
  return {
    status: 200,
    headers: csvHeaders(answer.tail, answer.cursor),
    body: csvHeader(answer.columns) + answer.rows.join(''),
  };
}

/**
 * A CSV answer of any size, written as it is read. `tail` makes the header from the store's view, which must
 * be known before the rows: it is given only what holds at that moment.
 */
export async function csvStream(
  reading: Reading,
  columns: readonly OutputColumn[],
  tail: (view: View) => string,
): Promise<HttpAnswer> {
  const write = csvRowWriter(columns);
  const headers = csvHeaders(tail(reading.view()), null);
  // The first rows come before the head: a store that fails at once is answered as a problem.
  const first = csvHeader(columns) + ((await nextText(reading, write)) ?? '');
  let pending: string | null = first;
  const iterator: AsyncIterator<string> = {
    async next() {
      const text = pending ?? (await nextText(reading, write));
      pending = null;
      return text === null ? { done: true, value: undefined } : { done: false, value: text };
    },
    async return() {
      await reading.close();
      return { done: true, value: undefined };
    },
  };
  return { status: 200, headers, body: { [Symbol.asyncIterator]: () => iterator } };
}

async function nextText(
  reading: Reading,
  write: (row: Parameters<ReturnType<typeof csvRowWriter>>[0]) => string,
): Promise<string | null> {
  const chunk = await reading.next();
  if (chunk === null) return null;
  let text = '';
  for (const row of chunk) text += write(row);
  return text;
}

function csvHeaders(tail: string, cursor: string | null): Record<string, string> {
  return {
    'Content-Type': FORMS.csv,
    Vary: 'Accept',
    'Millrace-Tail': tail,
    ...(cursor === null ? {} : { 'Millrace-Cursor': cursor }),
  };
}
