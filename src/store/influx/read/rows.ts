import { selectColumns, type Cell, type ColumnDef, type SelectedColumns } from '../../../core/index.ts';
import { namedIn } from '../../shared/row-key.ts';
import type { RowsQuery } from '../../store.ts';
import type { WireValue } from '../transport/answer.ts';
import { compareRows } from '../../shared/row-order.ts';
import { condition, rawColumns, source } from './influxql.ts';
import type { RunStatements } from './reader.ts';

/** The statement of raw rows, or null when none can match. */
function rawStatement(query: RowsQuery, selected: SelectedColumns): string | null {
  let { fromNs, toNs } = query;
  if (query.after !== null) {
    if (query.order === 'asc') fromNs = max(fromNs, query.after.timeNs);
    else toNs = min(toNs, query.after.timeNs + 1n);
  }
  const where = condition({ ...query, fromNs, toNs });
  if (where === null || selected.fields.length === 0) return null;
  const order = query.order === 'asc' ? '' : ' ORDER BY time DESC';
  return `SELECT ${rawColumns(selected)} FROM ${source(query.measurement)} WHERE ${where}${order}`;
}

const max = (a: bigint, b: bigint): bigint => (a > b ? a : b);
const min = (a: bigint, b: bigint): bigint => (a < b ? a : b);

/**
 * Raw rows in the contract's order, in chunks. InfluxDB gives them by time, but in no stated order within one
 * time: rows of one time are held until they are complete, then sorted.
 */
export async function* streamRows(
  query: RowsQuery,
  run: RunStatements,
): AsyncGenerator<Cell[][], void, undefined> {
  const selected = selectColumns(query.measurement, query.fields);
  const statement = rawStatement(query, selected);
  let left = query.limit ?? Infinity;
  if (statement === null || left <= 0) return;
  const converters = [toTime, toTag, ...selected.defs.map(converterOf)];
  const compare = compareRows(selected.tags.length + 2, query.order);
  const { after } = query;
  const key = after?.key ?? null;
  const names = ['device', ...selected.tags.map(({ name }) => name)];
  const last = key === null ? null : [null, ...names.map((name) => namedIn(key, name))];

  let sameTime: Cell[][] = [];
  /** The rows of one time are complete: into `chunk`, as far as they are asked for. */
  const settle = (chunk: Cell[][]): void => {
    if (sameTime.length > 1) sameTime.sort(compare);
    let skip = 0;
    if (after !== null && sameTime[0]?.[0] === after.timeNs) {
      skip = last === null ? after.skip : sameTime.filter((row) => compare(row, last) <= 0).length;
    }
    for (let i = skip; i < sameTime.length && left > 0; i++, left--) chunk.push(sameTime[i] ?? []);
  };
  for await (const piece of run([statement])) {
    const chunk: Cell[][] = [];
    for (const values of piece.values) {
      const row = convertRow(values, converters);
      if (sameTime.length > 0 && sameTime[0]?.[0] !== row[0]) {
        settle(chunk);
        sameTime = [];
        if (left <= 0) break;
      }
      sameTime.push(row);
    }
    if (chunk.length > 0) yield chunk;
    if (left <= 0) return;
  }
  const chunk: Cell[][] = [];
  settle(chunk);
  if (chunk.length > 0) yield chunk;
}

export type Converter = (value: WireValue) => Cell;

function convertRow(values: readonly WireValue[], converters: readonly Converter[]): Cell[] {
  const row: Cell[] = [];
  for (let i = 0; i < converters.length; i++) {
    const value = values[i] ?? null;
    row.push(value === null ? null : (converters[i]?.(value) ?? null));
  }
  return row;
}

export const toInteger: Converter = (value) => (typeof value === 'boolean' ? null : BigInt(value ?? 0));
const toTime = toInteger;
const toTag: Converter = (value) => (value === '' ? null : String(value));
const toText: Converter = String;
const toBoolean: Converter = (value) => value === true;
const toFloat: Converter = Number;
/** What other programs wrote to the field need not be a float32. */
const toFloat32: Converter = (value) => Math.fround(Number(value));

/** Reads a column's values, nulls aside, from InfluxQL's JSON. */
export function converterOf(def: Pick<ColumnDef, 'role' | 'type' | 'float32'>): Converter {
  if (def.role === 'tag') return toTag;
  switch (def.type) {
    case 'integer':
      return toInteger;
    case 'float':
      return def.float32 ? toFloat32 : toFloat;
    case 'boolean':
      return toBoolean;
    case 'string':
      return toText;
  }
}
