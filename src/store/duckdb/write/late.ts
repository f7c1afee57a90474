import { INTEGER, TIMESTAMP_NS, VARCHAR, DuckDBTimestampNanosecondsValue } from '@duckdb/node-api';
import type { DuckDBConnection } from '@duckdb/node-api';
import type { ColumnBatch, Slice } from '../../../core/index.ts';
import { appending, appendPoints, appendRows, sourceOf, type TablePoint } from './append.ts';
import { readRows } from '../file/cells.ts';
import { timeLiteral } from '../file/sql.ts';
import type { Table } from '../file/tables.ts';

/**
 * What a late point may meet at its series and time: a row that was `stored` before, one that is `appended` by the
 * running write, or `none`.
 */
export type Meets = 'stored' | 'appended' | 'none';

interface LatePoint extends TablePoint {
  meets: Meets;
}

/**
 * Points that are not newer than their series' newest, or of a series that is not remembered. Those of the same series
 * and time are folded into one first, the last write winning field by field. Most meet no other row, which a look at
 * times and devices tells: they are appended too. The others are merged with what is there by one statement.
 */
export class LatePoints {
  readonly #points = new Map<string, LatePoint>();

  /** Takes a row of a batch. `key` is its series', `sources` what sourcesOf() says of the batch. */
  add(sources: readonly ColumnSource[], key: string, batch: ColumnBatch, row: number, meets: Meets): void {
    const timeNs = batch.timeNs[row] ?? 0n;
    const id = `${timeNs} ${key}`;
    const known = this.#points.get(id);
    const values = sources.map(({ index, tag }) => {
      const value = batch.cell(index, row);
      return tag && value === '' ? null : value;
    });
    if (known === undefined) {
      this.#points.set(id, { timeNs, device: batch.device[row] ?? '', values, meets });
      return;
    }
    for (const [index, value] of values.entries()) {
      if (value !== null) known.values[index] = value;
    }
  }

  /** Splits the points by what is stored: those to append, and those to merge after that. */
  async split(
    connection: DuckDBConnection,
    table: Table,
    slice: Slice,
  ): Promise<{ alone: TablePoint[]; meeting: TablePoint[] }> {
    const all = [...this.#points.values()];
    const behind = all.filter(({ meets }) => meets === 'stored');
    const met = new Set<TablePoint>();
    if (behind.length > 0) {
      for (const n of await storedAlready(connection, table, behind, slice)) {
        const point = behind[n];
        if (point !== undefined) met.add(point);
      }
    }
    const isMet = (point: LatePoint): boolean => point.meets === 'appended' || met.has(point);
    return { alone: all.filter((point) => !isMet(point)), meeting: all.filter(isMet) };
  }
}

/** The numbers of those points whose series and time is in the table. */
async function storedAlready(
  connection: DuckDBConnection,
  table: Table,
  points: readonly TablePoint[],
  slice: Slice,
): Promise<number[]> {
  const tags = table.columns.flatMap(({ role, sql }, index) => (role === 'tag' ? [{ sql, index }] : []));
  const tagColumns = tags.map((_, i) => `, tag_${i} VARCHAR`).join('');
  await connection.run(
    `CREATE OR REPLACE TEMP TABLE behind (n INTEGER, "time" TIMESTAMP_NS, "device" VARCHAR${tagColumns})`,
  );
  const appender = await connection.createAppender('behind', 'main', 'temp');
  await appending(appender, () =>
    appendRows(
      appender,
      [INTEGER, TIMESTAMP_NS, VARCHAR, ...tags.map(() => VARCHAR)],
      points.map(({ timeNs, device, values }, n) => [
        n,
        new DuckDBTimestampNanosecondsValue(timeNs),
        device,
        ...tags.map(({ index }) => values[index] ?? null),
      ]),
      slice,
    ),
  );
  const sameTags = tags.map(({ sql }, i) => ` AND t.${sql} IS NOT DISTINCT FROM s.tag_${i}`).join('');
  const rows = await readRows(
    connection,
    `SELECT DISTINCT s.n FROM ${table.sql} AS t JOIN temp.behind AS s ` +
      `ON t."time" = s."time" AND t."device" = s."device"${sameTags} AND ${between(points)}`,
  );
  await connection.run('DROP TABLE temp.behind');
  return rows.map(([n]) => Number(n));
}

/** Merges points into the table. Runs inside the write's transaction, after the appended rows. */
export async function mergePoints(
  connection: DuckDBConnection,
  table: Table,
  points: readonly TablePoint[],
  slice: Slice,
): Promise<void> {
  await connection.run(`CREATE OR REPLACE TEMP TABLE late AS SELECT * FROM ${table.sql} LIMIT 0`);
  const appender = await connection.createAppender('late', 'main', 'temp');
  await appending(appender, () => appendPoints(appender, table, points, slice));

  const fields = table.columns.filter((column) => column.role === 'field');
  const matched =
    fields.length === 0
      ? 'DO NOTHING'
      : `UPDATE SET ${fields.map(({ sql }) => `${sql} = coalesce(s.${sql}, t.${sql})`).join(', ')}`;
  const sameTags = table.tags.map(({ sql }) => ` AND t.${sql} IS NOT DISTINCT FROM s.${sql}`).join('');
  await connection.run(
    `MERGE INTO ${table.sql} AS t USING temp.late AS s ` +
      `ON t."time" = s."time" AND t."device" = s."device"${sameTags} AND ${between(points)} ` +
      `WHEN MATCHED THEN ${matched} WHEN NOT MATCHED THEN INSERT`,
  );
  await connection.run('DROP TABLE temp.late');
}

/** The bounds let the scan skip row groups; equality alone would not. */
function between(points: readonly TablePoint[]): string {
  let oldestNs = points[0]?.timeNs ?? 0n;
  let newestNs = oldestNs;
  for (const { timeNs } of points) {
    if (timeNs < oldestNs) oldestNs = timeNs;
    if (timeNs > newestNs) newestNs = timeNs;
  }
  return `t."time" >= ${timeLiteral(oldestNs)} AND t."time" <= ${timeLiteral(newestNs)}`;
}

/** Where a column of the table finds its values: an index into the batch's columns, -1 for none. */
interface ColumnSource {
  index: number;
  tag: boolean;
}

/** The sources of a table's columns in a batch. */
export function sourcesOf(table: Table, batch: ColumnBatch): ColumnSource[] {
  return table.columns.map((column) => {
    const source = sourceOf(batch, column);
    return { index: source === undefined ? -1 : batch.columns.indexOf(source), tag: column.role === 'tag' };
  });
}
