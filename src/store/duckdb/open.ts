import { mkdir, realpath } from 'node:fs/promises';
import path from 'node:path';
import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api';
import { LIMITS, MillraceError, messageOf } from '../../core/index.ts';
import { readRows } from './cells.ts';
import { DuckDbStore } from './store.ts';
import { CATALOG, OWN, POINTS } from './sql.ts';
import { Tables } from './tables.ts';
import type { Store } from '../store.ts';

/** The version of the tables below. A higher one on disk was written by a newer program. */
const FORMAT_VERSION = 2;

export interface DuckDbOptions {
  /** The database file; it and its folder are made where missing. Temporary files go beside it. */
  path: string;
  /** Memory that DuckDB may use for queries and its cache, in MB; more spills to disk. */
  memoryLimitMb?: number;
  /** Threads of one query. */
  threads?: number;
  /** Reads that may run at once. */
  maxQueries?: number;
  /** Reads that may wait for the running ones. */
  maxQueriesWaiting?: number;
  /** Series whose newest time is remembered. */
  maxSeriesTracked?: number;
}

const DEFAULT_MEMORY_MB = 1_024;
const DEFAULT_THREADS = 2;
/** libuv's own default of threads, which DuckDB's calls share with files and DNS. */
const POOL_THREADS = 4;

/** A file's lock keeps other processes out, but not a second store of this one: so these are remembered. */
const openHere = new Set<string>();

/**
 * Opens the embedded store. Throws `data_dir_in_use`, `data_dir_unwritable` or `data_dir_version`, and then
 * has changed nothing.
 */
export async function openDuckDbStore(options: DuckDbOptions): Promise<Store> {
  const file = await absolute(options.path);
  if (openHere.has(file)) {
    throw new MillraceError('data_dir_in_use', `${file} is already open in this process`);
  }
  openHere.add(file);
  let instance: DuckDBInstance | null = null;
  try {
    instance = await openInstance(file, options);
    const writer = await instance.connect();
    await prepare(writer, file);
    const tables = new Tables(options.maxSeriesTracked);
    await tables.load(writer);
    const poolThreads = Number(process.env['UV_THREADPOOL_SIZE'] ?? POOL_THREADS) || POOL_THREADS;
    return await DuckDbStore.start(instance, writer, tables, {
      maxQueries: options.maxQueries ?? LIMITS.maxQueries,
      maxQueriesWaiting: options.maxQueriesWaiting ?? LIMITS.maxQueriesWaiting,
      maxCalls: Math.max(1, poolThreads - 2),
      onClosed: () => openHere.delete(file),
    });
  } catch (error) {
    instance?.closeSync();
    openHere.delete(file);
    throw error;
  }
}

async function absolute(file: string): Promise<string> {
  const folder = path.dirname(path.resolve(file));
  try {
    await mkdir(folder, { recursive: true });
    return path.join(await realpath(folder), path.basename(file));
  } catch (error) {
    throw new MillraceError('data_dir_unwritable', `${folder}: ${messageOf(error)}`, { cause: error });
  }
}

async function openInstance(file: string, options: DuckDbOptions): Promise<DuckDBInstance> {
  const instance = await DuckDBInstance.create(':memory:', {
    memory_limit: `${options.memoryLimitMb ?? DEFAULT_MEMORY_MB}MB`,
    threads: String(options.threads ?? DEFAULT_THREADS),
    temp_directory: `${file}.tmp`,
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

/** The frames that the last write refused (StorePosition.refused). */
const CREATE_REFUSED =
  `CREATE TABLE ${OWN}.refused ` +
  '(position BIGINT NOT NULL, readings BIGINT NOT NULL, code VARCHAR NOT NULL, message VARCHAR NOT NULL)';

/** Format 1 kept the ledger's sums beside the position, and no refused frames. */
const FROM_1_TO_2 = `
  BEGIN TRANSACTION;
  ALTER TABLE ${OWN}.position DROP COLUMN stored;
  ALTER TABLE ${OWN}.position DROP COLUMN dead_lettered;
  ${CREATE_REFUSED};
  UPDATE ${OWN}.format SET version = 2;
  COMMIT;
`;

async function prepare(connection: DuckDBConnection, file: string): Promise<void> {
  const existing = await readRows(
    connection,
    `SELECT 1 FROM duckdb_tables() WHERE database_name = '${CATALOG}' AND table_name = 'format'`,
  );
  if (existing.length > 0) {
    const [row] = await readRows(connection, `SELECT version FROM ${OWN}.format`);
    const version = Number(row?.[0] ?? 0);
    if (version > FORMAT_VERSION) {
      throw new MillraceError(
        'data_dir_version',
        `${file} has format ${version}; this version reads up to ${FORMAT_VERSION}`,
      );
    }
    if (version < FORMAT_VERSION) await connection.run(FROM_1_TO_2);
    return;
  }
  await connection.run(`
    BEGIN TRANSACTION;
    CREATE SCHEMA ${CATALOG}.${POINTS};
    CREATE TABLE ${OWN}.format (version INTEGER NOT NULL);
    INSERT INTO ${OWN}.format VALUES (${FORMAT_VERSION});
    CREATE TABLE ${OWN}.position (epoch VARCHAR NOT NULL, position BIGINT NOT NULL);
    ${CREATE_REFUSED};
    CREATE TABLE ${OWN}.measurements (
      measurement VARCHAR NOT NULL, table_name VARCHAR NOT NULL, ordinal INTEGER NOT NULL);
    CREATE TABLE ${OWN}.columns (
      measurement VARCHAR NOT NULL, name VARCHAR NOT NULL, role VARCHAR NOT NULL, type VARCHAR NOT NULL,
      column_name VARCHAR NOT NULL, ordinal INTEGER NOT NULL);
    CREATE TABLE ${OWN}.devices (
      device VARCHAR NOT NULL, measurement VARCHAR NOT NULL, first_ns BIGINT NOT NULL, last_ns BIGINT NOT NULL);
    COMMIT;
  `);
}
