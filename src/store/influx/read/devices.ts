import type { Measurement } from '../../../core/index.ts';
import type { DeviceQuery, DevicesQuery, StoredDevice } from '../../store.ts';
import { identifier, source, tagIsAny } from './influxql.ts';
import type { RunStatements } from './reader.ts';
import { compareText } from '../../shared/row-order.ts';

/** Measurements of one statement: InfluxDB compares each of the bucket's with all of them. */
const STATEMENT_MEASUREMENTS = 100;
const DEVICE = identifier('device');

/** By id, the measurements that a device may have rows in. */
type Candidates = ReadonlyMap<string, readonly Measurement[]>;

export async function readDevices(query: DevicesQuery, run: RunStatements): Promise<StoredDevice[]> {
  const { measurements, after, limit } = query;
  if (limit <= 0) return [];
  // InfluxDB pages tag values by measurement alone, and compares them for equality only.
  const candidates = await candidatesOf(measurements, null, run);
  const ids = [...candidates.keys()]
    .filter((id) => after === null || compareText(id, after) > 0)
    .sort(compareText);
  const devices: StoredDevice[] = [];
  // Some may have no rows of ours, and a short page would pass for the last one.
  for (let next = 0; next < ids.length && devices.length < limit;) {
    const some = ids.slice(next, next + limit - devices.length);
    next += some.length;
    for (const device of await describeDevices(some, candidates, run)) devices.push(device);
  }
  return devices;
}

export async function readDevice(
  { measurements, device: id }: DeviceQuery,
  run: RunStatements,
): Promise<StoredDevice | null> {
  const where = tagIsAny('device', [id]);
  if (where === null) return null;
  const [device] = await describeDevices([id], await candidatesOf(measurements, where, run), run);
  return device ?? null;
}

async function candidatesOf(
  measurements: readonly Measurement[],
  where: string | null,
  run: RunStatements,
): Promise<Candidates> {
  const byName = new Map(
    measurements.flatMap((each) => (each.fields.length === 0 ? [] : [[each.name, each] as const])),
  );
  const sources = [...byName.values()].map(source);
  const statements: string[] = [];
  for (let i = 0; i < sources.length; i += STATEMENT_MEASUREMENTS) {
    const from = sources.slice(i, i + STATEMENT_MEASUREMENTS).join(', ');
    const narrowed = where === null ? '' : ` WHERE ${where}`;
    statements.push(`SHOW TAG VALUES FROM ${from} WITH KEY = ${DEVICE}${narrowed}`);
  }
  const candidates = new Map<string, Measurement[]>();
  if (statements.length === 0) return candidates;
  for await (const { name, values } of run(statements)) {
    const measurement = byName.get(name);
    if (measurement === undefined) continue;
    for (const [, id] of values) {
      if (typeof id !== 'string') continue;
      const known = candidates.get(id);
      if (known === undefined) candidates.set(id, [measurement]);
      else known.push(measurement);
    }
  }
  return candidates;
}

/** First and last rows in each measurement; a device without any row is left out. */
async function describeDevices(
  ids: readonly string[],
  candidates: Candidates,
  run: RunStatements,
): Promise<StoredDevice[]> {
  const seen = new Map<string, { firstNs: bigint; lastNs: bigint; measurements: Set<string> }>();
  const statements = firstAndLastRows(ids, candidates);
  if (statements.length === 0) return [];
  for await (const { name, tags, values } of run(statements)) {
    const id = tags['device'] ?? '';
    const time = values[0]?.[0];
    if (typeof time === 'boolean' || time === undefined || time === null) continue;
    const timeNs = BigInt(time);
    const known = seen.get(id);
    if (known === undefined) {
      seen.set(id, { firstNs: timeNs, lastNs: timeNs, measurements: new Set([name]) });
      continue;
    }
    if (timeNs < known.firstNs) known.firstNs = timeNs;
    if (timeNs > known.lastNs) known.lastNs = timeNs;
    known.measurements.add(name);
  }
  return ids.flatMap((id) => {
    const known = seen.get(id);
    if (known === undefined) return [];
    const measurements = [...known.measurements].sort(compareText);
    return [{ device: id, firstSeenNs: known.firstNs, lastSeenNs: known.lastNs, measurements }];
  });
}

/**
 * Two statements per measurement, by its own fields: asked for all fields of several measurements at once, InfluxDB
 * leaves out those of one name and different types.
 */
function firstAndLastRows(ids: readonly string[], candidates: Candidates): string[] {
  const byMeasurement = new Map<Measurement, string[]>();
  for (const id of ids) {
    for (const measurement of candidates.get(id) ?? []) {
      const known = byMeasurement.get(measurement);
      if (known === undefined) byMeasurement.set(measurement, [id]);
      else known.push(id);
    }
  }
  return [...byMeasurement].flatMap(([measurement, devices]) => {
    const where = tagIsAny('device', devices);
    if (where === null) return [];
    const fields = measurement.fields.map(({ name }) => identifier(name)).join(', ');
    const rows = `SELECT ${fields} FROM ${source(measurement)} WHERE ${where} GROUP BY ${DEVICE} ORDER BY time`;
    return [`${rows} ASC LIMIT 1`, `${rows} DESC LIMIT 1`];
  });
}
