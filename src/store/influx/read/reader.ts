import {
  batchOfRows,
  type AnswerBatch,
  type AnswerColumn,
  type Cell,
  type Leave,
  type Places,
} from '../../../core/index.ts';
import type { Answer, View } from '../../store.ts';
import { readAnswer, type SeriesPiece } from '../transport/answer.ts';
import { queryEnded, type InfluxTransport } from '../transport/transport.ts';

/** Runs InfluxQL statements as one request and gives their answers in order. */
export type RunStatements = (statements: readonly string[]) => AsyncIterable<SeriesPiece>;

/**
 * Holds a place for as long as a read takes. `onResult` hears how each read of the server ended: null where
 * it went well.
 */
export class InfluxReader {
  readonly #transport: InfluxTransport;
  readonly #places: Places;
  readonly #onResult: (error: unknown) => void;

  constructor(transport: InfluxTransport, places: Places, onResult: (error: unknown) => void) {
    this.#transport = transport;
    this.#places = places;
    this.#onResult = onResult;
  }

  /** A read that is taken whole. */
  async collect<T>(signal: AbortSignal, read: (run: RunStatements) => Promise<T>): Promise<T> {
    const release = await this.#take(signal);
    try {
      return await read(this.#runner(signal));
    } finally {
      release();
    }
  }

  /**
   * A read that streams. Its first chunk is fetched before this resolves, so that a store that is away is told by a
   * rejection and not in the middle of an answer.
   */
  async stream(
    columns: readonly AnswerColumn[],
    view: () => View,
    signal: AbortSignal,
    read: (run: RunStatements) => AsyncIterable<Cell[][]>,
  ): Promise<Answer> {
    const release = await this.#take(signal);
    const chunks = read(this.#runner(signal))[Symbol.asyncIterator]();
    const end = async (): Promise<void> => {
      signal.removeEventListener('abort', abandon);
      release();
      await chunks.return?.();
    };
    // A reader may give up an answer that it never began to read.
    const abandon = (): void => void end().catch(() => {});
    let first: IteratorResult<Cell[][], unknown>;
    try {
      first = await chunks.next();
    } catch (error) {
      release();
      throw error;
    }
    signal.addEventListener('abort', abandon, { once: true });
    const rest = async function* (): AsyncGenerator<AnswerBatch, void, undefined> {
      try {
        for (let step = first; step.done !== true; step = await chunks.next()) {
          if (signal.aborted) throw queryEnded(signal);
          yield batchOfRows(columns, step.value);
        }
        if (signal.aborted) throw queryEnded(signal);
      } finally {
        await end();
      }
    };
    if (first.done === true) await end();
    return { columns, view, chunks: rest() };
  }

  async #take(signal: AbortSignal): Promise<Leave> {
    try {
      return await this.#places.take(signal);
    } catch (error) {
      throw signal.aborted ? queryEnded(signal) : error;
    }
  }

  #runner(signal: AbortSignal): RunStatements {
    const transport = this.#transport;
    const onResult = this.#onResult;
    return async function* run(statements) {
      try {
        yield* readAnswer(transport.query(statements.join(';'), signal), statements.length);
        onResult(null);
      } catch (error) {
        onResult(error);
        throw error;
      }
    };
  }
}
