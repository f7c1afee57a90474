import { MillraceError } from './errors.ts';

/** Gives a place back; the second call does nothing. */
export type Leave = () => void;

/**
 * A bounded number of places for work that runs at once. Who comes when all are taken waits, in order of arrival, up to
 * a bounded number.
 */
export class Places {
  readonly #places: number;
  readonly #maxWaiting: number;
  #free: number;
  readonly #waiting = new Set<() => void>();

  constructor(places: number, maxWaiting = Infinity) {
    this.#places = places;
    this.#free = places;
    this.#maxWaiting = maxWaiting;
  }

  get taken(): number {
    return this.#places - this.#free;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /**
   * Resolves with the way to give the place back. Rejects with `too_many_queries` when too many wait already, and
   * with the signal's reason when that fires first.
   */
  async take(signal?: AbortSignal): Promise<Leave> {
    signal?.throwIfAborted();
    if (this.#free > 0) this.#free--;
    else await this.#wait(signal);
    let held = true;
    return () => {
      if (held) this.#pass();
      held = false;
    };
  }

  async #wait(signal: AbortSignal | undefined): Promise<void> {
    if (this.#waiting.size >= this.#maxWaiting) {
      throw new MillraceError('too_many_queries', `${this.#maxWaiting} queries are waiting already`);
    }
    await new Promise<void>((resolve, reject) => {
      const enter = (): void => {
        signal?.removeEventListener('abort', abandon);
        resolve();
      };
      const abandon = (): void => {
        this.#waiting.delete(enter);
        reject(signal?.reason);
      };
      this.#waiting.add(enter);
      signal?.addEventListener('abort', abandon, { once: true });
    });
  }

  /** Hands the place to who has waited longest. */
  #pass(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#free++;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}
