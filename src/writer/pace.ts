import { LIMITS } from '../core/index.ts';

/** Share of a new measurement in what is remembered of earlier ones. */
const NEWEST_SHARE = 0.25;

/**
 * How much a batch may take and how long it may wait, by what writes take. It waits a multiple of a write's time, so
 * that a store that keeps up spends a small part of its time on the fixed cost of writes, and rows are readable soon.
 * Under load batches fill: then each may be larger by a step, until a write takes as long as is meant, and half as
 * large when it takes twice that or fails.
 */
export class Pace {
  #maxRows: number = LIMITS.storeBatchStepRows;
  #writeMs = 0;

  /** Rows at which a batch is full. */
  get maxRows(): number {
    return this.#maxRows;
  }

  /**
   * How long the first row of a batch with so many rows may wait for others, in milliseconds: the fuller it is, the
   * less there is to gain.
   */
  delayMs(rows: number): number {
    const { storeBatchMinDelayMs, storeBatchMaxDelayMs, storeBatchDelayFactor } = LIMITS;
    const ms = Math.min(storeBatchMaxDelayMs, this.#writeMs * storeBatchDelayFactor);
    return Math.max(storeBatchMinDelayMs, ms * (1 - rows / this.#maxRows));
  }

  /** A write of so many rows took `ms`. */
  wrote(rows: number, ms: number): void {
    this.#writeMs += (ms - this.#writeMs) * NEWEST_SHARE;
    if (ms > 2 * LIMITS.storeWriteMs) this.#halve();
    else if (ms < LIMITS.storeWriteMs && rows >= this.#maxRows) {
      this.#maxRows = Math.min(LIMITS.storeBatchRows, this.#maxRows + LIMITS.storeBatchStepRows);
    }
  }

  failed(): void {
    this.#halve();
  }

  #halve(): void {
    this.#maxRows = Math.max(LIMITS.storeBatchMinRows, this.#maxRows >> 1);
  }
}
