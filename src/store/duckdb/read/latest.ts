import { selectColumns } from '../../../core/index.ts';
import type { Selection } from '../../store.ts';
import { columnSql, DEVICE, ROWS, TIME, whereSql } from './select.ts';
import { Parameters, type Statement } from '../file/sql.ts';
import type { Table } from '../file/tables.ts';

/**
 * One row per device: first the newest of each series, a plain maximum by time; then, over those few rows,
 * the newest of the device, where series of the same time are told apart by their tags.
 */
export function latestSql(
  table: Table,
  selection: Pick<Selection, 'measurement' | 'fields' | 'devices' | 'tags'>,
): Statement {
  const parameters = new Parameters();
  const selected = selectColumns(selection.measurement, selection.fields);
  const tags = selected.tags.map((tag) => columnSql(table, tag));
  const fields = selected.fields.map((field) => columnSql(table, field));
  const where = whereSql(table, selection, selected.fields, parameters);

  const perSeries = [
    `epoch_ns(max(${TIME})) AS t`,
    `${DEVICE} AS d`,
    ...tags.map((sql, i) => `${sql} AS k${i}`),
    ...fields.flatMap((sql, i) => [
      `arg_max(${sql}, ${TIME}) AS f${i}`,
      `epoch_ns(max(${TIME}) FILTER (${sql} IS NOT NULL)) AS t${i}`,
    ]),
  ];
  const series =
    `SELECT ${perSeries.join(', ')} FROM ${table.sql} AS ${ROWS} WHERE ${where} ` +
    `GROUP BY ${[DEVICE, ...tags].join(', ')}`;
  const ties = tags.map((_, i) => `, coalesce(k${i}, '')`).join('');
  const perDevice = [
    'max(t)',
    'd',
    ...tags.map((_, i) => `arg_max(k${i}, row(t${ties}))`),
    ...fields.map((_, i) => `arg_max(f${i}, row(t${i}${ties}))`),
  ];
  return {
    text: `SELECT ${perDevice.join(', ')} FROM (${series}) GROUP BY d ORDER BY d`,
    values: parameters.values,
  };
}
