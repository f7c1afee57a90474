import { BIGINT, VARCHAR, type DuckDBConnection } from '@duckdb/node-api';
import type { Slice } from '../../../core/index.ts';
import { appending, appendRows } from './append.ts';
import { OWN } from '../file/sql.ts';

interface Seen {
  device: string;
  measurement: string;
  firstNs: bigint;
  lastNs: bigint;
}

/** The devices of a write with their first and last time, per measurement. */
export class SeenDevices {
  readonly #byMeasurement = new Map<string, Map<string, Seen>>();
  #last: Seen | null = null;

  add(device: string, measurement: string, timeNs: bigint): void {
    let seen = this.#last;
    if (seen === null || seen.device !== device || seen.measurement !== measurement) {
      seen = this.#entry(device, measurement, timeNs);
      this.#last = seen;
    }
    if (timeNs < seen.firstNs) seen.firstNs = timeNs;
    if (timeNs > seen.lastNs) seen.lastNs = timeNs;
  }

  all(): Seen[] {
    return [...this.#byMeasurement.values()].flatMap((devices) => [...devices.values()]);
  }

  #entry(device: string, measurement: string, timeNs: bigint): Seen {
    let devices = this.#byMeasurement.get(measurement);
    if (devices === undefined) {
      devices = new Map();
      this.#byMeasurement.set(measurement, devices);
    }
    let seen = devices.get(device);
    if (seen === undefined) {
      seen = { device, measurement, firstNs: timeNs, lastNs: timeNs };
      devices.set(device, seen);
    }
    return seen;
  }
}

/** Widens the stored first and last times by those of a write, inside its transaction. */
export async function mergeSeen(
  connection: DuckDBConnection,
  devices: SeenDevices,
  slice: Slice,
): Promise<void> {
  const all = devices.all();
  if (all.length === 0) return;
  await connection.run(
    'CREATE OR REPLACE TEMP TABLE seen (device VARCHAR, measurement VARCHAR, first_ns BIGINT, last_ns BIGINT)',
  );
  const appender = await connection.createAppender('seen', 'main', 'temp');
  await appending(appender, () =>
    appendRows(
      appender,
      [VARCHAR, VARCHAR, BIGINT, BIGINT],
      all.map((seen) => [seen.device, seen.measurement, seen.firstNs, seen.lastNs]),
      slice,
    ),
  );
  await connection.run(
    `MERGE INTO ${OWN}.devices AS t USING temp.seen AS s ` +
      'ON t.device = s.device AND t.measurement = s.measurement ' +
      'WHEN MATCHED THEN UPDATE SET first_ns = least(t.first_ns, s.first_ns), last_ns = greatest(t.last_ns, s.last_ns) ' +
      'WHEN NOT MATCHED THEN INSERT',
  );
}
