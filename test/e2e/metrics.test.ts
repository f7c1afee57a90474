import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { TRANSPORTS } from '../../src/core/index.ts';
import { DeviceSocket } from '../fixtures/device-socket.ts';
import { environmentFrame } from '../fixtures/environment-frames.ts';
import { temporaryFolder } from '../fixtures/folder.ts';
import { describeWith } from '../fixtures/program.ts';
import { hasPython, PYTHON } from '../fixtures/python.ts';
import { startServer, type ServerProcess } from '../fixtures/server.ts';
import { until } from '../fixtures/until.ts';

const folder = temporaryFolder();
let server: ServerProcess;

beforeAll(async () => {
  const twoOnLinux = process.platform === 'linux' ? '2' : '1';
  server = await startServer({ MILLRACE_DATA_DIR: folder.path, MILLRACE_PROCESSES: twoOnLinux });
});

afterAll(async () => {
  await server.end('SIGKILL');
  folder.remove();
});

async function scrape(): Promise<string> {
  return (await fetch(`${server.url}/metrics`)).text();
}

async function samples(): Promise<string[]> {
  return (await scrape()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

/** The value of the one sample that begins so. */
async function valueOf(series: string): Promise<number | undefined> {
  const line = (await samples()).find((each) => each.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}

test('every labelled counter whose labels are known is there at zero before anything happens', async () => {
  const all = await samples();
  const expected = [
    'millrace_frames_rejected_total{code="frame_framing"} 0',
    'millrace_frames_rejected_total{code="schema_unknown"} 0',
    'millrace_connections_ended_total{code="too_much_unread"} 0',
    'millrace_store_write_failures_total{kind="store_unavailable"} 0',
    'millrace_store_write_failures_total{kind="http_503"} 0',
    'millrace_child_process_restarts_total{process="writer"} 0',
    ...TRANSPORTS.flatMap((transport) => [
      `millrace_ledger_readings{state="received",transport="${transport}"} 0`,
      `millrace_journal_expired_readings_total{transport="${transport}",limit="bytes"} 0`,
      `millrace_journal_expired_readings_total{transport="${transport}",limit="age"} 0`,
    ]),
  ];
  expect(all).toEqual(expect.arrayContaining(expected));
});

test('metrics tell the ledger by transport, the journal’s state and the store’s circuit, all as numbers', async () => {
  const device = new DeviceSocket(server.wsUrl, 'device=a');
  await device.expect('welcome');
  device.socket.send(environmentFrame([{ time: Date.now() }, { time: Date.now() + 1 }]));
  device.socket.send(Buffer.from('no frame'));
  await device.acked(2);
  await device.end();

  const all = await samples();
  expect(all.filter((line) => !line.startsWith('millrace_'))).toEqual([]);
  // A quantile of no sample is the one number that is not there.
  const broken = all.filter((line) => !/ [-+0-9.e]+$|\+Inf/.test(line));
  expect(broken.filter((line) => !line.startsWith('millrace_nodejs_'))).toEqual([]);
  const expected = [
    'millrace_ledger_readings{state="received",transport="ws"} 3',
    'millrace_ledger_readings{state="rejected",transport="ws"} 1',
    'millrace_ledger_readings{state="received",transport="mqtt"} 0',
    'millrace_journal_state{state="open"} 1',
    'millrace_journal_state{state="failed"} 0',
    `millrace_journal_limit_bytes ${4 * 1024 ** 3}`,
    'millrace_store_circuit{state="closed"} 1',
    'millrace_frames_rejected_total{code="frame_framing"} 1',
    'millrace_tail_gaps_total 0',
    'millrace_held_bytes{kind="unread"} 0',
    'millrace_held_bytes{kind="bodies"} 0',
    'millrace_held_limit_bytes{kind="unread"} 268435456',
    'millrace_tail_lags_total 0',
    'millrace_tail_filter_looks_total 0',
    'millrace_tail_filter_bytes 0',
  ];
  expect(all).toEqual(expect.arrayContaining(expected));
});

test('what runs is told by its version, Node, edge and store', async () => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
  const told = (await samples()).find((line) => line.startsWith('millrace_build_info'));
  const labels = `node="${process.versions.node}",version="${version}",edge="(uws|node)",store="duckdb"`;
  expect(told).toMatch(new RegExp(`^millrace_build_info{${labels}} 1$`));
});

test('the writer’s CPU time and memory are told, and that another one was started in its place', async () => {
  const ofWriter = (name: string): string => `millrace_child_process_${name}{process="writer"}`;
  await until('its CPU time', async () => ((await valueOf(ofWriter('cpu_seconds_total'))) ?? 0) > 0);
  expect(await valueOf(ofWriter('resident_memory_bytes'))).toBeGreaterThan(10e6);
  expect(await valueOf(ofWriter('up'))).toBe(1);

  process.kill(Number(/"writerPid":(\d+)/.exec(server.log())?.[1]), 'SIGKILL');
  await until('another writer', async () => (await valueOf(ofWriter('restarts_total'))) === 1);
  await until('its work', async () => (await valueOf(ofWriter('up'))) === 1);
});

if (process.platform === 'linux') {
  test('so are those of each ingest process', async () => {
    const ofIngest = (name: string): string => `millrace_child_process_${name}{process="ingest-1"}`;
    await until('its CPU time', async () => ((await valueOf(ofIngest('cpu_seconds_total'))) ?? 0) > 0);
    expect(await valueOf(ofIngest('resident_memory_bytes'))).toBeGreaterThan(10e6);
    expect(await valueOf(ofIngest('restarts_total'))).toBe(0);
  });
}

interface Family {
  name: string;
  type: string;
  help: string;
  samples: { name: string; labels: Record<string, string> }[];
}

describeWith(hasPython(), PYTHON, 'read by a parser of Prometheus', () => {
  test('each family has a type and a help, and each series is there once', async () => {
    const parsed = execFileSync('python3', [join('test', 'fixtures', 'scrape.py')], {
      input: await scrape(),
    });
    const families = JSON.parse(parsed.toString()) as Family[];
    const names = families.map(({ name }) => name);
    expect(names).toEqual([...new Set(names)]);
    expect(names).toContain('millrace_child_process_cpu_seconds');
    expect(families.filter(({ type, help }) => type === 'unknown' || help === '')).toEqual([]);
    const series = families.flatMap((family) =>
      family.samples.map(({ name, labels }) => JSON.stringify([name, labels])),
    );
    expect(series).toHaveLength(new Set(series).size);
  });
});
