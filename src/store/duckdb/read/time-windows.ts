/** Times [fromNs, toNs). */
export interface TimeWindow {
  fromNs: bigint;
  toNs: bigint;
}

/** A window becomes at most so many times wider than the one before it. */
const MOST_GROWTH = 16;

/**
 * Takes a range of time apart into windows, one after the other in the order of reading, each about as wide as it takes
 * to have the rows that are wanted. What the windows before had decides how wide the next one is.
 */
export class TimeWindows {
  readonly #order: 'asc' | 'desc';
  /** What is left to read. */
  #left: TimeWindow;
  #widthNs: bigint;
  #afterEmpty = false;

  /** `widthNs`: of the first window. */
  constructor(range: TimeWindow, order: 'asc' | 'desc', widthNs: bigint) {
    this.#left = range;
    this.#order = order;
    this.#widthNs = widthNs < 1n ? 1n : widthNs;
  }

  /** The next window; null behind the last one. */
  next(): TimeWindow | null {
    const { fromNs, toNs } = this.#left;
    if (fromNs >= toNs) return null;
    const widthNs = this.#widthNs > toNs - fromNs ? toNs - fromNs : this.#widthNs;
    return this.#order === 'asc' ? { fromNs, toNs: fromNs + widthNs } : { fromNs: toNs - widthNs, toNs };
  }

  /** The window had so many rows, and is done with. */
  passed(window: TimeWindow, rows: number, wanted: number): void {
    if (this.#order === 'asc') this.#left.fromNs = window.toNs;
    else this.#left.toNs = window.fromNs;
    const growth = Math.min(MOST_GROWTH, Math.max(1 / MOST_GROWTH, wanted / Math.max(1, rows)));
    this.#widthNs = scaled(this.#widthNs, growth);
    this.#afterEmpty = rows === 0;
  }

  /**
   * The window has more rows than are wanted: `rows` of them lie in the times of `some`. The next one is narrower.
   * Returns the part of the window that may well be empty and is worth a look before it is gone through; null where none is.
   */
  tooMany(window: TimeWindow, some: TimeWindow, rows: number, wanted: number): TimeWindow | null {
    this.#widthNs = scaled(some.toNs - some.fromNs, wanted / rows);
    const before =
      this.#order === 'asc'
        ? { fromNs: window.fromNs, toNs: some.fromNs + 1n }
        : { fromNs: some.toNs - 1n, toNs: window.toNs };
    return this.#afterEmpty && before.toNs - before.fromNs > this.#widthNs ? before : null;
  }

  /** There is nothing before this time. */
  skipTo(timeNs: bigint): void {
    if (this.#order === 'asc') this.#left.fromNs = timeNs;
    else this.#left.toNs = timeNs + 1n;
    this.#afterEmpty = false;
  }
}

function scaled(widthNs: bigint, by: number): bigint {
  const scaledNs = BigInt(Math.round(Number(widthNs) * by));
  return scaledNs < 1n ? 1n : scaledNs;
}
