import { LIMITS, MillraceError } from '../../core/index.ts';
import { queryEnded } from './transport.ts';

/** Lets a bounded number of queries run at once and a bounded number wait, in order of arrival. */
export class QueryPermits {
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  /** Resolves with the way to give the permit back (once). Throws `too_many_queries`, or the signal's end. */
  async take(signal: AbortSignal): Promise<() => void> {
    if (signal.aborted) throw queryEnded(signal);
    if (this.#running < LIMITS.maxQueries) this.#running++;
    else await this.#wait(signal);
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    };
  }

  /** Waits until another query hands its permit over. */
  #wait(signal: AbortSignal): Promise<void> {
    if (this.#waiting.length >= LIMITS.maxQueriesWaiting) {
      throw new MillraceError('too_many_queries', `${LIMITS.maxQueriesWaiting} queries are waiting already`);
    }
    return new Promise((resolve, reject) => {
      const go = (): void => {
        signal.removeEventListener('abort', end);
        resolve();
      };
      const end = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(go), 1);
        reject(queryEnded(signal));
      };
      this.#waiting.push(go);
      signal.addEventListener('abort', end, { once: true });
    });
  }
}
