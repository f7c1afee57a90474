import { selectColumns, type ColumnDef } from '../../../core/index.ts';
import { namedIn } from '../../shared/row-key.ts';
import type { RowKey, RowsQuery, Selection } from '../../store.ts';
import { isTagText } from '../../shared/tag-text.ts';
import { Parameters, SQL_TYPES, timeLiteral, type Statement } from '../file/sql.ts';
import type { Table } from '../file/tables.ts';
import type { TimeWindow } from './time-windows.ts';

/** Every read names its table so: qualified columns are never mistaken for an alias of the statement. */
export const ROWS = 'r';
export const TIME = `${ROWS}."time"`;
export const DEVICE = `${ROWS}."device"`;

/** A measurement's column in its table; a typed NULL where the table does not have it yet. */
export function columnSql(table: Table, def: ColumnDef): string {
  const column = table.byName.get(def.name);
  const type = SQL_TYPES[def.type];
  if (column === undefined || column.role !== def.role) return `CAST(NULL AS ${type})`;
  const sql = `${ROWS}.${column.sql}`;
  return column.type === def.type ? sql : `TRY_CAST(${sql} AS ${type})`;
}

/**
 * The condition of a selection. A row without any of `fields` is left out: to InfluxDB and to a tail such a
 * row does not exist. So no row matches when there are none.
 */
export function whereSql(
  table: Table,
  selection: Pick<Selection, 'measurement' | 'devices' | 'tags'> &
    Partial<Pick<Selection, 'fromNs' | 'toNs'>>,
  fields: readonly ColumnDef[],
  parameters: Parameters,
): string {
  const conditions: string[] = [];
  const oneOf = (sql: string, values: readonly string[]): void => {
    const possible = values.filter(isTagText).map((value) => parameters.add(value));
    conditions.push(possible.length === 0 ? 'false' : `${sql} IN (${possible.join(', ')})`);
  };
  if (selection.fromNs !== undefined) conditions.push(`${TIME} >= ${timeLiteral(selection.fromNs)}`);
  if (selection.toNs !== undefined) conditions.push(`${TIME} < ${timeLiteral(selection.toNs)}`);
  if (selection.devices.length > 0) oneOf(DEVICE, selection.devices);
  for (const [name, values] of Object.entries(selection.tags)) {
    if (values.length === 0) continue;
    const tag = selection.measurement.tags.find((candidate) => candidate.name === name);
    oneOf(tag === undefined ? 'CAST(NULL AS VARCHAR)' : columnSql(table, tag), values);
  }
  const present = fields.map((field) => `${columnSql(table, field)} IS NOT NULL`);
  conditions.push(present.length === 0 ? 'false' : `(${present.join(' OR ')})`);
  return conditions.join(' AND ');
}

/** A part of the rows of a query: those of a range of time, behind `key` where that is given. */
export interface RowsPart extends TimeWindow {
  /** Names a row at the query's `after.timeNs`. */
  key: RowKey | null;
  /** Rows to be left out by whoever reads: they are among those that a statement gives. */
  skip: number;
  limit: number | null;
}

/**
 * Raw rows in the order of the interface: time, device, tags with null first, or the exact reverse. With `most` the last
 * column tells how many there are in all. Of `most` and more it gives any so many: only these were found and sorted.
 */
export function rowsSql(table: Table, query: RowsQuery, part: RowsPart, most: number | null): Statement {
  const parameters = new Parameters();
  const { tags, defs } = selectColumns(query.measurement, query.fields);
  const inner = [
    `epoch_ns(${TIME}) AS t`,
    `${DEVICE} AS d`,
    ...defs.map((def, i) => `${columnSql(table, def)} AS c${i}`),
  ];
  const direction = query.order === 'asc' ? 'ASC NULLS FIRST' : 'DESC NULLS LAST';
  const order = ['t', 'd', ...tags.map((_, i) => `c${i}`)].map((name) => `${name} ${direction}`);
  const limit = part.limit === null ? null : part.limit + part.skip;
  const where = rowsWhereSql(table, query, part, parameters);
  const rows = `SELECT ${inner.join(', ')} FROM ${table.sql} AS ${ROWS} WHERE ${where}${limitSql(most)}`;
  return {
    text:
      `SELECT *${most === null ? '' : ', count(*) OVER ()'} FROM (${rows}) ` +
      `ORDER BY ${order.join(', ')}${limitSql(limit)}`,
    values: parameters.values,
  };
}

/** From when to when the rows of a part are; of `most` and more, any so many of them. */
export function timesSql(table: Table, query: RowsQuery, part: RowsPart, most: number): Statement {
  const parameters = new Parameters();
  const where = rowsWhereSql(table, query, part, parameters);
  return {
    text:
      'SELECT epoch_ns(min(t)), epoch_ns(max(t)) ' +
      `FROM (SELECT ${TIME} AS t FROM ${table.sql} AS ${ROWS} WHERE ${where} LIMIT ${most})`,
    values: parameters.values,
  };
}

/** The time of the first row of a part, in the query's order; null where it has none. */
export function firstTimeSql(table: Table, query: RowsQuery, part: RowsPart): Statement {
  const parameters = new Parameters();
  const where = rowsWhereSql(table, query, part, parameters);
  const first = query.order === 'asc' ? 'min' : 'max';
  return {
    text: `SELECT epoch_ns(${first}(${TIME})) FROM ${table.sql} AS ${ROWS} WHERE ${where}`,
    values: parameters.values,
  };
}

function rowsWhereSql(table: Table, query: RowsQuery, part: RowsPart, parameters: Parameters): string {
  const { fromNs, toNs, key } = part;
  const { tags, fields } = selectColumns(query.measurement, query.fields);
  const where = [whereSql(table, { ...query, fromNs, toNs }, fields, parameters)];
  if (key !== null && query.after !== null) {
    const columns = [DEVICE, ...tags.map((def) => columnSql(table, def))];
    const values = ['device', ...tags.map(({ name }) => name)].map((name) => namedIn(key, name));
    const behind = behindSql(columns, values, query.order, parameters);
    where.push(`(${TIME} <> ${timeLiteral(query.after.timeNs)} OR ${behind})`);
  }
  return where.join(' AND ');
}

export function limitSql(limit: number | null): string {
  return limit === null ? '' : ` LIMIT ${Math.max(0, Math.trunc(limit))}`;
}

/** What of a query is left behind its `after`. */
export function continued(query: RowsQuery): RowsPart {
  const { after, fromNs, toNs, order, limit } = query;
  const whole = { fromNs, toNs, key: null, skip: 0, limit };
  if (after === null) return whole;
  const { timeNs, key } = after;
  const skip = key === null ? after.skip : 0;
  if (order === 'asc') return timeNs < fromNs ? whole : { ...whole, fromNs: timeNs, key, skip };
  return timeNs >= toNs ? whole : { ...whole, toNs: timeNs + 1n, key, skip };
}

/** A condition that holds for the rows behind these values. Rows are compared column by column, null first. */
export function behindSql(
  columns: readonly string[],
  values: readonly (string | null)[],
  order: 'asc' | 'desc',
  parameters: Parameters,
): string {
  const placed = values.map((value) => (value === null ? null : parameters.add(value)));
  const same = columns.map((sql, i) => (placed[i] === null ? `${sql} IS NULL` : `${sql} = ${placed[i]}`));
  const behind = columns.map((sql, i) => {
    const value = placed[i];
    if (order === 'asc') return value === null ? `${sql} IS NOT NULL` : `${sql} > ${value}`;
    return value === null ? 'false' : `(${sql} < ${value} OR ${sql} IS NULL)`;
  });
  return `(${behind.map((last, i) => [...same.slice(0, i), last].join(' AND ')).join(' OR ')})`;
}
