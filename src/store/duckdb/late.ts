import type { DuckDBConnection } from '@duckdb/node-api';
import type { ColumnBatch, Slice } from '../../core/index.ts';
import { appendPoints, sourceOf, type Point } from './append.ts';
import { timeLiteral } from './sql.ts';
import type { Table } from './tables.ts';

/**
 * Points that may meet a stored one: not newer than their series' newest, or of a series that is not
 * remembered. Those of the same series and time are folded into one first, the last write winning field by
 * field; then one statement merges them with what is stored.
 */
export class LatePoints {
  readonly #points = new Map<string, Point>();

  get size(): number {
    return this.#points.size;
  }

  /** Takes a row of a batch. `key` is its series', `sources` what sourcesOf() says of the batch. */
  add(sources: readonly Source[], key: string, batch: ColumnBatch, row: number): void {
    const timeNs = batch.timeNs[row] ?? 0n;
    const id = `${timeNs} ${key}`;
    const known = this.#points.get(id);
    const values = sources.map(({ index, tag }) => {
      const value = batch.cell(index, row);
      return tag && value === '' ? null : value;
    });
    if (known === undefined) {
      this.#points.set(id, { timeNs, device: batch.device[row] ?? '', values });
      return;
    }
    for (const [index, value] of values.entries()) {
      if (value !== null) known.values[index] = value;
    }
  }

  /** Merges the points into the table. Runs inside the write's transaction, after the appended rows. */
  async merge(connection: DuckDBConnection, table: Table, slice: Slice): Promise<void> {
    const points = [...this.#points.values()];
    let oldestNs = points[0]?.timeNs ?? 0n;
    let newestNs = oldestNs;
    for (const { timeNs } of points) {
      if (timeNs < oldestNs) oldestNs = timeNs;
      if (timeNs > newestNs) newestNs = timeNs;
    }
    await connection.run(`CREATE OR REPLACE TEMP TABLE late AS SELECT * FROM ${table.sql} LIMIT 0`);
    const appender = await connection.createAppender('late', 'main', 'temp');
    await appendPoints(appender, table, points, slice);
    appender.closeSync();

    const fields = table.columns.filter((column) => column.role === 'field');
    const matched =
      fields.length === 0
        ? 'DO NOTHING'
        : `UPDATE SET ${fields.map(({ sql }) => `${sql} = coalesce(s.${sql}, t.${sql})`).join(', ')}`;
    const sameTags = table.tags.map(({ sql }) => ` AND t.${sql} IS NOT DISTINCT FROM s.${sql}`).join('');
    await connection.run(
      `MERGE INTO ${table.sql} AS t USING temp.late AS s ` +
        `ON t."time" = s."time" AND t."device" = s."device"${sameTags} ` +
        // the bounds let the scan skip row groups; equality alone would not
        `AND t."time" >= ${timeLiteral(oldestNs)} AND t."time" <= ${timeLiteral(newestNs)} ` +
        `WHEN MATCHED THEN ${matched} WHEN NOT MATCHED THEN INSERT`,
    );
    await connection.run('DROP TABLE temp.late');
  }
}

/** Where a column of the table finds its values: an index into the batch's columns, -1 for none. */
interface Source {
  index: number;
  tag: boolean;
}

/** The sources of a table's columns in a batch. */
export function sourcesOf(table: Table, batch: ColumnBatch): Source[] {
  return table.columns.map((column) => {
    const source = sourceOf(batch, column);
    return { index: source === undefined ? -1 : batch.columns.indexOf(source), tag: column.role === 'tag' };
  });
}
