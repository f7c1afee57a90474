import type { AnswerBatch, AnswerColumn } from '../core/index.ts';
import type { Answer, View } from '../store/index.ts';
import type { ApiContext } from './context.ts';
import { StoreTime } from './store-time.ts';

/** An answer of the store being read. It is given back by its end, by `close`, or by the client's leaving. */
export class Reading {
  readonly columns: readonly AnswerColumn[];
  readonly #answer: Answer;
  readonly #chunks: AsyncIterator<AnswerBatch>;
  readonly #time: StoreTime;
  #closed = false;

  private constructor(answer: Answer, time: StoreTime) {
    this.columns = answer.columns;
    this.#answer = answer;
    this.#chunks = answer.chunks[Symbol.asyncIterator]();
    this.#time = time;
  }

  /** Starts a query. Throws `query_timeout`, or what the store throws. */
  static async open(
    { queryTimeoutMs }: Pick<ApiContext, 'queryTimeoutMs'>,
    client: AbortSignal,
    start: (signal: AbortSignal) => Promise<Answer>,
  ): Promise<Reading> {
    const time = new StoreTime(client, queryTimeoutMs);
    const reading = new Reading(await time.spend(() => start(time.signal)), time);
    if (client.aborted) await reading.close();
    else client.addEventListener('abort', () => void reading.close(), { once: true });
    return reading;
  }

  /** The next rows; null at the end. */
  async next(): Promise<AnswerBatch | null> {
    if (this.#closed) return null;
    try {
      const step = await this.#time.spend(() => this.#chunks.next());
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
