import { LIMITS, rowAt, type AnswerBatch, type Cell } from '../core/index.ts';
import type { AnswerWriter, BodyPart } from './forms/index.ts';
import type { Reading } from './reading.ts';

/** A bounded part of an answer, written out. */
export interface Page {
  /** The rows, in some parts. */
  parts: BodyPart[];
  rows: number;
  /** Whether rows are left behind it. */
  more: boolean;
  /** The last row, its time, and how many of the page's rows have exactly that time. Null without rows. */
  end: { row: readonly Cell[]; timeNs: bigint; count: number } | null;
}

/**
 * Reads at most `limit` rows, and closes the reading. The store must have been asked for at least
 * one row more: that row tells whether there are more. A page of too many bytes ends early.
 */
export async function readPage(
  reading: Reading,
  writer: AnswerWriter,
  options: { limit: number; maxBytes?: number },
): Promise<Page> {
  const maxBytes = options.maxBytes ?? LIMITS.queryMaxAnswerBytes;
  const page: Page = { parts: [], rows: 0, more: false, end: null };
  let bytes = 0;
  for (let batch = await reading.next(); batch !== null; batch = await reading.next()) {
    if (batch.rows === 0) continue;
    const asked = Math.min(batch.rows, options.limit - page.rows);
    // One row is always given, or a page could not go on.
    const isFull = asked <= 0 || (bytes >= maxBytes && page.rows > 0);
    if (!isFull) {
      const { part, rows } = writer.rows(batch, asked, maxBytes - bytes);
      page.parts.push(part);
      page.rows += rows;
      bytes += part.length;
      page.end = endOf(page.end, batch, rows);
      if (rows === batch.rows) continue;
    }
    await reading.close();
    return { ...page, more: true };
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
