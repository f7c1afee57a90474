import type { DuckDBConnection } from '@duckdb/node-api';
import { MillraceError } from '../../../core/index.ts';
import { readRows } from './cells.ts';
import { CATALOG, OWN, POINTS } from './sql.ts';

/** The version of the tables below. A higher one on disk was written by a newer program. */
const FORMAT_VERSION = 2;

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

/** Makes the store's own tables, or brings those of an older format up to date. Throws `data_dir_version`. */
export async function prepare(connection: DuckDBConnection, file: string): Promise<void> {
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
