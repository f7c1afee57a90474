import { MAX_TIME_NS, type ColumnDef } from '../../../core/index.ts';
import { fieldOf } from '../../shared/aggregate-columns.ts';
import type { AggregateQuery } from '../../store.ts';
import { namedIn } from '../../shared/row-key.ts';
import { functionSql, needsPrevious } from './functions.ts';
import { behindSql, columnSql, DEVICE, limitSql, ROWS, TIME, whereSql } from './select.ts';
import { Parameters, type Statement } from '../file/sql.ts';
import type { Table } from '../file/tables.ts';

/**
 * One statement for a whole aggregate. The inner select names its columns by number: b bucket, t time,
 * d device, k0… tags, f0… fields, p0… the value before in the bucket.
 */
export function aggregateSql(table: Table, query: AggregateQuery): Statement {
  const parameters = new Parameters();
  const { tags } = query.measurement;
  const fields = [...new Set(query.aggregates.map(({ field }) => field))].map((name) => fieldOf(query, name));
  const tagNames = tags.map((tag) => tag.name);
  const group = query.group.map((name) => (name === 'device' ? 'd' : `k${tagNames.indexOf(name)}`));
  const bucket = bucketSql(query);
  // A constant is no key: grouped by one, every row would be hashed, and no count be known beforehand.
  const keys = query.everyNs === null ? group : ['b', ...group];

  const inner = [
    `${bucket} AS b`,
    `epoch_ns(${TIME}) AS t`,
    `${DEVICE} AS d`,
    ...tags.map((tag, i) => `${columnSql(table, tag)} AS k${i}`),
    ...fields.map((field, i) => `${columnSql(table, field)} AS f${i}`),
  ];
  const rows = `SELECT ${inner.join(', ')} FROM ${table.sql} AS ${ROWS} WHERE ${whereSql(table, query, fields, parameters)}`;
  const source = withPrevious(rows, query, fields, keys, tags.length);

  // what tells rows of one group and one time apart; a series has each time once
  const wholeSeries = ['device', ...tagNames].every((name) => query.group.includes(name));
  const rank = wholeSeries ? 't' : `row(t, d${tags.map((_, i) => `, coalesce(k${i}, '')`).join('')})`;
  const values = query.aggregates.map((aggregate) => {
    const index = fields.findIndex((field) => field.name === aggregate.field);
    return functionSql(aggregate.fn, { index, integer: fields[index]?.type === 'integer', rank });
  });
  const order = keys.map((sql) => `${sql} ${query.order === 'asc' ? 'ASC NULLS FIRST' : 'DESC NULLS LAST'}`);
  const offset = query.after !== null && query.after.key === null ? ` OFFSET ${query.after.skip}` : '';
  const grouped =
    keys.length === 0 ? 'HAVING count(*) > 0' : `GROUP BY ${keys.join(', ')} ORDER BY ${order.join(', ')}`;
  return {
    text:
      `SELECT ${[query.everyNs === null ? bucket : 'b', ...group, ...values].join(', ')} ` +
      `FROM (${source})${continuedSql(query, group, parameters)} ${grouped}${limitSql(query.limit)}${offset}`,
    values: parameters.values,
  };
}

function bucketSql({ everyNs, fromNs }: AggregateQuery): string {
  if (everyNs === null) return `${fromNs}::BIGINT`;
  // A bucket longer than all times there are begins at the epoch, and its length has no form in 64 bits.
  if (everyNs > MAX_TIME_NS) return '0::BIGINT';
  return `epoch_ns(${TIME}) // ${everyNs}::BIGINT * ${everyNs}::BIGINT`;
}

/** Leaves out the groups of the first bucket that were given before. */
function continuedSql(
  { after, group, order }: AggregateQuery,
  columns: readonly string[],
  parameters: Parameters,
): string {
  const key = after?.key ?? null;
  if (after === null || key === null) return '';
  const values = group.map((name) => namedIn(key, name));
  const behind = group.length === 0 ? 'false' : behindSql(columns, values, order, parameters);
  return ` WHERE (b <> ${after.timeNs} OR ${behind})`;
}

/** Adds the reading before, for the fields whose increases are asked. */
function withPrevious(
  rows: string,
  query: AggregateQuery,
  fields: readonly ColumnDef[],
  partition: readonly string[],
  tagCount: number,
): string {
  const previous = fields.flatMap((field, i) =>
    query.aggregates.some(({ field: name, fn }) => name === field.name && needsPrevious(fn))
      ? [`lag(f${i} IGNORE NULLS) OVER in_order AS p${i}`]
      : [],
  );
  if (previous.length === 0) return rows;
  const order = ['t', 'd', ...Array.from({ length: tagCount }, (_, i) => `k${i} NULLS FIRST`)];
  const partitioned = partition.length === 0 ? '' : `PARTITION BY ${partition.join(', ')} `;
  return (
    `SELECT *, ${previous.join(', ')} FROM (${rows}) ` +
    `WINDOW in_order AS (${partitioned}ORDER BY ${order.join(', ')})`
  );
}
