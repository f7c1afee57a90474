import { LIMITS, type Clock } from '../../core/index.ts';

const FIRST_MS = 100;

/** How long a process that ended stays down: longer each time, until one has run for a while. */
export class RestartDelay {
  readonly #clock: Clock;
  readonly #random: () => number;
  #failures = 0;

  constructor(clock: Clock, random: () => number) {
    this.#clock = clock;
    this.#random = random;
  }

  /** A process that ran since `startedMs` has ended. */
  ended(startedMs: number): void {
    if (this.#clock.nowMs() - startedMs > LIMITS.processRestartMaxMs) this.#failures = 0;
  }

  /** The end of the last one was of use: the next need not wait for long. */
  progressed(): void {
    this.#failures = 0;
  }

  /** The wait before the next start, in milliseconds. */
  nextMs(): number {
    const mostMs = Math.min(LIMITS.processRestartMaxMs, FIRST_MS * 2 ** this.#failures++);
    return mostMs * (0.5 + this.#random() / 2);
  }
}
