import { MillraceError, type ColumnDef } from '../../core/index.ts';
import type { RowsQuery, Selection } from '../store.ts';
import { Parameters, SQL_TYPES, timeLiteral, type Statement } from './sql.ts';
import type { Table } from './tables.ts';

/** The fields that a selection names, in the measurement's order. Throws `field_unknown`. */
export function selectedFields(selection: Pick<Selection, 'measurement' | 'fields'>): readonly ColumnDef[] {
  const { measurement, fields } = selection;
  for (const name of fields) fieldOf(selection, name);
  return fields.length === 0
    ? measurement.fields
    : measurement.fields.filter((field) => fields.includes(field.name));
}

/** The measurement's field of a name. Throws `field_unknown`. */
export function fieldOf({ measurement }: Pick<Selection, 'measurement'>, name: string): ColumnDef {
  const field = measurement.fields.find((candidate) => candidate.name === name);
  if (field === undefined) {
    throw new MillraceError('field_unknown', `${measurement.name} has no field "${name}"`);
  }
  return field;
}

/** A measurement's column in its table; a typed NULL where the table does not have it yet. */
export function columnSql(table: Table, def: ColumnDef): string {
  const column = table.byName.get(def.name);
  const type = SQL_TYPES[def.type];
  if (column === undefined || column.role !== def.role) return `CAST(NULL AS ${type})`;
  return column.type === def.type ? column.sql : `TRY_CAST(${column.sql} AS ${type})`;
}

/** The condition of a selection, without its times. */
export function filterSql(
  table: Table,
  selection: Pick<Selection, 'measurement' | 'devices' | 'tags'>,
  parameters: Parameters,
): string[] {
  const conditions: string[] = [];
  const oneOf = (sql: string, values: readonly string[]): string =>
    `${sql} IN (${values.map((value) => parameters.add(value)).join(', ')})`;
  if (selection.devices.length > 0) conditions.push(oneOf('"device"', selection.devices));
  for (const [name, values] of Object.entries(selection.tags)) {
    if (values.length === 0) continue;
    const tag = selection.measurement.tags.find((candidate) => candidate.name === name);
    // a missing tag and an empty one are the same
    const sql = tag === undefined ? "''" : `coalesce(${columnSql(table, tag)}, '')`;
    const plain = tag === undefined || values.includes('') ? sql : columnSql(table, tag);
    conditions.push(oneOf(plain, values));
  }
  return conditions;
}

export function whereSql(table: Table, selection: Selection, parameters: Parameters): string {
  const conditions = [
    `"time" >= ${timeLiteral(selection.fromNs)}`,
    `"time" < ${timeLiteral(selection.toNs)}`,
    ...filterSql(table, selection, parameters),
  ];
  return conditions.join(' AND ');
}

/** The columns of a raw answer: time, device, tags, fields. */
export function rawColumns(selection: Pick<Selection, 'measurement' | 'fields'>): string[] {
  const fields = selectedFields(selection).map((field) => field.name);
  return ['time', 'device', ...selection.measurement.tags.map((tag) => tag.name), ...fields];
}

/** Raw rows in the order of the interface: time, device, tags with null first, or the exact reverse. */
export function rowsSql(table: Table, query: RowsQuery): Statement {
  const parameters = new Parameters();
  const range = continued(query);
  const tags = query.measurement.tags.map((tag) => columnSql(table, tag));
  const fields = selectedFields(query).map((field) => columnSql(table, field));
  const direction = query.order === 'asc' ? 'ASC NULLS FIRST' : 'DESC NULLS LAST';
  const order = ['"time"', '"device"', ...tags].map((sql) => `${sql} ${direction}`);
  const limit = query.limit === null ? '' : ` LIMIT ${Math.max(0, Math.trunc(query.limit))}`;
  const offset = range.skip === 0 ? '' : ` OFFSET ${range.skip}`;
  return {
    text:
      `SELECT epoch_ns("time"), ${['"device"', ...tags, ...fields].join(', ')} FROM ${table.sql} ` +
      `WHERE ${whereSql(table, range.query, parameters)} ORDER BY ${order.join(', ')}${limit}${offset}`,
    values: parameters.values,
  };
}

/** Moves the end where reading starts up to `after`, and says how many rows to skip there. */
function continued(query: RowsQuery): { query: RowsQuery; skip: number } {
  const { after } = query;
  if (after === null) return { query, skip: 0 };
  if (query.order === 'asc') {
    if (after.timeNs < query.fromNs) return { query, skip: 0 };
    return { query: { ...query, fromNs: after.timeNs }, skip: after.skip };
  }
  if (after.timeNs >= query.toNs) return { query, skip: 0 };
  return { query: { ...query, toNs: after.timeNs + 1n }, skip: after.skip };
}
