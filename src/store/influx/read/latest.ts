import { selectColumns, type Cell } from '../../../core/index.ts';
import type { Selection } from '../../store.ts';
import { condition, identifier, source } from './influxql.ts';
import type { RunStatements } from './reader.ts';
import { compareText } from '../../shared/row-order.ts';
import { converterOf } from './rows.ts';

/** The newest values of one series: a cell per field, each with its own time. */
interface NewestOfSeries {
  tags: (string | null)[];
  timeNs: bigint;
  fields: Map<number, { timeNs: bigint; value: Cell }>;
}

/** Devices of one chunk of the answer. */
const CHUNK_DEVICES = 1_000;

/**
 * One row per device. The server tells the last value of each field in each series, which here is merged by
 * device: of values at one time that of the last series in the order of rows counts.
 */
export async function* readLatest(
  selection: Pick<Selection, 'measurement' | 'fields' | 'devices' | 'tags'>,
  run: RunStatements,
): AsyncGenerator<Cell[][], void, undefined> {
  const selected = selectColumns(selection.measurement, selection.fields);
  const where = condition(selection);
  if (where === null || selected.fields.length === 0) return;
  const from = source(selection.measurement);
  const groups = ['device', ...selected.tags.map(({ name }) => name)].map(identifier).join(', ');
  const statements = selected.fields.map(
    ({ name }) => `SELECT last(${identifier(name)}) FROM ${from} WHERE ${where} GROUP BY ${groups}`,
  );
  const converters = selected.fields.map(converterOf);

  const devices = new Map<string, Map<string, NewestOfSeries>>();
  for await (const { statement, tags, values } of run(statements)) {
    const [time, value] = values[0] ?? [];
    if (typeof time === 'boolean' || time === undefined || time === null) continue;
    if (value === undefined || value === null) continue;
    const timeNs = BigInt(time);
    const series = seriesOf(
      devices,
      tags['device'] ?? '',
      selected.tags.map(({ name }) => tags[name] || null),
    );
    if (timeNs > series.timeNs) series.timeNs = timeNs;
    series.fields.set(statement, { timeNs, value: converters[statement]?.(value) ?? null });
  }

  const names = [...devices.keys()].sort(compareText);
  for (let i = 0; i < names.length; i += CHUNK_DEVICES) {
    yield names.slice(i, i + CHUNK_DEVICES).map((device) => {
      const all = [...(devices.get(device)?.values() ?? [])].sort(byTags);
      return mergeSeries(device, all, selected.tags.length, selected.fields.length);
    });
  }
}

function seriesOf(
  devices: Map<string, Map<string, NewestOfSeries>>,
  device: string,
  tags: (string | null)[],
): NewestOfSeries {
  let ofDevice = devices.get(device);
  if (ofDevice === undefined) {
    ofDevice = new Map();
    devices.set(device, ofDevice);
  }
  const key = JSON.stringify(tags);
  let series = ofDevice.get(key);
  if (series === undefined) {
    series = { tags, timeNs: -1n, fields: new Map() };
    ofDevice.set(key, series);
  }
  return series;
}

function byTags(a: NewestOfSeries, b: NewestOfSeries): number {
  for (let i = 0; i < a.tags.length; i++) {
    const by = compareText(a.tags[i] ?? null, b.tags[i] ?? null);
    if (by !== 0) return by;
  }
  return 0;
}

/** `all` in the order of rows, so that of equal times the later series wins. */
function mergeSeries(
  device: string,
  all: readonly NewestOfSeries[],
  tagCount: number,
  fieldCount: number,
): Cell[] {
  let newestNs = -1n;
  const cells: Cell[] = Array.from({ length: tagCount + fieldCount }, () => null);
  const times: bigint[] = cells.map(() => -1n);
  const offer = (index: number, value: Cell, timeNs: bigint): void => {
    if (value === null || timeNs < (times[index] ?? 0n)) return;
    cells[index] = value;
    times[index] = timeNs;
  };
  for (const { tags, timeNs, fields } of all) {
    if (timeNs > newestNs) newestNs = timeNs;
    tags.forEach((value, index) => offer(index, value, timeNs));
    for (const [index, field] of fields) offer(tagCount + index, field.value, field.timeNs);
  }
  return [newestNs, device, ...cells];
}
