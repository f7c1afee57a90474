import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { DeviceSocket } from '../fixtures/device-socket.ts';
import { environmentFrame } from '../fixtures/environment-frames.ts';
import { describeWithInflux, startInflux } from '../fixtures/influxd.ts';
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
  const counts = (await (await fetch(`${server.url}/v1/ledger`)).json()) as Ledger;
  const { received, ...others } = counts;
  expect(received).toBe(Object.values(others).reduce((sum, count) => sum + count, 0));
  return counts;
}

test('an export to a reader that has seen enough, or to a full disk, says no more than has to be said', async () => {
  const device = new DeviceSocket(server.wsUrl, 'device=a');
  await device.expect('welcome');
  const frames = 3_000;
  for (let n = 0; n < frames; n++) device.socket.send(Buffer.alloc(200, n));
  await device.acked(frames);
  await device.end();
  const main = join(process.cwd(), 'dist', 'src', 'cli', 'main.js');
  const exported = async (redirection: string): Promise<{ code: number; stderr: string }> => {
    const command = `"$0" "$1" dead-letters export --out - --url ${server.url} ${redirection}`;
    const child = spawn('bash', ['-o', 'pipefail', '-c', command, process.execPath, main]);
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.stdout.resume();
    const [code] = (await once(child, 'close')) as [number];
    return { code, stderr };
  };
  expect(await exported('| head -n 1')).toEqual({ code: 0, stderr: '' });
  expect(await exported('> /dev/full')).toEqual({
    code: 1,
    stderr: expect.stringMatching(/^millrace: the output is not whole: .*ENOSPC.*\n$/),
  });
});

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
  expect(letters).toMatchObject([
    { code: 'schema_unknown', seq: 2 },
    { code: 'schema_unknown', seq: 1 },
  ]);
  expect((await deadLetters('list', '--device', 'a')).stdout).toMatch(/ ws +2 +1 +schema_unknown/);
  expect(JSON.parse((await deadLetters('show', letters[0]?.id ?? '', '--json')).stdout)).toEqual(letters[0]);

  expect(letters[0]).toMatchObject({
    schema: { fingerprint: 'd79a21ea0d813604', id: null, subject: null, version: null },
  });
  expect((await deadLetters('show', letters[0]?.id ?? '')).stdout).toMatch(
    /schema fingerprint +d79a21ea0d813604/,
  );
  const missing = await deadLetters('show', 'zzzz');
  expect([missing.code, missing.stderr.includes('dead_letter_unknown')]).toEqual([1, true]);

  const file = join(folder.path, 'letters.ndjson');
  expect((await deadLetters('export', '--out', file)).code).toBe(0);
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual(letters);
  expect((await deadLetters('export', '--out', file)).code).toBe(2);
  const printed = await deadLetters('export', '--out', '-', '--code', 'schema_unknown');
  expect([printed.code, printed.stdout]).toEqual([0, readFileSync(file, 'utf8')]);
  for (const wrong of [['replay'], ['replay', '--all', '1'], ['replay', '1', '--device', 'a']]) {
    expect((await deadLetters(...wrong)).code).toBe(2);
  }

  const early = await deadLetters('replay', '--all');
  expect([early.code, early.stdout.includes('0 replayed, 2 refused again')]).toEqual([1, true]);
  expect(early.stdout).toContain('schema_unknown');
  expect(await ledger()).toMatchObject({ received: 2, rejected: 2 });

  await server.end('SIGTERM');
  copyFileSync('schemas/environment.avsc', join(schemas, 'environment.avsc'));
  server = await start();
  const none = await deadLetters('replay', '--all', '--device', 'other');
  expect([none.code, none.stdout]).toEqual([0, '0 replayed, 0 refused again\n']);
  const late = await deadLetters('replay', '--all', '--device', 'a', '--json');
  expect([late.code, JSON.parse(late.stdout)]).toMatchObject([0, { replayed: 2, pending: 0, refused: [] }]);
  await until('stored', async () => (await ledger())['stored'] === 4);
  expect(await ledger()).toMatchObject({ received: 4, rejected: 0, pending: 0 });
  const answer = await fetch(`${server.url}/v1/query?measurement=environment&field=temperature`);
  const { rows } = (await answer.json()) as { rows: unknown[][] };
  expect(rows.map((row) => row.at(-1))).toEqual([3, 20, 2, 20]);
  expect(JSON.parse((await deadLetters('list', '--json')).stdout)).toEqual({ deadLetters: [], cursor: null });
});

test('an export that is killed on the way leaves no file under the final name', async () => {
  const letter = {
    id: '1',
    at: '',
    device: 'a',
    transport: 'ws',
    kind: 'rejected',
    schema: null,
    code: 'c',
    message: 'm',
  };
  const page = {
    deadLetters: [{ ...letter, readings: 1, seq: 1, position: null, bytes: '' }],
    cursor: 'more',
  };
  let asked = 0;
  // The second page never comes.
  const slow = createServer((_request, response) => {
    if (++asked === 1) response.end(JSON.stringify(page));
  }).listen(0, '127.0.0.1');
  await once(slow, 'listening');
  const { port } = slow.address() as AddressInfo;
  const file = join(folder.path, 'letters.ndjson');
  const command = ['dead-letters', 'export', '--out', file, '--url', `http://127.0.0.1:${port}`];
  const child = spawn(process.execPath, [join('dist', 'src', 'cli', 'main.js'), ...command]);
  try {
    await until('the second page to be asked for', () => asked === 2);
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
    expect(readdirSync(folder.path).filter((name) => name.startsWith('letters'))).toEqual([
      expect.stringMatching(/^letters\.ndjson\..+\.part$/),
    ]);
  } finally {
    child.kill('SIGKILL');
    slow.closeAllConnections();
    slow.close();
  }
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

describeWithInflux('dead letters of a real InfluxDB', () => {
  test('a type conflict keeps the points that clash; once it is gone they are replayed and found', async () => {
    const influx = await startInflux();
    try {
      const bucket = await influx.newBucket();
      const ask = async (path: string, body: string): Promise<void> => {
        const query = `org=${influx.org}&bucket=${bucket}`;
        const headers = { authorization: `Token ${influx.token}` };
        const answer = await fetch(`${influx.url}/api/v2/${path}?${query}`, {
          method: 'POST',
          headers,
          body,
        });
        expect(answer.status).toBe(204);
      };
      // Another program has the same field as text.
      await ask('write', `environment,device=foreign temperature="hot" ${NOW_MS}000000`);
      await server.end('SIGTERM');
      server = await startServer({
        MILLRACE_DATA_DIR: join(folder.path, 'data'),
        MILLRACE_STORE: 'influxdb',
        INFLUX_URL: influx.url,
        INFLUX_TOKEN: influx.token,
        INFLUX_ORG: influx.org,
        INFLUX_BUCKET: bucket,
      });
      const device = new DeviceSocket(server.wsUrl, 'device=a');
      await device.expect('welcome');
      const reading = (n: number, temperature: number | null) => ({ time: NOW_MS - n, temperature });
      device.socket.send(environmentFrame([reading(3, 1.5), reading(2, null), reading(1, 2.5)]));
      await device.acked(1);
      await device.end();

      await until('the refusal', async () => (await ledger())['deadLettered'] === 2);
      const clashed = await ledger();
      expect(clashed).toMatchObject({ received: 3, stored: 1, rejected: 0, pending: 0 });
      const listed = await deadLetters('list', '--kind', 'deadLettered', '--json');
      const { deadLetters: letters } = JSON.parse(listed.stdout) as { deadLetters: { id: string }[] };
      expect(letters).toMatchObject([
        { code: 'store_refused', readings: 2, position: 0, schema: { subject: 'environment', version: 1 } },
      ]);
      const [id = ''] = letters.map((letter) => letter.id);
      expect(listed.stdout).toContain('field type conflict');

      const early = await deadLetters('replay', id);
      expect([early.code, early.stdout]).toEqual([1, expect.stringContaining('0 replayed, 1 refused again')]);
      expect(early.stdout).toMatch(new RegExp(`${id} +store_refused +.*field type conflict`));
      expect(await ledger()).toEqual(clashed);

      const all = { start: '1970-01-01T00:00:00Z', stop: '2100-01-01T00:00:00Z' };
      await ask('delete', JSON.stringify({ ...all, predicate: '_measurement="environment"' }));
      const late = await deadLetters('replay', '--all');
      expect([late.code, late.stdout]).toEqual([0, '1 replayed, 0 refused again\n']);
      expect(await ledger()).toMatchObject({ received: 3, stored: 3, deadLettered: 0, pending: 0 });
      const answer = await fetch(`${server.url}/v1/query?measurement=environment&field=temperature`);
      const { rows } = (await answer.json()) as { rows: unknown[][] };
      expect(rows.map((row) => row.at(-1)).filter((value) => value !== null)).toEqual([1.5, 2.5]);
    } finally {
      await influx.stop();
    }
  });
});
