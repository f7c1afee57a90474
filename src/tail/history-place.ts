import { createHash } from 'node:crypto';
import {
  LIMITS,
  ROW_DIGEST_CHARS,
  rowKeyBytes,
  type Cell,
  type HistoryPlace,
  type RowPlace,
  type SelectedColumns,
} from '../core/index.ts';
import type { RowsAfter } from '../store/index.ts';

/** Names stored rows for cursors that end inside one time; `keyOf` is the text of a row's series and time. */
export function rowPlaces(
  selected: SelectedColumns,
  keyOf: (row: readonly Cell[]) => string,
): (row: readonly Cell[]) => RowPlace {
  const names = ['device', ...selected.tags.map(({ name }) => name)];
  return (row) => {
    const key: [string, string][] = [];
    names.forEach((name, index) => {
      const value = row[index + 1];
      if (typeof value === 'string') key.push([name, value]);
    });
    if (rowKeyBytes(key) <= LIMITS.tailCursorKeyBytes) return { by: 'key', key };
    return { by: 'digest', digest: digestOf(keyOf(row)) };
  };
}

/** What the store itself leaves out of the rows from a place on: with a key, all up to it. */
export function rowsAfter({ timeNs, row }: HistoryPlace): RowsAfter | null {
  return row?.by === 'key' ? { timeNs, key: row.key, skip: 0 } : null;
}

/** The row that a digest stands for is no longer there, so nothing tells which rows of its time were delivered. */
export class PlaceLost extends Error {
  constructor() {
    super('the row that history was delivered up to is gone');
    this.name = 'PlaceLost';
  }
}

/**
 * Tells stored rows that were delivered before a place that the store cannot go on behind by itself: rows of its
 * time up to the digest's, or so many of them. A count is of the rows as they are stored now, those included that
 * the live part will deliver: rows may come again then, none is left out.
 */
export class DeliveredRows {
  readonly #timeNs: bigint;
  readonly #digest: string | null;
  readonly #keyOf: (row: readonly Cell[]) => string;
  #left: number;
  #passed = false;

  constructor({ timeNs, row }: HistoryPlace, keyOf: (row: readonly Cell[]) => string) {
    this.#timeNs = timeNs;
    this.#keyOf = keyOf;
    this.#digest = row?.by === 'digest' ? row.digest : null;
    this.#left = row?.by === 'count' ? row.count : this.#digest === null ? 0 : Infinity;
  }

  /** Whether this row, the next one in order, is one of them. Throws PlaceLost. */
  has(timeNs: bigint, row: readonly Cell[]): boolean {
    if (this.#left === 0) return false;
    if (timeNs !== this.#timeNs) {
      this.end();
      return false;
    }
    this.#passed = true;
    this.#left -= 1;
    if (this.#digest !== null && digestOf(this.#keyOf(row)) === this.#digest) this.#left = 0;
    return true;
  }

  /** No more rows of that time come. Throws PlaceLost. */
  end(): void {
    if (this.#digest !== null && this.#passed && this.#left > 0) throw new PlaceLost();
    this.#left = 0;
  }
}

function digestOf(key: string): string {
  return createHash('sha256').update(key).digest('base64url').slice(0, ROW_DIGEST_CHARS);
}
