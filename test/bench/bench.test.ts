import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { expect, test } from '@jest/globals';
import { describeWithInflux } from '../fixtures/influxd.ts';

/** What `bench/run.mjs` tells programs in its last line. */
interface Outcome {
  figures: Record<string, { name: string; targets: { what: string; value: number; target: number }[] }>;
  failed: string[];
}

const ALONE = [
  'codec',
  'ingest',
  'ack',
  'duckdb-write',
  'durability',
  'idle',
  'heavy',
  'soak',
  'scale',
  'tail',
  'reads',
];
const WITH_INFLUX = ['influx-write', 'influx-end-to-end', 'outage'];

function run(...args: string[]): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, ['bench/run.mjs', ...args], { encoding: 'utf8', timeout: 55_000 });
}

function expectFigures(name: string): void {
  const { status, stdout, stderr } = run('--tiny', '--only', name);
  expect(status === 0 ? '' : stderr).toBe('');
  const { figures, failed } = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as Outcome;
  expect(failed).toEqual([]);
  expect(Object.keys(figures)).toEqual([name]);
  const targets = figures[name]?.targets ?? [];
  expect(targets.length).toBeGreaterThan(0);
  for (const { value, target } of targets) expect([value, target].every(Number.isFinite)).toBe(true);
  // The table of verdicts has a line for each.
  for (const { what } of targets) expect(stdout.slice(stdout.indexOf('benchmark'))).toContain(what);
}

test.each(ALONE)('the %s bench runs, and measures each of its targets', expectFigures);

describeWithInflux('with InfluxDB', () => {
  test.each(WITH_INFLUX)('the %s bench runs, and measures each of its targets', expectFigures);
});

test('every bench of the run is tested here', () => {
  const { status, stderr } = run('--only', 'none');
  expect(status).toBe(2);
  const names = /expected one of (.*), got/.exec(stderr)?.[1]?.split(', ') ?? [];
  expect(names.toSorted()).toEqual([...ALONE, ...WITH_INFLUX].toSorted());
});
