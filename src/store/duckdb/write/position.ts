import { BIGINT, VARCHAR, type DuckDBConnection } from '@duckdb/node-api';
import { Slice } from '../../../core/index.ts';
import { refusedFrames } from '../../shared/refused-frames.ts';
import type { RefusedPoint, StorePosition } from '../../store.ts';
import { appending, appendRows } from './append.ts';
import { readRows } from '../file/cells.ts';
import { CATALOG, OWN } from '../file/sql.ts';

/** The position of a write, with the frames that the store refused itself. */
export function withRefused(position: StorePosition, refused: readonly RefusedPoint[]): StorePosition {
  return { ...position, refused: [...position.refused, ...refusedFrames(refused)] };
}

/** Replaces the stored position, inside the transaction of the rows that it speaks of. */
export async function writePosition(connection: DuckDBConnection, position: StorePosition): Promise<void> {
  await connection.run(`DELETE FROM ${OWN}.position`);
  await connection.run(`INSERT INTO ${OWN}.position VALUES ($1, $2)`, [
    position.epoch,
    BigInt(position.position),
  ]);
  await connection.run(`DELETE FROM ${OWN}.refused`);
  if (position.refused.length === 0) return;
  const appender = await connection.createAppender('refused', 'main', CATALOG);
  await appending(appender, () =>
    appendRows(
      appender,
      [BIGINT, BIGINT, VARCHAR, VARCHAR],
      position.refused.map(({ position: at, readings, code, message }) => [
        BigInt(at),
        BigInt(readings),
        code,
        message,
      ]),
      new Slice(),
    ),
  );
}

/** The position as the last write left it; null before the first. */
export async function readPosition(connection: DuckDBConnection): Promise<StorePosition | null> {
  const [row] = await readRows(connection, `SELECT epoch, position FROM ${OWN}.position`);
  if (row === undefined) return null;
  const refused = await readRows(
    connection,
    `SELECT position, readings, code, message FROM ${OWN}.refused ORDER BY position`,
  );
  return {
    epoch: String(row[0]),
    position: Number(row[1]),
    refused: refused.map(([position, readings, code, message]) => ({
      position: Number(position),
      readings: Number(readings),
      code: String(code),
      message: String(message),
    })),
  };
}
