import type { DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import {
  LIMITS,
  MillraceError,
  Places,
  messageOf,
  rowsOfBatch,
  type AnswerBatch,
  type AnswerColumn,
  type Cell,
  type Leave,
} from '../../../core/index.ts';
import type { Answer, View } from '../../store.ts';
import { batchOfChunk, readRows } from '../file/cells.ts';
import { OWN, type Statement } from '../file/sql.ts';

/** Statements of one snapshot, one after another. */
export interface SnapshotStatements {
  /** The rows of a statement as they come. They are read to their end before the next statement begins. */
  batches(statement: Statement): AsyncIterable<AnswerBatch>;
  /** All rows of a small answer. */
  rows(statement: Statement): Promise<Cell[][]>;
}

/** What is to be read of a snapshot. */
export type SnapshotReading = (snapshot: SnapshotStatements) => AsyncGenerator<AnswerBatch>;

/** An interrupt that comes before its statement has started is lost, so it is repeated until the call ends. */
const INTERRUPT_EVERY_MS = 25;

/**
 * Runs reads, each on a connection of its own and in one read-only transaction together with the position:
 * what it sees is exactly what was written up to there.
 */
export class SnapshotReader {
  readonly #instance: DuckDBInstance;
  readonly #reads: Places;
  /** Calls into DuckDB at once. Each holds a thread of libuv's pool, and the writer must find one free. */
  readonly #calls: Places;
  readonly #open = new Set<Snapshot>();
  #closed: MillraceError | null = null;

  constructor(instance: DuckDBInstance, maxOpen: number, maxWaiting: number, maxCalls: number) {
    this.#instance = instance;
    this.#reads = new Places(maxOpen, maxWaiting);
    this.#calls = new Places(maxCalls, LIMITS.maxOpenReads);
  }

  /** Streams what `reading` finds; without one the answer has no rows, only the position. */
  async stream(
    reading: SnapshotReading | null,
    columns: readonly AnswerColumn[],
    signal: AbortSignal,
  ): Promise<Answer> {
    const snapshot = await this.#begin(signal);
    try {
      const view: View = { ...(await snapshot.position()), exact: true };
      const chunks = reading === null ? null : await snapshot.run(reading);
      if (chunks === null) await snapshot.release();
      return { columns, view: () => view, chunks: { [Symbol.asyncIterator]: () => chunks ?? nothing() } };
    } catch (error) {
      await snapshot.release();
      throw error;
    }
  }

  /** All rows of a small answer. */
  async rows(statement: Statement, signal: AbortSignal): Promise<Cell[][]> {
    const answer = await this.stream(reads(statement), [], signal);
    return rowsOf(answer.chunks);
  }

  /** Ends all open reads with `reason`, and those that come. */
  async close(reason: MillraceError): Promise<void> {
    this.#closed = reason;
    await Promise.all([...this.#open].map((snapshot) => snapshot.cancel(reason)));
  }

  async #begin(signal: AbortSignal): Promise<Snapshot> {
    let leave: Leave;
    try {
      leave = await this.#reads.take(signal);
    } catch (error) {
      throw readError(error, signal.reason);
    }
    try {
      // those who waited while the store closed come here one after another
      if (this.#closed !== null) throw new MillraceError('store_unavailable', this.#closed.message);
      const connection = await this.#instance.connect();
      const snapshot: Snapshot = new Snapshot(connection, this.#calls, signal, () => {
        this.#open.delete(snapshot);
        leave();
      });
      this.#open.add(snapshot);
      return snapshot;
    } catch (error) {
      leave();
      throw readError(error, null);
    }
  }
}

/** One read transaction. Everything it holds is freed by release(), which may be called often. */
class Snapshot implements SnapshotStatements {
  readonly #connection: DuckDBConnection;
  readonly #calls: Places;
  readonly #signal: AbortSignal;
  readonly #onRelease: () => void;
  readonly #onAbort: () => void;
  #running: Promise<unknown> = Promise.resolve();
  #busy = false;
  #cancelled: unknown = null;
  #released: Promise<void> | null = null;

  constructor(connection: DuckDBConnection, calls: Places, signal: AbortSignal, onRelease: () => void) {
    this.#connection = connection;
    this.#calls = calls;
    this.#signal = signal;
    this.#onRelease = onRelease;
    this.#onAbort = () => void this.cancel(signal.reason);
    signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** Begins the transaction; whose journal's position its snapshot has, 0 before the first write. */
  async position(): Promise<Pick<View, 'position' | 'epoch'>> {
    const [row] = await this.#call(() =>
      readRows(this.#connection, `BEGIN TRANSACTION READ ONLY; SELECT epoch, position FROM ${OWN}.position`),
    );
    return row === undefined
      ? { epoch: null, position: 0 }
      : { epoch: String(row[0]), position: Number(row[1]) };
  }

  async *batches({ text, values }: Statement): AsyncGenerator<AnswerBatch> {
    const result = await this.#call(() => this.#connection.stream(text, values));
    for (;;) {
      const chunk = await this.#call(() => result.fetchChunk());
      if (chunk === null || chunk.rowCount === 0) return;
      yield batchOfChunk(chunk);
    }
  }

  rows(statement: Statement): Promise<Cell[][]> {
    return rowsOf(this.batches(statement));
  }

  /** Starts a reading and reads one batch ahead, so that a short answer holds nothing while it is used. */
  async run(reading: SnapshotReading): Promise<AsyncIterator<AnswerBatch>> {
    const batches = reading(this);
    const step = async (): Promise<AnswerBatch | null> => {
      const { done, value } = await batches.next();
      if (done !== true) return value;
      await this.release();
      return null;
    };
    let ahead = await step();
    return {
      next: async () => {
        const value = ahead;
        if (value === null) return { done: true, value: undefined };
        ahead = await step();
        return { done: false, value };
      },
      return: async () => {
        ahead = null;
        await this.release();
        return { done: true, value: undefined };
      },
    };
  }

  async cancel(reason: unknown): Promise<void> {
    this.#cancelled ??= reason;
    if (!this.#busy) return this.release();
    const interrupting = setInterval(() => this.#connection.interrupt(), INTERRUPT_EVERY_MS);
    this.#connection.interrupt();
    await this.#running.catch(() => undefined);
    clearInterval(interrupting);
    return this.release();
  }

  release(): Promise<void> {
    this.#released ??= this.#end();
    return this.#released;
  }

  async #end(): Promise<void> {
    this.#signal.removeEventListener('abort', this.#onAbort);
    await this.#running.catch(() => undefined);
    // a streaming result keeps its transaction open until it is collected: end it here
    await this.#connection.run('ROLLBACK').catch(() => undefined);
    this.#connection.disconnectSync();
    this.#onRelease();
  }

  /** One call into DuckDB. A failed one ends the snapshot. */
  async #call<T>(work: () => Promise<T>): Promise<T> {
    try {
      const leave = await this.#calls.take(this.#signal);
      try {
        this.#check();
        this.#busy = true;
        const running = work();
        this.#running = running;
        const value = await running;
        this.#check();
        return value;
      } finally {
        this.#busy = false;
        leave();
      }
    } catch (error) {
      await this.release();
      throw readError(error, this.#cancelled);
    }
  }

  #check(): void {
    if (this.#cancelled !== null) throw this.#cancelled;
    if (this.#released !== null) throw new MillraceError('internal', 'the read has already ended');
  }
}

/** The reading of one statement. */
export function reads(statement: Statement): SnapshotReading {
  return async function* (snapshot) {
    yield* snapshot.batches(statement);
  };
}

async function rowsOf(batches: AsyncIterable<AnswerBatch>): Promise<Cell[][]> {
  const rows: Cell[][] = [];
  for await (const batch of batches) rows.push(...rowsOfBatch(batch));
  return rows;
}

function nothing(): AsyncIterator<AnswerBatch> {
  return { next: () => Promise.resolve({ done: true, value: undefined }) };
}

/** What a failed read means to its caller. */
function readError(error: unknown, cancelled: unknown): MillraceError {
  if (cancelled instanceof MillraceError) return cancelled;
  if (cancelled !== null && cancelled !== undefined) {
    return new MillraceError('query_timeout', 'the query was stopped before its end', { cause: error });
  }
  if (error instanceof MillraceError) return error;
  if (messageOf(error).startsWith('Out of Memory Error')) {
    const message = `the query needs more memory than all queries have left: ${messageOf(error)}`;
    return new MillraceError('too_many_queries', message, { cause: error });
  }
  return new MillraceError('store_unavailable', `the query failed: ${messageOf(error)}`, { cause: error });
}
