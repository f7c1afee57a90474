import { MillraceError } from '../core/index.ts';

/**
 * The time that one query may cost the store. It passes only while the store is at work, so that a slow
 * reader of a large answer does not lose it half-way. `signal` fires when it is used up or the client has gone.
 */
export class StoreTime {
  readonly #abort = new AbortController();
  readonly signal: AbortSignal;
  readonly #budgetMs: number;
  #usedMs = 0;
  #expired = false;

  constructor(client: AbortSignal, budgetMs: number) {
    this.signal = AbortSignal.any([client, this.#abort.signal]);
    this.#budgetMs = budgetMs;
  }

  /** Runs a step of the query. Throws `query_timeout` when the time is used up meanwhile. */
  async spend<T>(step: () => Promise<T>): Promise<T> {
    const startMs = performance.now();
    const timer = setTimeout(
      () => {
        this.#expired = true;
        this.#abort.abort();
      },
      Math.max(0, this.#budgetMs - this.#usedMs),
    );
    try {
      return await step();
    } catch (error) {
      if (!this.#expired) throw error;
      throw new MillraceError('query_timeout', `the query took more than ${this.#budgetMs} ms`, {
        cause: error,
      });
    } finally {
      clearTimeout(timer);
      this.#usedMs += performance.now() - startMs;
    }
  }
}
