import { z } from 'zod';
import { LIMITS, encodeCell, timeFormatter } from '../../core/index.ts';
import { cellTexts, type TextStyle } from './cell-text.ts';
import type { FormOf } from './form.ts';

const cell = z.union([z.string(), z.number(), z.boolean(), z.null()]);

const STYLE: TextStyle = {
  missing: 'null',
  time: (text) => `"${text}"`,
  text: (text) => JSON.stringify(text),
  longInteger: (value) => encodeCell(value, { float32: false }),
};

/** One object with the rows as arrays, and the cursors behind them. */
export const jsonForm: FormOf<'json'> = {
  mediaType: 'application/json',
  contentType: 'application/json',
  schema: z.object({
    measurement: z.string(),
    columns: z.array(z.string()).describe('time first; the names of the cells of each row'),
    rows: z
      .array(z.array(cell))
      .describe('Times are RFC 3339 in UTC; integers beyond 2^53 are strings; a missing value is null'),
    cursor: z.string().nullable().describe('Where the next page begins; null when there are no more rows'),
    tail: z.string().describe('Where a live tail goes on from what this answer saw'),
  }),
  defaultRows: LIMITS.queryDefaultRows,
  cursorsIn: 'body',
  open({ measurement, columns }) {
    const formatTime = timeFormatter();
    let isFirst = true;
    return {
      head: () => {
        const head = JSON.stringify({ measurement, columns: columns.map(({ name }) => name) });
        return `${head.slice(0, -1)},"rows":[`;
      },
      rows(batch, count, maxLength) {
        const cells = cellTexts(columns, batch, STYLE, formatTime);
        let part = '';
        let row = 0;
        do {
          part += isFirst ? '[' : ',[';
          isFirst = false;
          for (let c = 0; c < cells.length; c++) part += c === 0 ? cells[c]?.(row) : `,${cells[c]?.(row)}`;
          part += ']';
          row++;
        } while (row < count && part.length < maxLength);
        return { part, rows: row };
      },
      foot: ({ cursor, tail }) => `],${JSON.stringify({ cursor, tail }).slice(1)}`,
    };
  },
};
