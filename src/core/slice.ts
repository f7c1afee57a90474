import { LIMITS } from './limits.ts';

/**
 * Cuts long synchronous work into slices: between two steps of it `await slice.pause()`, which lets the event
 * loop serve sockets and timers when the slice has had its time, and else returns at once.
 */
export class Slice {
  readonly #ms: number;
  #endMs: number;

  /** `ms`: how long a slice lasts. */
  constructor(ms: number = LIMITS.sliceMs) {
    this.#ms = ms;
    this.#endMs = performance.now() + ms;
  }

  /** True when the slice has had its time. */
  get over(): boolean {
    return performance.now() >= this.#endMs;
  }

  async pause(): Promise<void> {
    if (!this.over) return;
    await new Promise((resolve) => setImmediate(resolve));
    this.#endMs = performance.now() + this.#ms;
  }
}
