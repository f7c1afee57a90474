import type { Cell } from '../core/index.ts';
import type { Answer, View } from '../store/index.ts';
import type { ApiContext } from './context.ts';
import { StoreTime } from './store-time.ts';

/** An answer of the store being read: holds a query slot until closed, which the client's leaving does too. */
export class Reading {
  readonly columns: readonly string[];
  readonly #answer: Answer;
  readonly #chunks: AsyncIterator<Cell[][]>;
  readonly #time: StoreTime;
  readonly #release: () => void;
  #closed = false;

  private constructor(answer: Answer, time: StoreTime, release: () => void) {
    this.columns = answer.columns;
    this.#answer = answer;
    this.#chunks = answer.chunks[Symbol.asyncIterator]();
    this.#time = time;
    this.#release = release;
  }

  /** Starts a query. Throws `too_many_queries`, `query_timeout`, or what the store throws. */
  static async open(
    { slots, queryTimeoutMs }: Pick<ApiContext, 'slots' | 'queryTimeoutMs'>,
    client: AbortSignal,
    start: (signal: AbortSignal) => Promise<Answer>,
  ): Promise<Reading> {
    const time = new StoreTime(client, queryTimeoutMs);
    const release = await time.spend(() => slots.take(time.signal));
    try {
      const answer = await time.spend(() => start(time.signal));
      const reading = new Reading(answer, time, release);
      if (client.aborted) await reading.close();
      else client.addEventListener('abort', () => void reading.close(), { once: true });
      return reading;
    } catch (error) {
      release();
      throw error;
    }
  }

  /** The next rows; null at the end. */
  async next(): Promise<Cell[][] | null> {
    if (this.#closed) return null;
    try {
      const step = await this.#time.spend(() => this.#chunks.next());
      if (step.done !== true) return step.value;
    } catch (error) {
      await this.close();
      throw error;
    }
    await this.close();
    return null;
  }

  /** What the store saw; see Answer.view for when it is known. */
  view(): View {
    return this.#answer.view();
  }

  /** Frees what the query holds. May be called at any time and more than once. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    try {
      await this.#chunks.return?.();
    } catch {
      // The reader has all it wants, or the error that led here is the one to tell.
    } finally {
      this.#release();
    }
  }
}
