import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { DeviceSocket } from '../fixtures/device-socket.ts';
import { environmentFrame } from '../fixtures/environment-frames.ts';
import { temporaryFolder } from '../fixtures/folder.ts';
import { runMillrace, startServer, type ServerProcess } from '../fixtures/server.ts';
import { until } from '../fixtures/until.ts';

const NOW_MS = Date.now();
let folder: ReturnType<typeof temporaryFolder>;
let schemas: string;
let server: ServerProcess;

beforeEach(async () => {
  folder = temporaryFolder();
  schemas = join(folder.path, 'schemas');
  mkdirSync(schemas);
  server = await start();
});
afterEach(async () => {
  await server.end('SIGKILL');
  folder.remove();
});

const start = (): Promise<ServerProcess> =>
  startServer({ MILLRACE_DATA_DIR: join(folder.path, 'data'), MILLRACE_SCHEMAS: schemas });
const deadLetters = (...args: string[]) => runMillrace(['dead-letters', ...args, '--url', server.url]);

interface Ledger {
  [state: string]: number;
}

async function ledger(): Promise<Ledger> {
  const { byTransport: _, ...counts } = (await (await fetch(`${server.url}/v1/ledger`)).json()) as Ledger & {
    byTransport: object;
  };
  const { received, ...others } = counts;
  expect(received).toBe(Object.values(others).reduce((sum, count) => sum + count, 0));
  return counts;
}

test('frames of an unknown schema are listed, exported, replayed after its registration, and found', async () => {
  const device = new DeviceSocket(server.wsUrl, 'device=a');
  await device.expect('welcome');
  for (const second of [3, 2]) {
    const time = NOW_MS - second * 1_000;
    device.socket.send(environmentFrame([{ time, temperature: second }, { time: time + 1 }]));
  }
  await device.acked(2);
  await device.end();
  expect(await ledger()).toMatchObject({ received: 2, rejected: 2 });

  const listed = await deadLetters('list', '--json');
  const { deadLetters: letters } = JSON.parse(listed.stdout) as { deadLetters: { id: string }[] };
  expect(letters).toMatchObject([{ code: 'schema_unknown' }, { code: 'schema_unknown' }]);
  expect((await deadLetters('list', '--device', 'a')).stdout).toContain('schema_unknown');
  expect(JSON.parse((await deadLetters('show', letters[0]?.id ?? '')).stdout)).toEqual(letters[0]);

  const file = join(folder.path, 'letters.ndjson');
  expect((await deadLetters('export', '--out', file)).code).toBe(0);
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual(letters);
  expect((await deadLetters('export', '--out', file)).code).toBe(2);

  const early = await deadLetters('replay', '--all');
  expect([early.code, early.stdout.includes('0 replayed, 2 refused again')]).toEqual([1, true]);
  expect(early.stdout).toContain('schema_unknown');

  await server.end('SIGTERM');
  copyFileSync('schemas/environment.avsc', join(schemas, 'environment.avsc'));
  server = await start();
  const late = await deadLetters('replay', '--all', '--json');
  expect([late.code, JSON.parse(late.stdout)]).toMatchObject([0, { replayed: 2, refused: [] }]);
  await until('stored', async () => (await ledger())['stored'] === 4);
  expect(await ledger()).toMatchObject({ received: 4, rejected: 0, pending: 0 });
  const answer = await fetch(`${server.url}/v1/query?measurement=environment&field=temperature`);
  const { rows } = (await answer.json()) as { rows: unknown[][] };
  expect(rows.map((row) => row.at(-1))).toEqual([3, 20, 2, 20]);
  expect(JSON.parse((await deadLetters('list', '--json')).stdout)).toEqual({ deadLetters: [], cursor: null });
});

test('an export that fails on the way leaves no file under the final name', async () => {
  const file = join(folder.path, 'letters.ndjson');
  const failed = await runMillrace(['dead-letters', 'export', '--out', file, '--url', 'http://127.0.0.1:9']);
  expect(failed.code).toBe(1);
  expect(existsSync(file)).toBe(false);
  expect(readdirSync(folder.path).filter((name) => name.includes('.part'))).toEqual([]);
  writeFileSync(file, 'precious');
  await runMillrace(['dead-letters', 'export', '--out', file, '--url', 'http://127.0.0.1:9', '--force']);
  expect(readFileSync(file, 'utf8')).toBe('precious');
});
