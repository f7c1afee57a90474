import { MillraceError } from '../../core/index.ts';

interface Waiter {
  enter: () => void;
}

/** Lets a bounded number in at once, in the order of arrival. */
export class Semaphore {
  #free: number;
  readonly #maxWaiting: number;
  readonly #waiting = new Set<Waiter>();

  /** Beyond `maxWaiting` who wait, acquire() rejects with `too_many_queries`. */
  constructor(slots: number, maxWaiting: number) {
    this.#free = slots;
    this.#maxWaiting = maxWaiting;
  }

  /** Waits for a slot. Rejects with the signal's reason when that fires first. */
  async acquire(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (this.#free > 0) {
      this.#free--;
      return;
    }
    if (this.#waiting.size >= this.#maxWaiting) {
      throw new MillraceError('too_many_queries', `${this.#maxWaiting} queries are already waiting`);
    }
    await new Promise<void>((resolve, reject) => {
      const abandon = (): void => {
        if (this.#waiting.delete(waiter)) reject(signal?.reason);
      };
      const waiter: Waiter = {
        enter: () => {
          signal?.removeEventListener('abort', abandon);
          resolve();
        },
      };
      this.#waiting.add(waiter);
      signal?.addEventListener('abort', abandon, { once: true });
    });
  }

  release(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#free++;
      return;
    }
    this.#waiting.delete(next);
    next.enter();
  }
}
