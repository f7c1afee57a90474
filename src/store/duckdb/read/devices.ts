import type { Cell, Measurement } from '../../../core/index.ts';
import type { DeviceQuery, DevicesQuery, StoredDevice } from '../../store.ts';
import { isTagText } from '../../shared/tag-text.ts';
import { limitSql } from './select.ts';
import { OWN, Parameters, type Statement } from '../file/sql.ts';

/** Joins the names of a device's measurements: no name in Avro has a line break. */
const SEPARATOR = 'chr(10)';

const COLUMNS = `device, min(first_ns), max(last_ns), string_agg(measurement, ${SEPARATOR} ORDER BY measurement)`;

/** Devices behind `after`, in order of id. */
export function devicesSql({ measurements, after, limit }: DevicesQuery): Statement {
  const parameters = new Parameters();
  const where = [ofMeasurements(measurements, parameters)];
  if (after !== null) where.push(`device > ${parameters.add(after)}`);
  return {
    text:
      `SELECT ${COLUMNS} FROM ${OWN}.devices WHERE ${where.join(' AND ')} ` +
      `GROUP BY device ORDER BY device${limitSql(limit)}`,
    values: parameters.values,
  };
}

export function deviceSql({ measurements, device }: DeviceQuery): Statement {
  const parameters = new Parameters();
  const known = ofMeasurements(measurements, parameters);
  const same = isTagText(device) ? `device = ${parameters.add(device)}` : 'false';
  return {
    text: `SELECT ${COLUMNS} FROM ${OWN}.devices WHERE ${known} AND ${same} GROUP BY device`,
    values: parameters.values,
  };
}

function ofMeasurements(measurements: readonly Measurement[], parameters: Parameters): string {
  if (measurements.length === 0) return 'false';
  return `measurement IN (${measurements.map(({ name }) => parameters.add(name)).join(', ')})`;
}

export function storedDevice([device, firstNs, lastNs, measurements]: Cell[]): StoredDevice {
  return {
    device: String(device),
    firstSeenNs: BigInt(firstNs ?? 0),
    lastSeenNs: BigInt(lastNs ?? 0),
    measurements: String(measurements ?? '').split('\n'),
  };
}
