/** How many more series may be remembered, all tables together. */
export interface SeriesBudget {
  left: number;
}

export interface Series {
  /** The newest stored time; -1 while the series has no stored row. */
  newestNs: bigint;
  /** The same with the rows of the running write. */
  draftNs: bigint;
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

  /** Raises a series' newest time for the running write. */
  advance(series: Series, timeNs: bigint): void {
    if (series.draftNs === series.newestNs) this.#touched.push(series);
    series.draftNs = timeNs;
  }

  commit(): void {
    for (const series of this.#touched) series.newestNs = series.draftNs;
    this.#touched = [];
    this.#created = [];
  }

  rollback(): void {
    for (const series of this.#touched) series.draftNs = series.newestNs;
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
    const series = { newestNs, draftNs: newestNs };
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
