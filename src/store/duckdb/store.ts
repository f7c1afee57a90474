import type { DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { MillraceError, messageOf, selectColumns, type ColumnBatch } from '../../core/index.ts';
import type {
  AggregateQuery,
  Answer,
  RefusedPoint,
  RowsQuery,
  Selection,
  Store,
  StoredDevice,
  StorePosition,
  StoreState,
} from '../store.ts';
import { aggregateColumns } from '../aggregate-columns.ts';
import { aggregateSql } from './aggregate.ts';
import { deviceSql, devicesSql, storedDevice } from './devices.ts';
import { latestSql } from './latest.ts';
import { readPosition, withRefused } from './position.ts';
import { rowsSql } from './select.ts';
import { SnapshotReader } from './snapshot.ts';
import { CATALOG, type Statement } from './sql.ts';
import type { Tables } from './tables.ts';
import { writeTransaction } from './transaction.ts';

export interface DuckDbStoreLimits {
  maxQueries: number;
  maxQueriesWaiting: number;
  /** Reading calls into DuckDB at once. */
  maxCalls: number;
  onClosed: () => void;
}

/** The embedded store: one writing connection, used in turn, and one connection per read. */
export class DuckDbStore implements Store {
  readonly kind = 'duckdb';
  readonly #instance: DuckDBInstance;
  readonly #writer: DuckDBConnection;
  readonly #tables: Tables;
  readonly #reader: SnapshotReader;
  readonly #onClosed: () => void;
  #position: StorePosition | null;
  #state: StoreState = { state: 'up', reason: null };
  /** The end of the last write that was asked for: writes run one after another. */
  #lastWrite: Promise<unknown> = Promise.resolve();
  #closed: Promise<void> | null = null;

  private constructor(
    instance: DuckDBInstance,
    writer: DuckDBConnection,
    tables: Tables,
    position: StorePosition | null,
    limits: DuckDbStoreLimits,
  ) {
    this.#instance = instance;
    this.#writer = writer;
    this.#tables = tables;
    this.#position = position;
    this.#reader = new SnapshotReader(instance, limits.maxQueries, limits.maxQueriesWaiting, limits.maxCalls);
    this.#onClosed = limits.onClosed;
  }

  /** A store over an opened database whose tables are loaded. It owns both from here on. */
  static async start(
    instance: DuckDBInstance,
    writer: DuckDBConnection,
    tables: Tables,
    limits: DuckDbStoreLimits,
  ): Promise<DuckDbStore> {
    const position = await readPosition(writer);
    return new DuckDbStore(instance, writer, tables, position, limits);
  }

  write(batches: readonly ColumnBatch[], position: StorePosition): Promise<RefusedPoint[]> {
    if (this.#closed !== null) return Promise.reject(closedError());
    const write = this.#lastWrite.then(() => this.#write(batches, position));
    this.#lastWrite = write.catch(() => undefined);
    return write;
  }

  async #write(batches: readonly ColumnBatch[], position: StorePosition): Promise<RefusedPoint[]> {
    try {
      const refused = await writeTransaction(this.#writer, this.#tables, batches, position);
      this.#position = withRefused(position, refused);
      this.#state = { state: 'up', reason: null };
      return refused;
    } catch (error) {
      this.#state = { state: 'down', reason: messageOf(error) };
      throw new MillraceError('store_unavailable', `the write failed: ${messageOf(error)}`, { cause: error });
    }
  }

  position(): StorePosition | null {
    return this.#position;
  }

  /** Nothing to do: the position travels with every write. */
  setPosition(): void {}

  async rows(query: RowsQuery, signal: AbortSignal): Promise<Answer> {
    const table = this.#tables.get(query.measurement.name);
    const statement = table === undefined ? null : rowsSql(table, query);
    return this.#stream(statement, selectColumns(query.measurement, query.fields).names, signal);
  }

  async aggregate(query: AggregateQuery, signal: AbortSignal): Promise<Answer> {
    const columns = aggregateColumns(query);
    const table = this.#tables.get(query.measurement.name);
    const statement = table === undefined ? null : aggregateSql(table, query);
    return this.#stream(statement, columns, signal);
  }

  async latest(
    selection: Pick<Selection, 'measurement' | 'fields' | 'devices' | 'tags'>,
    signal: AbortSignal,
  ): Promise<Answer> {
    const columns = selectColumns(selection.measurement, selection.fields).names;
    const table = this.#tables.get(selection.measurement.name);
    return this.#stream(table === undefined ? null : latestSql(table, selection), columns, signal);
  }

  async devices(after: string | null, limit: number, signal: AbortSignal): Promise<StoredDevice[]> {
    if (this.#closed !== null) throw closedError();
    return (await this.#reader.rows(devicesSql(after, limit), signal)).map(storedDevice);
  }

  async device(id: string, signal: AbortSignal): Promise<StoredDevice | null> {
    if (this.#closed !== null) throw closedError();
    const [row] = await this.#reader.rows(deviceSql(id), signal);
    return row === undefined ? null : storedDevice(row);
  }

  state(): StoreState {
    return this.#state;
  }

  async probe(): Promise<void> {
    if (this.#closed !== null) throw closedError();
    await this.#writer.run('SELECT 1');
  }

  /** Waits for running writes, ends reads, and folds the write-ahead log into the file. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    await this.#lastWrite;
    await this.#reader.close();
    // without a checkpoint the next start replays the log instead: slower, but nothing is lost
    await this.#writer.run(`CHECKPOINT ${CATALOG}`).catch(() => undefined);
    this.#writer.disconnectSync();
    this.#instance.closeSync();
    this.#state = { state: 'down', reason: 'closed' };
    this.#onClosed();
  }

  async #stream(
    statement: Statement | null,
    columns: readonly string[],
    signal: AbortSignal,
  ): Promise<Answer> {
    if (this.#closed !== null) throw closedError();
    return this.#reader.stream(statement, columns, signal);
  }
}

function closedError(): MillraceError {
  return new MillraceError('store_unavailable', 'the store is closed');
}
