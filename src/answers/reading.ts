import type { AnswerBatch, AnswerColumn, Places } from '../core/index.ts';
import type { Answer, View } from '../store/index.ts';
import { StoreTime } from './store-time.ts';

/** What a reading may cost. */
export interface ReadingBounds {
  /** Time that it may cost the store, in milliseconds. Waiting for a place does not count. */
  timeoutMs: number;
  /** Where each step of the store's work takes a place. */
  work: Places;
}

/** An answer of the store being read. It is given back by its end, by `close`, or by the signal. */
export class Reading {
  readonly columns: readonly AnswerColumn[];
  readonly #answer: Answer;
  readonly #chunks: AsyncIterator<AnswerBatch>;
  readonly #time: StoreTime;
  readonly #work: Places;
  #closed = false;

  private constructor(answer: Answer, time: StoreTime, work: Places) {
    this.columns = answer.columns;
    this.#answer = answer;
    this.#chunks = answer.chunks[Symbol.asyncIterator]();
    this.#time = time;
    this.#work = work;
  }

  /** Starts a query. Throws `query_timeout`, or what the store throws. */
  static async open(
    { timeoutMs, work }: ReadingBounds,
    signal: AbortSignal,
    start: (signal: AbortSignal) => Promise<Answer>,
  ): Promise<Reading> {
    const time = new StoreTime(signal, timeoutMs);
    const answer = await atWork(work, time, () => start(time.signal));
    const reading = new Reading(answer, time, work);
    if (signal.aborted) await reading.close();
    else signal.addEventListener('abort', () => void reading.close(), { once: true });
    return reading;
  }

  /** The next rows; null at the end. */
  async next(): Promise<AnswerBatch | null> {
    if (this.#closed) return null;
    try {
      const step = await atWork(this.#work, this.#time, () => this.#chunks.next());
      if (step.done !== true) return step.value;
    } catch (error) {
      // Closed meanwhile, because the client left: how the store puts that is nobody's concern.
      if (this.#closed) return null;
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
    }
  }
}

async function atWork<T>(work: Places, time: StoreTime, step: () => Promise<T>): Promise<T> {
  const leave = await work.take(time.signal);
  try {
    return await time.spend(step);
  } finally {
    leave();
  }
}
