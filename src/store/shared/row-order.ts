import type { Cell } from '../../core/index.ts';

/** Orders rows of one time by device and tags, the cells from the second up to `end`; desc is the reverse. */
export function compareRows(
  end: number,
  order: 'asc' | 'desc',
): (a: readonly Cell[], b: readonly Cell[]) => number {
  const sign = order === 'asc' ? 1 : -1;
  return (a, b) => {
    for (let i = 1; i < end; i++) {
      const by = compareText(a[i] ?? null, b[i] ?? null);
      if (by !== 0) return sign * by;
    }
    return 0;
  };
}

/** Null first, then by the bytes of UTF-8, as DuckDB compares text. */
export function compareText(a: Cell, b: Cell): number {
  if (a === b) return 0;
  if (typeof a !== 'string') return -1;
  if (typeof b !== 'string') return 1;
  // UTF-16 order differs from UTF-8's only where surrogates are involved.
  const simple = a < b ? -1 : 1;
  return SURROGATE.test(a) || SURROGATE.test(b) ? Buffer.compare(Buffer.from(a), Buffer.from(b)) : simple;
}

const SURROGATE = /[\uD800-\uDFFF]/;

/** Orders groups column by column, null first. */
export function compareGroups(a: readonly Cell[], b: readonly Cell[]): number {
  for (let i = 0; i < a.length; i++) {
    const by = compareText(a[i] ?? null, b[i] ?? null);
    if (by !== 0) return by;
  }
  return 0;
}
