import type { ReadPlaces, ReadSize } from '../../answers/index.ts';
import { LIMITS, MillraceError, type AnswerBatch } from '../../core/index.ts';
import type { Answer, Store } from '../../store/index.ts';
import { fromPlain, type PlainError } from '../process-calls.ts';
import type { OpenedRead, ReadPage, ReadRequest } from './calls.ts';

interface OpenRead {
  abort: AbortController;
  answer: Answer | null;
  batches: AsyncIterator<AnswerBatch> | null;
}

/** Reads that another process has under way in this one's store, page by page as it asks for them. */
export class ServedReads {
  readonly #store: () => Store;
  readonly #work: ReadPlaces['work'];
  readonly #reads = new Map<number, OpenRead>();

  /** `work`: where each step of the store's work takes a place. */
  constructor(store: () => Store, work: ReadPlaces['work']) {
    this.#store = store;
    this.#work = work;
  }

  async open(id: number, request: ReadRequest): Promise<OpenedRead> {
    const read = this.#begin(id);
    try {
      read.answer = await this.#atWork('large', read, () => ask(this.#store(), request, read.abort.signal));
      read.batches = read.answer.chunks[Symbol.asyncIterator]();
    } catch (error) {
      this.#reads.delete(id);
      throw error;
    }
    const { columns } = read.answer;
    return { columns, ...(await this.next(id)) };
  }

  async next(id: number): Promise<ReadPage> {
    const read = this.#reads.get(id);
    if (read === undefined || read.batches === null || read.answer === null) {
      throw new MillraceError('internal', 'the read has ended');
    }
    try {
      const { batches } = read;
      const { done, value } = await this.#atWork('large', read, () => batches.next());
      if (done === true) this.#reads.delete(id);
      return { batch: done === true ? null : value, view: read.answer.view() };
    } catch (error) {
      this.#reads.delete(id);
      throw error;
    }
  }

  /** A read whose answer comes in one piece. */
  async whole<T>(id: number, ask: (store: Store, signal: AbortSignal) => Promise<T>): Promise<T> {
    const read = this.#begin(id);
    try {
      return await this.#atWork('small', read, () => ask(this.#store(), read.abort.signal));
    } finally {
      this.#reads.delete(id);
    }
  }

  end(id: number, reason: PlainError | null): void {
    const read = this.#reads.get(id);
    if (read === undefined) return;
    this.#reads.delete(id);
    read.abort.abort(reason === null ? undefined : fromPlain(reason));
    // Frees what it holds; that it was stopped, it need not tell.
    void read.batches?.return?.().catch(() => {});
  }

  async #atWork<T>(size: ReadSize, { abort }: OpenRead, step: () => Promise<T>): Promise<T> {
    const leave = await this.#work[size].take(abort.signal);
    try {
      return await step();
    } finally {
      leave();
    }
  }

  #begin(id: number): OpenRead {
    if (this.#reads.size >= LIMITS.maxStoreReads) {
      throw new MillraceError('too_many_queries', `the store has ${this.#reads.size} reads under way`);
    }
    const read = { abort: new AbortController(), answer: null, batches: null };
    this.#reads.set(id, read);
    return read;
  }
}

function ask(store: Store, request: ReadRequest, signal: AbortSignal): Promise<Answer> {
  switch (request.kind) {
    case 'rows':
      return store.rows(request.query, signal);
    case 'aggregate':
      return store.aggregate(request.query, signal);
    case 'latest':
      return store.latest(request.query, signal);
  }
}
