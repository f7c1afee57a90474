import { LIMITS, type Cell } from '../core/index.ts';
import type { Reading } from './reading.ts';
import type { RowWriter } from './rows-text.ts';

/** A bounded part of an answer, written out row by row. */
export interface Page {
  rows: string[];
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
  write: RowWriter,
  options: { limit: number; maxBytes?: number },
): Promise<Page> {
  const maxBytes = options.maxBytes ?? LIMITS.queryMaxAnswerBytes;
  const rows: string[] = [];
  let bytes = 0;
  let end: Page['end'] = null;
  for (let chunk = await reading.next(); chunk !== null; chunk = await reading.next()) {
    for (const row of chunk) {
      // One row is always given, or a page could not go on.
      if (rows.length >= options.limit || (bytes >= maxBytes && rows.length > 0)) {
        await reading.close();
        return { rows, more: true, end };
      }
      const text = write(row);
      rows.push(text);
      bytes += text.length;
      end = count(end, row);
    }
  }
  return { rows, more: false, end };
}

function count(end: Page['end'], row: readonly Cell[]): Page['end'] {
  const timeNs = typeof row[0] === 'bigint' ? row[0] : 0n;
  return { row, timeNs, count: end !== null && end.timeNs === timeNs ? end.count + 1 : 1 };
}
