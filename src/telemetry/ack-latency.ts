/** The newest waits are kept in a ring of this many: enough for a steady 99th percentile. */
const SAMPLES = 2_048;

/** Recent ack latencies, for the page: percentiles over the last acks, in milliseconds. */
export class AckLatency {
  readonly #ring = new Float64Array(SAMPLES);
  #count = 0;

  add(ms: number): void {
    this.#ring[this.#count++ % SAMPLES] = ms;
  }

  /** The p-th percentile (0 to 1) of what the ring holds; null before the first ack. */
  percentile(p: number): number | null {
    const filled = this.#ring.slice(0, Math.min(this.#count, SAMPLES)).sort();
    return filled[Math.min(filled.length - 1, Math.floor(filled.length * p))] ?? null;
  }
}
