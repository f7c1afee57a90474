import type { BirpcReturn } from 'birpc';
import {
  stopped,
  type AnswerPiece,
  type AnswerRequest,
  type AnswerSource,
  type OpenAnswer,
} from '../../answers/index.ts';
import { type MillraceError, type AnswerBatch } from '../../core/index.ts';
import type {
  AggregateQuery,
  Answer,
  DeviceQuery,
  DevicesQuery,
  RowsQuery,
  Selection,
  Store,
  StoredDevice,
} from '../../store/index.ts';
import { plain } from '../process-calls.ts';
import type { OpenedRead, ReadRequest, WriterHostCalls, WriterCalls } from './calls.ts';

export type RemoteWriter = BirpcReturn<WriterCalls, WriterHostCalls>;

/** The reading half of the store that the writer process has open, and the answers that it makes of it. */
export class RemoteStore
  implements Pick<Store, 'kind' | 'rows' | 'aggregate' | 'latest' | 'devices' | 'device'>, AnswerSource
{
  readonly kind: Store['kind'];
  readonly #calls: () => RemoteWriter;
  #lastId = 0;

  /** `calls` throws `store_unavailable` while no writer process runs. */
  constructor(kind: Store['kind'], calls: () => RemoteWriter) {
    this.kind = kind;
    this.#calls = calls;
  }

  rows(query: RowsQuery, signal: AbortSignal): Promise<Answer> {
    return this.#rows({ kind: 'rows', query }, signal);
  }

  aggregate(query: AggregateQuery, signal: AbortSignal): Promise<Answer> {
    return this.#rows({ kind: 'aggregate', query }, signal);
  }

  latest(
    query: Pick<Selection, 'measurement' | 'fields' | 'devices' | 'tags'>,
    signal: AbortSignal,
  ): Promise<Answer> {
    return this.#rows({ kind: 'latest', query }, signal);
  }

  async open(request: AnswerRequest, signal: AbortSignal): Promise<OpenAnswer> {
    const read = this.#read(signal);
    const passedOn = (piece: AnswerPiece): AnswerPiece => (piece.last ? read.end(piece) : piece);
    const { facts, first } = await read.step((calls, id) => calls.openAnswer(id, request));
    return {
      facts,
      first: passedOn(first),
      next: async () => passedOn(await read.step((calls, id) => calls.nextPiece(id))),
      close: () => Promise.resolve(read.leave()),
    };
  }

  async devices(query: DevicesQuery, signal: AbortSignal): Promise<StoredDevice[]> {
    const read = this.#read(signal);
    return read.end(await read.step((calls, id) => calls.devices(id, query)));
  }

  async device(query: DeviceQuery, signal: AbortSignal): Promise<StoredDevice | null> {
    const read = this.#read(signal);
    return read.end(await read.step((calls, id) => calls.device(id, query)));
  }

  async #rows(request: ReadRequest, signal: AbortSignal): Promise<Answer> {
    const read = this.#read(signal);
    const first = await read.step((calls, id) => calls.openRead(id, request));
    let { view } = first;
    return {
      columns: first.columns,
      view: () => view,
      chunks: pages(read, first, (page) => {
        ({ view } = page);
      }),
    };
  }

  #read(signal: AbortSignal): RemoteRead {
    return new RemoteRead(this.#calls(), ++this.#lastId, signal);
  }
}

async function* pages(
  read: RemoteRead,
  first: OpenedRead,
  onPage: (page: Omit<OpenedRead, 'columns'>) => void,
): AsyncGenerator<AnswerBatch> {
  try {
    for (let { batch } = first; batch !== null;) {
      yield batch;
      const page = await read.step((calls, id) => calls.nextPage(id));
      onPage(page);
      ({ batch } = page);
    }
    read.end(null);
  } finally {
    read.leave();
  }
}

/** One read in the writer process. It ends when its signal says so, whether or not that process answers. */
class RemoteRead {
  readonly #calls: RemoteWriter;
  readonly #id: number;
  readonly #signal: AbortSignal;
  #ended = false;
  #stop: (error: MillraceError) => void = () => {};
  readonly #onAbort = (): void => {
    const error = stopped(this.#signal.reason);
    this.#leave(error);
    this.#stop(error);
  };

  constructor(calls: RemoteWriter, id: number, signal: AbortSignal) {
    this.#calls = calls;
    this.#id = id;
    this.#signal = signal;
    signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** One call of it. After a failure the read has ended. */
  async step<T>(call: (calls: RemoteWriter, id: number) => Promise<T>): Promise<T> {
    try {
      if (this.#signal.aborted) throw stopped(this.#signal.reason);
      return await new Promise<T>((resolve, reject) => {
        this.#stop = reject;
        call(this.#calls, this.#id).then(resolve, reject);
      });
    } catch (error) {
      this.end(null);
      throw error;
    }
  }

  /** The other process has told its end; passes `value` on. */
  end<T>(value: T): T {
    this.#ended = true;
    this.#signal.removeEventListener('abort', this.#onAbort);
    return value;
  }

  /** Gives the read up, unless it has ended. */
  leave(): void {
    this.#leave(null);
  }

  #leave(reason: MillraceError | null): void {
    if (this.#ended) return;
    this.end(null);
    this.#calls.endRead.asEvent(this.#id, reason === null ? null : plain(reason)).catch(() => {});
  }
}
