import { LIMITS } from '../core/index.ts';

/**
 * Pings of one WebSocket. Each of them is answered, and the answers wait with everything else that is not read. So
 * there is a number that may come within a time, and the next time begins only when the client has read something.
 */
export class Pings {
  #count = 0;
  #sinceMs = -Infinity;

  /** Whether one more is within the bound. `read`: the client has read what it was sent since the first of this time. */
  take(nowMs: number, read: boolean): boolean {
    if (read && nowMs - this.#sinceMs >= LIMITS.pingWindowMs) {
      this.#sinceMs = nowMs;
      this.#count = 0;
    }
    this.#count += 1;
    return this.#count <= LIMITS.maxPings;
  }

  /** When the time began that is counted now. */
  get sinceMs(): number {
    return this.#sinceMs;
  }
}
