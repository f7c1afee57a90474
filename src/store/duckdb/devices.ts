import type { Cell } from '../../core/index.ts';
import type { StoredDevice } from '../store.ts';
import { limitSql } from './select.ts';
import { OWN, type Statement } from './sql.ts';

/** Joins the names of a device's measurements: no name in Avro has a line break. */
const SEPARATOR = 'chr(10)';

const COLUMNS = `device, min(first_ns), max(last_ns), string_agg(measurement, ${SEPARATOR} ORDER BY measurement)`;

/** Devices behind `after`, in order of id. */
export function devicesSql(after: string | null, limit: number): Statement {
  const where = after === null ? '' : 'WHERE device > $1 ';
  return {
    text: `SELECT ${COLUMNS} FROM ${OWN}.devices ${where}GROUP BY device ORDER BY device${limitSql(limit)}`,
    values: after === null ? [] : [after],
  };
}

export function deviceSql(id: string): Statement {
  return {
    text: `SELECT ${COLUMNS} FROM ${OWN}.devices WHERE device = $1 GROUP BY device`,
    values: [id],
  };
}

export function storedDevice([device, firstNs, lastNs, measurements]: Cell[]): StoredDevice {
  return {
    device: String(device),
    firstSeenNs: BigInt(firstNs ?? 0),
    lastSeenNs: BigInt(lastNs ?? 0),
    measurements: String(measurements ?? '').split('\n'),
  };
}
