import {
  LIMITS,
  MillraceError,
  messageOf,
  selectColumns,
  type AnswerColumn,
  type ColumnBatch,
} from '../../core/index.ts';
import { requireDescriptor } from '../../files/index.ts';
import type {
  AggregateQuery,
  Answer,
  DeviceQuery,
  DevicesQuery,
  RefusedPoint,
  RowsQuery,
  Selection,
  Store,
  StoredDevice,
  StorePosition,
  StoreState,
  StoreTraits,
} from '../store.ts';
import { aggregateColumns } from '../shared/aggregate-columns.ts';
import { aggregateSql } from './read/aggregate.ts';
import type { Database } from './database.ts';
import { deviceSql, devicesSql, storedDevice } from './read/devices.ts';
import { isOfTheStore } from './file/failure.ts';
import { latestSql } from './read/latest.ts';
import { withRefused } from './write/position.ts';
import { rowsReading } from './read/rows.ts';
import { reads, type SnapshotReading } from './read/snapshot.ts';
import { OWN } from './file/sql.ts';
import type { Table } from './file/tables.ts';
import { writeTransaction } from './write/transaction.ts';

export const DUCKDB_TRAITS: StoreTraits = {
  keepsPosition: true,
  longestCallMs: LIMITS.storeCallMs,
  dropsOldPoints: false,
};

/**
 * The embedded store: one writing connection, used in turn, and one connection per read. After a failure that leaves
 * the database unusable, the next write or probe opens the file anew; reads are refused until then.
 */
export class DuckDbStore implements Store {
  readonly kind = 'duckdb';
  readonly traits = DUCKDB_TRAITS;
  readonly #open: () => Promise<Database>;
  readonly #onClosed: () => void;
  /** Null between a failure that made the database unusable and its next opening. */
  #database: Database | null;
  #position: StorePosition | null;
  /** Position of the last write that was asked for. It may be in the file although the write was reported as failed. */
  #asked: StorePosition | null = null;
  #state: StoreState = { state: 'up', reason: null };
  /** The end of the last write or probe that was asked for: they run one after another. */
  #last: Promise<unknown> = Promise.resolve();
  #closed: Promise<void> | null = null;

  /** `open` opens the same file again, after `database` was abandoned. The store owns both from here on. */
  constructor(database: Database, open: () => Promise<Database>, onClosed: () => void) {
    this.#database = database;
    this.#position = database.position;
    this.#open = open;
    this.#onClosed = onClosed;
  }

  write(batches: readonly ColumnBatch[], position: StorePosition): Promise<RefusedPoint[]> {
    return this.#inTurn('the write failed', async (database) => {
      const { writer, tables, filler } = database;
      this.#asked = position;
      try {
        const refused = await writeTransaction(writer, tables, filler, batches, position);
        this.#position = withRefused(position, refused);
        return refused;
      } catch (cause) {
        if (isOfTheStore(cause)) throw cause;
        // It takes other writes: throws where it does not.
        await probe(database);
        throw new MillraceError('store_refused', `DuckDB refused the write: ${messageOf(cause)}`, { cause });
      }
    });
  }

  /** Commits a change of nothing: it shows a full disk as a write would. */
  probe(): Promise<void> {
    return this.#inTurn('the store takes no writes', probe);
  }

  /** Runs `work` after all that was asked for before, on a database that works as far as is known. */
  #inTurn<T>(what: string, work: (database: Database) => Promise<T>): Promise<T> {
    if (this.#closed !== null) return Promise.reject(closedError());
    const turn = this.#last.then(async () => {
      try {
        const database = this.#database ?? (await this.#reopen());
        database.look();
        const value = await work(database);
        await database.committed();
        this.#state = { state: 'up', reason: null };
        return value;
      } catch (error) {
        if (error instanceof MillraceError && error.code === 'store_refused') throw error;
        const reason = `${what}: ${messageOf(error)}`;
        this.#state = { state: 'down', reason };
        await this.#abandonUnusable();
        throw new MillraceError('store_unavailable', reason, { cause: error });
      }
    });
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  async #reopen(): Promise<Database> {
    const database = await this.#open();
    const before = this.#position;
    const { position } = database;
    // What was reported as done must be there.
    const isGoingOn =
      before === null || (position?.epoch === before.epoch && position.position >= before.position);
    const isAsked = position?.epoch === this.#asked?.epoch && position?.position === this.#asked?.position;
    if (before !== null && !isGoingOn && !isAsked) {
      const lost = `it has frames up to ${position?.position ?? 0}, and had them up to ${before.position}`;
      const error = new MillraceError('store_unavailable', `the database file is another one: ${lost}`);
      await database.abandon(error);
      throw error;
    }
    this.#database = database;
    this.#position = position;
    return database;
  }

  async #abandonUnusable(): Promise<void> {
    const database = this.#database;
    if (database === null || (await database.works())) return;
    this.#database = null;
    await database.abandon(new MillraceError('store_unavailable', 'the database has to be opened again'));
  }

  position(): StorePosition | null {
    return this.#position;
  }

  /** Nothing to do: the position travels with every write. */
  setPosition(): void {}

  async rows(query: RowsQuery, signal: AbortSignal): Promise<Answer> {
    const columns = selectColumns(query.measurement, query.fields).columns;
    const { windowRows } = this.#readable();
    return this.#stream(query, (table) => rowsReading(table, query, windowRows), columns, signal);
  }

  async aggregate(query: AggregateQuery, signal: AbortSignal): Promise<Answer> {
    const columns = aggregateColumns(query);
    return this.#stream(query, (table) => reads(aggregateSql(table, query)), columns, signal);
  }

  async latest(
    selection: Pick<Selection, 'measurement' | 'fields' | 'devices' | 'tags'>,
    signal: AbortSignal,
  ): Promise<Answer> {
    const columns = selectColumns(selection.measurement, selection.fields).columns;
    return this.#stream(selection, (table) => reads(latestSql(table, selection)), columns, signal);
  }

  async devices(query: DevicesQuery, signal: AbortSignal): Promise<StoredDevice[]> {
    return (await this.#readable().reader.rows(devicesSql(query), signal)).map(storedDevice);
  }

  async device(query: DeviceQuery, signal: AbortSignal): Promise<StoredDevice | null> {
    const [row] = await this.#readable().reader.rows(deviceSql(query), signal);
    return row === undefined ? null : storedDevice(row);
  }

  state(): StoreState {
    try {
      if (this.#closed === null) this.#database?.look();
      // Reads that spill and the next checkpoint would fail, although a write goes well that finds its files open.
      requireDescriptor();
      return this.#state;
    } catch (error) {
      return { state: 'down', reason: messageOf(error) };
    }
  }

  /** Waits for running writes, ends reads, and folds the write-ahead log into the file. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    await this.#last;
    await this.#database?.close(new MillraceError('draining', 'the store is closing'));
    this.#database = null;
    this.#state = { state: 'down', reason: 'closed' };
    this.#onClosed();
  }

  async #stream(
    { measurement }: Pick<Selection, 'measurement'>,
    readingOf: (table: Table) => SnapshotReading,
    columns: readonly AnswerColumn[],
    signal: AbortSignal,
  ): Promise<Answer> {
    const { tables, reader } = this.#readable();
    const table = tables.get(measurement.name);
    return reader.stream(table === undefined ? null : readingOf(table), columns, signal);
  }

  #readable(): Database {
    if (this.#closed !== null) throw closedError();
    if (this.#database === null) {
      throw new MillraceError('store_unavailable', this.#state.reason ?? 'the database is not open');
    }
    return this.#database;
  }
}

async function probe({ writer }: Database): Promise<void> {
  await writer.run(`UPDATE ${OWN}.format SET version = version`);
}

function closedError(): MillraceError {
  return new MillraceError('store_unavailable', 'the store is closed');
}
