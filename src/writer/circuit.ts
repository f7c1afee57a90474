import type { Clock } from '../core/index.ts';
import { backoffMs } from './backoff.ts';

/**
 * `closed`: batches go to the store. `open`: none does until the wait is over. `half-open`: it is, and the store
 * is asked whether it takes writes before it is sent a batch again.
 */
export type CircuitState = 'closed' | 'open' | 'half-open';

export interface CircuitOptions {
  /** Failures one after another that open it. */
  openAfter: number;
  /** Bounds of the waits, which double from the first to the second. */
  baseMs: number;
  maxMs: number;
  /** The longest wait that a store is granted when it asks for one. */
  maxAskedMs: number;
  /** A steady one. */
  clock: Clock;
  random: () => number;
}

/**
 * When to try a store again, and with what. Waits follow every failure; from `openAfter` failures on, a store that
 * is away is not sent a batch only to find out that it still is.
 */
export class Circuit {
  readonly #options: CircuitOptions;
  #state: CircuitState = 'closed';
  #failures = 0;
  #retryAtMs = 0;

  constructor(options: CircuitOptions) {
    this.#options = options;
  }

  get state(): CircuitState {
    return this.#state;
  }

  /** Failures since the last success. */
  get failures(): number {
    return this.#failures;
  }

  /** Milliseconds until the next try; 0 when it may be made now. */
  retryInMs(): number {
    return this.#failures === 0 ? 0 : Math.max(0, this.#retryAtMs - this.#options.clock.nowMs());
  }

  /** What to try, once the wait is over. */
  attempt(): 'write' | 'probe' {
    if (this.#state === 'closed') return 'write';
    this.#state = 'half-open';
    return 'probe';
  }

  /** A write or a probe failed; the store itself asked for a wait of `retryAfterMs`, or 0. Returns the wait. */
  failed(retryAfterMs: number): number {
    const { openAfter, baseMs, maxMs, maxAskedMs, clock, random } = this.#options;
    const askedMs = Math.min(retryAfterMs, maxAskedMs);
    const waitMs = Math.max(backoffMs(this.#failures, baseMs, maxMs, random), askedMs);
    this.#failures++;
    this.#retryAtMs = clock.nowMs() + waitMs;
    if (this.#failures >= openAfter) this.#state = 'open';
    return waitMs;
  }

  /** A write went well. */
  succeeded(): void {
    this.#state = 'closed';
    this.#failures = 0;
  }
}
