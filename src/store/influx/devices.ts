import type { StoredDevice } from '../store.ts';
import { identifier, literal } from './influxql.ts';
import type { RunStatements } from './reader.ts';
import { compareText } from './rows.ts';

/** Devices with an id behind `after`, in order of id. */
export async function readDevices(
  after: string | null,
  limit: number,
  run: RunStatements,
): Promise<StoredDevice[]> {
  if (limit <= 0) return [];
  const ids = new Set<string>();
  // InfluxDB pages tag values by measurement alone, and compares them for equality only.
  for await (const { values } of run([`SHOW TAG VALUES WITH KEY = ${identifier('device')}`])) {
    for (const [, id] of values) {
      if (typeof id === 'string' && (after === null || compareText(id, after) > 0)) ids.add(id);
    }
  }
  return describeDevices([...ids].sort(compareText).slice(0, limit), run);
}

export async function readDevice(id: string, run: RunStatements): Promise<StoredDevice | null> {
  const [device] = await describeDevices([id], run);
  return device ?? null;
}

/** First and last rows in every measurement; a device without any row (deleted since) is left out. */
async function describeDevices(ids: readonly string[], run: RunStatements): Promise<StoredDevice[]> {
  if (ids.length === 0) return [];
  const device = identifier('device');
  const where = ids.map((id) => `${device} = ${literal(id)}`).join(' OR ');
  const firstRow = `SELECT * FROM /^/ WHERE ${where} GROUP BY ${device} ORDER BY time`;
  const seen = new Map<string, { firstNs: bigint; lastNs: bigint; measurements: Set<string> }>();
  for await (const { name, tags, values } of run([`${firstRow} ASC LIMIT 1`, `${firstRow} DESC LIMIT 1`])) {
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
