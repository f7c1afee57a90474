import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api';
import { LIMITS, MillraceError, messageOf } from '../../core/index.ts';
import type { StorePosition } from '../store.ts';
import { ChunkFiller } from './write/chunk-filler.ts';
import { prepare } from './file/format.ts';
import { readPosition } from './write/position.ts';
import { DatabaseFiles } from './file/database-files.ts';
import { SnapshotReader } from './read/snapshot.ts';
import { CATALOG, OWN } from './file/sql.ts';
import { Tables } from './file/tables.ts';

export interface DatabaseOptions {
  /** Memory that DuckDB may use for queries and its cache, in MiB; more spills to disk. */
  memoryLimitMb?: number;
  /** Bytes that may spill, in MiB. */
  spillLimitMb?: number;
  /** Threads of all queries. */
  threads?: number;
  /** Reads that may be open at once. */
  maxOpenReads?: number;
  /** Reads that may wait for the open ones. */
  maxReadsWaiting?: number;
  /** Rows that a read of rows looks for at once. */
  windowRows?: number;
  /** Series whose newest time is remembered. */
  maxSeriesTracked?: number;
}

/** libuv's own default of threads, which DuckDB's calls share with files and DNS. */
const POOL_THREADS = 4;

/**
 * A database file, opened: one connection that writes, reads beside it, and what is remembered of its tables.
 * DuckDB invalidates a database for good when a checkpoint or an fsync fails; then it is closed and opened anew.
 */
export class Database {
  readonly writer: DuckDBConnection;
  readonly tables: Tables;
  readonly filler = new ChunkFiller();
  readonly reader: SnapshotReader;
  readonly windowRows: number;
  /** The position that the file held when it was opened. */
  readonly position: StorePosition | null;
  readonly #files: DatabaseFiles;
  readonly #instance: DuckDBInstance;

  private constructor(
    instance: DuckDBInstance,
    writer: DuckDBConnection,
    tables: Tables,
    position: StorePosition | null,
    files: DatabaseFiles,
    options: DatabaseOptions,
  ) {
    this.#files = files;
    this.#instance = instance;
    this.writer = writer;
    this.tables = tables;
    this.position = position;
    this.windowRows = options.windowRows ?? LIMITS.duckdbWindowRows;
    const poolThreads = Number(process.env['UV_THREADPOOL_SIZE'] ?? POOL_THREADS) || POOL_THREADS;
    this.reader = new SnapshotReader(
      instance,
      options.maxOpenReads ?? LIMITS.maxOpenReads,
      options.maxReadsWaiting ?? LIMITS.maxQueriesWaiting,
      Math.max(1, poolThreads - 2),
    );
  }

  /** Throws `data_dir_in_use`, `data_dir_unwritable`, `data_dir_version` or `store_unavailable`. */
  static async open(file: string, options: DatabaseOptions): Promise<Database> {
    const instance = await openInstance(file, options);
    try {
      const writer = await instance.connect();
      await prepare(writer, file);
      const tables = new Tables(options.maxSeriesTracked);
      await tables.load(writer);
      const position = await readPosition(writer);
      return new Database(instance, writer, tables, position, new DatabaseFiles(file), options);
    } catch (error) {
      instance.closeSync();
      throw error;
    }
  }

  /** Whether statements still work; not so once DuckDB has invalidated the database. */
  async works(): Promise<boolean> {
    try {
      await this.writer.run(`SELECT version FROM ${OWN}.format`);
      return true;
    } catch {
      return false;
    }
  }

  /** Throws `data_dir_gone` when the file is not the one any more that the next start will find. */
  look(): void {
    this.#files.look();
  }

  /** The same after a commit, which is made safe where only the write-ahead log is gone. */
  async committed(): Promise<void> {
    this.#files.look();
    if (this.#files.logIsWhereItWas()) return;
    await this.writer.run(`CHECKPOINT ${CATALOG}`);
    this.#files.logIsWhereItWas();
  }

  /** Ends the reads with `reason`, folds the write-ahead log into the file, and lets go of it. */
  async close(reason: MillraceError): Promise<void> {
    await this.reader.close(reason);
    // without a checkpoint the next start replays the log instead: slower, but nothing is lost
    await this.writer.run(`CHECKPOINT ${CATALOG}`).catch(() => undefined);
    this.#release();
  }

  /**
   * Lets go of a file that DuckDB has invalidated. The order matters: a read that is dropped before its rollback,
   * by the collector or a disconnect, ends the process from within DuckDB; and without the detach the file stays
   * open for as long as the collector leaves any result alone.
   */
  async abandon(reason: MillraceError): Promise<void> {
    await this.reader.close(reason);
    await this.writer.run(`DETACH ${CATALOG}`).catch(() => undefined);
    this.#release();
  }

  #release(): void {
    this.writer.disconnectSync();
    this.#instance.closeSync();
  }
}

async function openInstance(file: string, options: DatabaseOptions): Promise<DuckDBInstance> {
  const instance = await DuckDBInstance.create(':memory:', {
    memory_limit: `${options.memoryLimitMb ?? LIMITS.duckdbMemoryMb}MiB`,
    threads: String(options.threads ?? LIMITS.duckdbThreads),
    temp_directory: `${file}.tmp`,
    max_temp_directory_size: `${options.spillLimitMb ?? LIMITS.duckdbSpillMb}MiB`,
    autoload_known_extensions: 'false',
    autoinstall_known_extensions: 'false',
  });
  try {
    const connection = await instance.connect();
    await connection.run(`ATTACH '${file.replaceAll("'", "''")}' AS ${CATALOG} (TYPE duckdb)`);
    // no statement of ours reads other files: from here on none can be made to
    await connection.run('SET enable_external_access = false');
    await connection.run('SET lock_configuration = true');
    connection.disconnectSync();
    return instance;
  } catch (error) {
    instance.closeSync();
    throw openError(file, error);
  }
}

/** DuckDB tells why a file cannot be opened in words only. */
function openError(file: string, error: unknown): MillraceError {
  const message = messageOf(error);
  if (/could not set lock|being used by another process/i.test(message)) {
    return new MillraceError('data_dir_in_use', `${file} is open in another process`, { cause: error });
  }
  if (/permission denied|read-only file system/i.test(message)) {
    return new MillraceError('data_dir_unwritable', `${file}: ${message}`, { cause: error });
  }
  if (/database file with version number|newer version of DuckDB/i.test(message)) {
    return new MillraceError('data_dir_version', `${file}: ${message}`, { cause: error });
  }
  return new MillraceError('store_unavailable', `${file} cannot be opened: ${message}`, { cause: error });
}
