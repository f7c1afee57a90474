/** So many at once, and so many a second after that. */
export class Allowance {
  readonly #most: number;
  readonly #perS: number;
  #left: number;
  #atMs = 0;

  constructor(most: number, perS: number) {
    this.#most = most;
    this.#perS = perS;
    this.#left = most;
  }

  /** Whether there is one left at this time. */
  has(nowMs: number): boolean {
    // The clock may have been put back.
    const elapsedMs = Math.max(0, nowMs - this.#atMs);
    this.#atMs = nowMs;
    this.#left = Math.min(this.#most, this.#left + (elapsedMs / 1_000) * this.#perS);
    return this.#left >= 1;
  }

  take(): void {
    this.#left--;
  }
}
