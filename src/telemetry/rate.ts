/** The average growth of a counter over the last seconds. */
export class Rate {
  readonly #windowMs: number;
  #marks: { atMs: number; total: number }[] = [];

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  /** Notes the counter now and returns its growth per second over the window. */
  perSecond(total: number, nowMs: number): number {
    this.#marks.push({ atMs: nowMs, total });
    while (this.#marks.length > 2 && (this.#marks[1]?.atMs ?? nowMs) <= nowMs - this.#windowMs)
      this.#marks.shift();
    const oldest = this.#marks[0];
    if (oldest === undefined || nowMs <= oldest.atMs) return 0;
    return ((total - oldest.total) * 1000) / (nowMs - oldest.atMs);
  }
}
