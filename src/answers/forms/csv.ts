import { timeFormatter } from '../../core/index.ts';
import { cellTexts, type TextStyle } from './cell-text.ts';
import type { FormOf } from './form.ts';

const STYLE: TextStyle = { missing: '', time: (text) => text, text: csvText, longInteger: String };

/** RFC 4180 with a header line. A missing value is empty, an empty text is `""`. */
export const csvForm: FormOf<'csv'> = {
  mediaType: 'text/csv',
  contentType: 'text/csv; charset=utf-8; header=present',
  schema: null,
  defaultRows: null,
  cursorsIn: 'headers',
  open({ columns }) {
    const formatTime = timeFormatter();
    return {
      head: () => `${columns.map(({ name }) => csvText(name)).join(',')}\r\n`,
      rows(batch, count, maxLength) {
        const cells = cellTexts(columns, batch, STYLE, formatTime);
        let part = '';
        let row = 0;
        do {
          for (let c = 0; c < cells.length; c++) part += c === 0 ? cells[c]?.(row) : `,${cells[c]?.(row)}`;
          part += '\r\n';
          row++;
        } while (row < count && part.length < maxLength);
        return { part, rows: row };
      },
      foot: () => '',
    };
  },
};

function csvText(text: string): string {
  return text === '' || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
