import { MillraceError } from '../core/index.ts';

/** Bounds the queries at work: so many run, so many wait in order, the others are refused at once. */
export class QuerySlots {
  readonly #maxRunning: number;
  readonly #maxWaiting: number;
  #running = 0;
  readonly #waiting = new Set<() => void>();

  constructor(maxRunning: number, maxWaiting: number) {
    this.#maxRunning = maxRunning;
    this.#maxWaiting = maxWaiting;
  }

  get running(): number {
    return this.#running;
  }

  /** Waits for a slot and resolves with the way to give it back. Throws `too_many_queries`. */
  async take(signal: AbortSignal): Promise<() => void> {
    if (this.#running >= this.#maxRunning) await this.#wait(signal);
    else this.#running++;
    let held = true;
    return () => {
      if (held) this.#release();
      held = false;
    };
  }

  /** Resolves with a slot that was handed on: `#running` counts it already. */
  #wait(signal: AbortSignal): Promise<void> {
    if (this.#waiting.size >= this.#maxWaiting) {
      throw new MillraceError(
        'too_many_queries',
        `${this.#running} queries run and ${this.#waiting.size} wait`,
      );
    }
    return new Promise((resolve, reject) => {
      const give = (): void => {
        signal.removeEventListener('abort', leave);
        resolve();
      };
      const leave = (): void => {
        this.#waiting.delete(give);
        reject(new MillraceError('query_timeout', 'the wait for a free query slot ended'));
      };
      if (signal.aborted) {
        leave();
        return;
      }
      this.#waiting.add(give);
      signal.addEventListener('abort', leave, { once: true });
    });
  }

  #release(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#running--;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}
