import { MAX_TIME_NS, type Column, type ColumnBatch } from '../../core/index.ts';
import type { RefusedPoint } from '../store.ts';
import { escapeKey, escapeMeasurement, escapeTagValue, fieldText } from './line-protocol.ts';

/** A row of a batch. */
export interface RowRef {
  batch: ColumnBatch;
  row: number;
}

/**
 * One line of a body. Rows of the same series and time become one line, the later row's fields winning;
 * then `parts` are the rows' own lines in order, in case the server refuses the merged one.
 */
export interface Point {
  line: string;
  ref: RowRef;
  parts: readonly Point[] | null;
}

export interface Points {
  /** Grouped by series, ascending in time within each: InfluxDB takes them cheapest so. No two alike. */
  points: Point[];
  /** Rows that have no faithful form. */
  refused: RefusedPoint[];
}

interface Entry extends RowRef {
  timeNs: bigint;
  fields: string[];
  plan: Plan;
}

interface Series {
  prefix: string;
  entries: Entry[];
  ascending: boolean;
}

interface NamedColumn<T extends Column = Column> {
  key: string;
  column: T;
}

/** What is the same for all rows of a batch. */
interface Plan {
  measurement: string;
  /** Sorted by key as the server keeps them; `device` among them as null. */
  tags: { key: string; values: (string | null)[] }[];
  fields: NamedColumn[];
}

/**
 * Turns batches, in order, into the points to send. A row without any field present is no point and is left
 * out: InfluxDB has no form for it.
 */
export function pointsOf(batches: readonly ColumnBatch[]): Points {
  const refused: RefusedPoint[] = [];
  const bySeries = new Map<string, Series>();
  for (const batch of batches) {
    const plan = planOf(batch);
    if (typeof plan === 'string') {
      for (let row = 0; row < batch.rows; row++) refused.push({ batch, row, message: plan });
    } else {
      addRows(batch, plan, bySeries, refused);
    }
  }
  const points: Point[] = [];
  for (const series of bySeries.values()) appendSeries(series, points);
  return { points, refused };
}

/** Names that InfluxDB keeps for itself: as tags they are refused, a field `time` it drops without a word. */
const RESERVED_TAGS = new Set(['time', '_field', '_measurement']);

/** The plan of a batch, or why none of its rows can be stored. */
function planOf(batch: ColumnBatch): Plan | string {
  const { mapping } = batch;
  const measurement = escapeMeasurement(mapping.measurement);
  if (measurement === null) return `InfluxDB has no form for the measurement name "${mapping.measurement}"`;
  const tags: { key: string; name: string; values: (string | null)[] }[] = [
    { key: 'device', name: 'device', values: batch.device },
  ];
  const fields: NamedColumn[] = [];
  for (const column of batch.columns) {
    const { name, role } = column.def;
    const key = escapeKey(name);
    const reserved = role === 'tag' ? RESERVED_TAGS.has(name) : name === 'time';
    if (key === null || reserved) return `InfluxDB takes no ${role} of the name "${name}"`;
    if (role === 'field') fields.push({ key, column });
    else if (column.type === 'string') tags.push({ key, name, values: column.values });
  }
  tags.sort((a, b) => (a.name < b.name ? -1 : 1));
  return { measurement, tags, fields };
}

function addRows(
  batch: ColumnBatch,
  plan: Plan,
  bySeries: Map<string, Series>,
  refused: RefusedPoint[],
): void {
  // Tags are escaped once per series and batch.
  const known = new Map<string, Series>();
  for (let row = 0; row < batch.rows; row++) {
    const timeNs = batch.timeNs[row] ?? 0n;
    const fields = fieldsOf(plan, row);
    if (typeof fields === 'string') {
      refused.push({ batch, row, message: fields });
      continue;
    }
    if (fields.every((text) => text === '')) continue;
    if (timeNs >= MAX_TIME_NS) {
      refused.push({ batch, row, message: `InfluxDB's last time is ${MAX_TIME_NS - 1n} ns, got ${timeNs}` });
      continue;
    }
    const identity = identityOf(plan, row);
    let series = known.get(identity);
    if (series === undefined) {
      const prefix = seriesPrefix(plan, row);
      if (typeof prefix !== 'string') {
        refused.push({ batch, row, message: prefix.message });
        continue;
      }
      series = bySeries.get(prefix);
      if (series === undefined) {
        series = { prefix, entries: [], ascending: true };
        bySeries.set(prefix, series);
      }
      known.set(identity, series);
    }
    const last = series.entries.at(-1);
    if (last !== undefined && timeNs <= last.timeNs) series.ascending = false;
    series.entries.push({ batch, row, timeNs, fields, plan });
  }
}

/** The values' texts in the order of the plan's fields, '' where missing; or why the row has no form. */
function fieldsOf(plan: Plan, row: number): string[] | string {
  const texts: string[] = [];
  for (const { column } of plan.fields) {
    const text = fieldText(column, row);
    if (text === null) return `${column.def.name}: a number is infinite`;
    texts.push(text ?? '');
  }
  return texts;
}

/** Tells series of one plan apart. Lengths stand in front so that no value can imitate a border. */
function identityOf(plan: Plan, row: number): string {
  let identity = '';
  for (const { values } of plan.tags) {
    const value = values[row] ?? '';
    identity += `${value.length}:${value}`;
  }
  return identity;
}

/** Measurement and tags as they begin a line; a tag without a value is left out. */
function seriesPrefix(plan: Plan, row: number): string | { message: string } {
  let prefix = plan.measurement;
  for (const { key, values } of plan.tags) {
    const value = values[row];
    if (value === null || value === undefined || value === '') continue;
    const escaped = escapeTagValue(value);
    if (escaped === null) {
      return {
        message: `${key}: InfluxDB has no form for a tag with a newline, a NUL or a backslash at its end`,
      };
    }
    prefix += `,${key}=${escaped}`;
  }
  return prefix;
}

function appendSeries(series: Series, points: Point[]): void {
  const { prefix, entries } = series;
  // The sort is stable: of rows at the same time the later write stays behind.
  if (!series.ascending) entries.sort((a, b) => (a.timeNs < b.timeNs ? -1 : a.timeNs > b.timeNs ? 1 : 0));
  for (let i = 0; i < entries.length;) {
    const entry = entries[i];
    if (entry === undefined) break;
    let end = i + 1;
    while (entries[end]?.timeNs === entry.timeNs) end++;
    const later = entries.slice(i + 1, end);
    points.push(later.length === 0 ? pointOf(prefix, entry) : mergedPoint(prefix, entry, later));
    i = end;
  }
}

function pointOf(prefix: string, entry: Entry): Point {
  let line = `${prefix} `;
  let separator = '';
  for (let f = 0; f < entry.fields.length; f++) {
    const text = entry.fields[f];
    if (text === undefined || text === '') continue;
    line += `${separator}${entry.plan.fields[f]?.key ?? ''}=${text}`;
    separator = ',';
  }
  return { line: `${line} ${entry.timeNs}`, ref: { batch: entry.batch, row: entry.row }, parts: null };
}

function mergedPoint(prefix: string, first: Entry, later: readonly Entry[]): Point {
  const merged = new Map<string, string>();
  let newest = first;
  for (const entry of [first, ...later]) {
    newest = entry;
    for (let f = 0; f < entry.fields.length; f++) {
      const key = entry.plan.fields[f]?.key;
      const text = entry.fields[f];
      if (key !== undefined && text !== undefined && text !== '') merged.set(key, text);
    }
  }
  const texts = [...merged].map(([key, text]) => `${key}=${text}`);
  return {
    line: `${prefix} ${texts.join(',')} ${first.timeNs}`,
    ref: { batch: newest.batch, row: newest.row },
    parts: [first, ...later].map((entry) => pointOf(prefix, entry)),
  };
}
