/** The shortest duration told apart, and how much wider each bucket is than the one before. */
const MIN_MS = 0.01;
const GROWTH = 1.03;
/** Up to about ten hours. */
const BUCKETS = 750;

/** Durations counted in buckets of 3 % width: percentiles of any number of them in constant memory. */
export class Latencies {
  readonly #counts = new Float64Array(BUCKETS);
  #total = 0;
  #maxMs = 0;

  add(ms: number): void {
    const bucket = ms <= MIN_MS ? 0 : Math.ceil(Math.log(ms / MIN_MS) / Math.log(GROWTH));
    const index = Math.min(bucket, BUCKETS - 1);
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
    this.#total += 1;
    this.#maxMs = Math.max(this.#maxMs, ms);
  }

  get maxMs(): number {
    return this.#maxMs;
  }

  /** The value that a share of all does not exceed, at most 3 % too high; 0 when there are none. */
  percentile(share: number): number {
    const rank = Math.max(1, Math.ceil(share * this.#total));
    let seen = 0;
    for (const [index, count] of this.#counts.entries()) {
      seen += count;
      if (seen >= rank) return Math.min(this.#maxMs, MIN_MS * GROWTH ** index);
    }
    return 0;
  }
}
