import { LIMITS } from './limits.ts';

/**
 * Cuts long synchronous work into slices: between two steps of it `await slice.pause()`, which lets the event
 * loop serve sockets and timers when the slice has had its time, and else returns at once.
 */
export class Slice {
  #endMs = performance.now() + LIMITS.sliceMs;

  /** True when the slice has had its time. */
  get over(): boolean {
    return performance.now() >= this.#endMs;
  }

  async pause(): Promise<void> {
    if (!this.over) return;
    await new Promise((resolve) => setImmediate(resolve));
    this.#endMs = performance.now() + LIMITS.sliceMs;
  }
}
