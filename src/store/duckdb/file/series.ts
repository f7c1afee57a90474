import type { ColumnBatch } from '../../../core/index.ts';

/** How many more series may be remembered, all tables together. */
export interface SeriesBudget {
  left: number;
}

export interface Series {
  /** The newest stored time; -1 while the series has no stored row. */
  newestNs: bigint;
  /** The same with the rows of the running write. */
  draftNs: bigint;
  /** The last rows of it that the running write appends. */
  lastRun: SeriesRun | null;
}

/**
 * Rows [from, to) of one series in a batch. Those of them that the running write appends are newer than `high` and
 * `low`, the halves of a time, and one newer than the other.
 */
export interface SeriesRun {
  batch: ColumnBatch;
  from: number;
  to: number;
  high: number;
  low: number;
  previous: SeriesRun | null;
}

/** Runs and rows that are looked through for one time. */
const MAX_RUNS = 256;
const MAX_ROWS = 4_096;

/**
 * Whether rows that the running write appends may have this very time, which is newer than all stored ones of the
 * series: false is certain.
 */
export function mayMeet(last: SeriesRun, high: number, low: number): boolean {
  let run: SeriesRun | null = last;
  for (let runs = 0; run !== null && (high < run.high || (high === run.high && low <= run.low)); runs++) {
    if (runs === MAX_RUNS) return true;
    run = run.previous;
  }
  if (run === null) return false;
  const { from, to, batch } = run;
  if (to - from > MAX_ROWS) return true;
  for (let row = from; row < to; row++) {
    const same = batch.timeWords[row * 2 + 1] === high && (batch.timeWords[row * 2] as number) >>> 0 === low;
    if (same) return true;
  }
  return false;
}

/**
 * The newest time of each series of one table: a row newer than it cannot collide with a stored one. Changes
 * are a draft until the transaction has committed, so the index never runs ahead of the data.
 */
export class SeriesIndex {
  readonly #series = new Map<string, Series>();
  readonly #budget: SeriesBudget;
  /** False once a series did not fit: from then on an unknown key says nothing. */
  #complete = true;
  #touched: Series[] = [];
  #created: string[] = [];

  constructor(budget: SeriesBudget) {
    this.#budget = budget;
  }

  /** The entry of a series; null when it is not remembered, and its rows have to be looked up. */
  entry(key: string): Series | null {
    const known = this.#series.get(key);
    if (known !== undefined) return known;
    if (!this.#complete) return null;
    return this.#add(key, -1n, true);
  }

  /** Notes the newest time of a stored series while the index is rebuilt. */
  restore(key: string, newestNs: bigint): void {
    if (this.#complete) this.#add(key, newestNs, false);
  }

  /** Raises a series' newest time for the running write, which appends rows of `run`. */
  advance(series: Series, timeNs: bigint, run: SeriesRun): void {
    if (series.draftNs === series.newestNs) this.#touched.push(series);
    series.draftNs = timeNs;
    series.lastRun = run;
  }

  commit(): void {
    for (const series of this.#touched) {
      series.newestNs = series.draftNs;
      series.lastRun = null;
    }
    this.#touched = [];
    this.#created = [];
  }

  rollback(): void {
    for (const series of this.#touched) {
      series.draftNs = series.newestNs;
      series.lastRun = null;
    }
    for (const key of this.#created) this.#series.delete(key);
    this.#budget.left += this.#created.length;
    this.#touched = [];
    this.#created = [];
  }

  #add(key: string, newestNs: bigint, draft: boolean): Series | null {
    if (this.#budget.left <= 0) {
      this.#complete = false;
      return null;
    }
    const series = { newestNs, draftNs: newestNs, lastRun: null };
    this.#series.set(key, series);
    this.#budget.left--;
    if (draft) this.#created.push(key);
    return series;
  }
}

/**
 * The key of a series: its device and the tags that it has. Missing tags add nothing, so a tag that a later
 * schema brings leaves the keys of older series as they were. Lengths keep values with odd characters apart.
 */
export function seriesKey(device: string, tags: readonly (string | null)[]): string {
  let key = device;
  for (let i = 0; i < tags.length; i++) {
    const value = tags[i];
    if (value !== null && value !== undefined) key += `\n${i}:${value.length}:${value}`;
  }
  return key;
}
