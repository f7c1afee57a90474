import { AlikeRows } from '../../../core/index.ts';
import type { RefusedPoint } from '../../store.ts';
import { escapeTagValue } from './line-protocol.ts';
import { wordsOf, type BatchPlan, type Words } from './plan.ts';

/**
 * The rows of a write by series: those of series s are `order[starts[s]]` to `order[starts[s + 1]]`, in the order
 * in which they were written. A row's number counts through all batches.
 */
export interface SeriesRows {
  /** How each series' lines begin: measurement and tags. */
  prefixes: readonly Words[];
  starts: Int32Array;
  order: Int32Array;
  /** By row its series, a negative number where it has none. */
  ofRows: Int32Array;
  /** Rows whose tags have no faithful form; they are in no series. */
  refused: RefusedPoint[];
}

/** A tag's value leads to the next tag's, behind the last one to the series. */
interface TagNode {
  next: Map<string, TagNode>;
  /** Its series' number, the first reason why it has none, or null where it is not known yet. */
  series: number | string | null;
}

/** Stands for the series of a row that has none. */
const REFUSED = -1;

/** Finds the series of every row. Rows of all `plans` with equal measurement and tags are one series. */
export function seriesOf(plans: readonly BatchPlan[]): SeriesRows {
  const prefixes: Words[] = [];
  const refused: RefusedPoint[] = [];
  const byPrefix = new Map<string, number>();
  const ofRows = new Int32Array(plans.reduce((rows, { batch }) => rows + batch.rows, 0));
  let firstRow = 0;
  for (const plan of plans) {
    const root: TagNode = { next: new Map(), series: null };
    const { batch } = plan;
    const alike = new AlikeRows(
      plan.tags.map(({ values }) => values),
      batch.rows,
    );
    // Rows of one frame stand together, and mostly are of one series.
    for (let row = 0, end = 0; row < batch.rows; row = end) {
      end = alike.endOf(row);
      const leaf = leafOf(root, plan, row);
      leaf.series ??= register(seriesPrefix(plan, row), byPrefix, prefixes);
      const { series } = leaf;
      const known = typeof series === 'number' ? series : REFUSED;
      for (let of = row; of < end; of++) ofRows[firstRow + of] = known;
      if (typeof series === 'number') continue;
      for (let bad = row; bad < end; bad++) refused.push({ batch, row: bad, message: series });
    }
    firstRow += batch.rows;
  }
  return { prefixes, ofRows, ...grouped(ofRows, prefixes.length), refused };
}

function leafOf(root: TagNode, plan: BatchPlan, row: number): TagNode {
  let node = root;
  for (const { values } of plan.tags) {
    const value = values[row] ?? '';
    let next = node.next.get(value);
    if (next === undefined) {
      next = { next: new Map(), series: null };
      node.next.set(value, next);
    }
    node = next;
  }
  return node;
}

function register(
  prefix: string | { message: string },
  byPrefix: Map<string, number>,
  prefixes: Words[],
): number | string {
  if (typeof prefix !== 'string') return prefix.message;
  const known = byPrefix.get(prefix);
  if (known !== undefined) return known;
  byPrefix.set(prefix, prefixes.length);
  return prefixes.push(wordsOf(prefix)) - 1;
}

/** Measurement and tags as they begin a line; a tag without a value is left out. */
function seriesPrefix(plan: BatchPlan, row: number): string | { message: string } {
  let prefix = plan.measurement;
  for (const { key, values } of plan.tags) {
    const value = values[row];
    if (value === null || value === undefined || value === '') continue;
    const escaped = escapeTagValue(value);
    if (escaped === null) {
      return {
        message: `${key}: InfluxDB has no form for a tag with a newline, a NUL or a backslash at its end`,
      };
    }
    prefix += `,${key}=${escaped}`;
  }
  return prefix;
}

/** Counts the rows of each series, then puts each row in its place. */
function grouped(ofRows: Int32Array, count: number): Pick<SeriesRows, 'starts' | 'order'> {
  const starts = new Int32Array(count + 1);
  for (let row = 0; row < ofRows.length; row++) {
    const series = ofRows[row] as number;
    if (series !== REFUSED) starts[series + 1] = (starts[series + 1] as number) + 1;
  }
  for (let s = 0; s < count; s++) starts[s + 1] = (starts[s + 1] ?? 0) + (starts[s] ?? 0);
  const next = starts.slice(0, count);
  const order = new Int32Array(starts[count] ?? 0);
  for (let row = 0; row < ofRows.length; row++) {
    const series = ofRows[row] as number;
    if (series === REFUSED) continue;
    const place = next[series] as number;
    order[place] = row;
    next[series] = place + 1;
  }
  return { starts, order };
}
