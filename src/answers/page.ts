import { LIMITS, rowAt, rowsFrom, type AnswerBatch, type Cell } from '../core/index.ts';
import type { AnswerWriter } from './forms/index.ts';
import type { Reading } from './reading.ts';

/** A bounded part of an answer, written out. */
export interface Page {
  rows: number;
  /** Bytes of its rows. */
  bytes: number;
  /** Whether rows are left behind it. */
  more: boolean;
  /** The last row, its time, and how many of the page's rows have exactly that time. Null without rows. */
  end: { row: readonly Cell[]; timeNs: bigint; count: number } | null;
}

/**
 * Reads at most `limit` rows, closes the reading, and gives the bytes of the rows to `take`. The store must have been
 * asked for at least one row more: that row tells whether there are more. A page of too many bytes ends early.
 */
export async function readPage(
  reading: Reading,
  writer: AnswerWriter,
  options: { limit: number; maxBytes?: number },
  take: (rows: Buffer) => Promise<void>,
): Promise<Page> {
  const maxBytes = options.maxBytes ?? LIMITS.queryMaxAnswerBytes;
  const page: Page = { rows: 0, bytes: 0, more: false, end: null };
  for (let batch = await reading.next(); batch !== null; batch = await reading.next()) {
    for (let rest = batch; rest.rows > 0;) {
      const asked = Math.min(rest.rows, options.limit - page.rows);
      // One row is always given, or a page could not go on.
      if (asked <= 0 || (page.bytes >= maxBytes && page.rows > 0)) {
        await reading.close();
        return { ...page, more: true };
      }
      const maxLength = Math.min(maxBytes - page.bytes, LIMITS.answerSliceChars);
      const { part, rows } = writer.rows(rest, asked, maxLength);
      const bytes = Buffer.from(part);
      page.rows += rows;
      page.bytes += bytes.length;
      page.end = endOf(page.end, rest, rows);
      await take(bytes);
      rest = rowsFrom(rest, rows);
    }
  }
  return page;
}

/** The end of a page that goes on with the first `rows` rows of a batch. */
function endOf(before: Page['end'], batch: AnswerBatch, rows: number): Page['end'] {
  const [times] = batch.columns;
  if (times?.type !== 'integer') throw new TypeError('a stored row begins with its time');
  const timeNs = times.values[rows - 1] ?? 0n;
  let count = 1;
  while (count < rows && times.values[rows - 1 - count] === timeNs) count++;
  if (count === rows && before !== null && before.timeNs === timeNs) count += before.count;
  return { row: rowAt(batch, rows - 1), timeNs, count };
}
