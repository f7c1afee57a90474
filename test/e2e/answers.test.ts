import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { request, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { DeviceSocket } from '../fixtures/device-socket.ts';
import { environmentFrame } from '../fixtures/environment-frames.ts';
import { temporaryFolder } from '../fixtures/folder.ts';
import { startServer, type ServerProcess } from '../fixtures/server.ts';
import { until } from '../fixtures/until.ts';

const FRAMES = 150;
const READINGS = 1_000;
const START_MS = Date.UTC(2026, 0, 1);
const range = 'measurement=environment&from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z';

const folder = temporaryFolder();
let server: ServerProcess;
let device: DeviceSocket;
beforeAll(async () => {
  server = await startServer({ MILLRACE_DATA_DIR: folder.path });
  device = new DeviceSocket(server.wsUrl, 'device=a');
  await device.expect('welcome');
  for (let frame = 0; frame < FRAMES; frame++) {
    const readings = Array.from({ length: READINGS }, (_, i) => ({
      time: START_MS + (frame * READINGS + i) * 500,
      temperature: i / 8,
    }));
    device.socket.send(environmentFrame(readings));
  }
  await device.acked(FRAMES);
  await until(
    'all rows in the store',
    async () => {
      const answer = await fetch(`${server.url}/v1/query?${range}&fn=count&field=temperature`);
      const { rows } = (await answer.json()) as { rows: unknown[][] };
      return rows[0]?.[1] === FRAMES * READINGS;
    },
    100_000,
  );
}, 120_000);
afterAll(async () => {
  await device.end();
  await server.end('SIGKILL');
  folder.remove();
});

/** One sample of the server's metrics. */
async function metric(name: string): Promise<number> {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  const line = text.split('\n').find((each) => each.startsWith(`${name} `));
  return Number(line?.slice(name.length));
}

/** An answer of which nothing is read after its first bytes. */
async function parked(path: string): Promise<{ response: IncomingMessage; leave(): void }> {
  const asked = request(`${server.url}${path}`, { agent: false }).end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  response.on('error', () => {});
  asked.on('error', () => {});
  await once(response, 'readable');
  return { response, leave: () => asked.destroy() };
}

test('readers that stand still hold no place: others are answered, and they show in the metrics', async () => {
  const readers = await Promise.all(
    Array.from({ length: 12 }, () => parked(`/v1/query?${range}&format=csv`)),
  );
  const state = (name: string): Promise<number> =>
    metric(`millrace_store_reads{size="large",state="${name}"}`);
  await until(
    'all of them parked, and none with a place',
    async () => (await state('parked')) === 12 && (await state('working')) === 0,
  );
  expect((await fetch(`${server.url}/v1/query?${range}&limit=10`)).status).toBe(200);
  const whole = await (await fetch(`${server.url}/v1/query?${range}&format=csv`)).text();
  expect(whole.split('\r\n').length).toBe(FRAMES * READINGS + 2);
  for (const { leave } of readers) leave();
  await until(
    'the end of all of them',
    async () => (await metric('millrace_store_reads{size="large",state="open"}')) === 0,
  );
  await until('nothing held', async () => (await metric('millrace_answer_held_bytes')) === 0);
}, 60_000);

test('a closed range keeps its ETag while frames come, and each coding has its own', async () => {
  const ask = (headers: Record<string, string> = {}, method = 'GET'): Promise<Response> =>
    fetch(`${server.url}/v1/query?${range}&limit=100000`, { method, headers });
  const first = await ask({ 'Accept-Encoding': 'identity' });
  const tag = first.headers.get('etag') ?? '';
  const { tail } = (await first.json()) as { tail: string };
  device.socket.send(environmentFrame([{ time: Date.now() }]));
  await device.acked(FRAMES + 1);
  await until('a later tail', async () => {
    const later = await ask({ 'Accept-Encoding': 'identity' });
    expect(later.headers.get('etag')).toBe(tag);
    return ((await later.json()) as { tail: string }).tail !== tail;
  });
  const again = await ask({ 'Accept-Encoding': 'identity', 'If-None-Match': tag });
  expect([again.status, await again.text()]).toEqual([304, '']);
  const head = await ask({ 'Accept-Encoding': 'identity' }, 'HEAD');
  expect([head.status, head.headers.get('etag')]).toEqual([200, tag]);
  const zipped = await ask({ 'Accept-Encoding': 'gzip' });
  expect(zipped.headers.get('content-encoding')).toBe('gzip');
  expect(zipped.headers.get('vary')).toContain('Accept-Encoding');
  expect(zipped.headers.get('etag')).not.toBe(tag);
  await zipped.arrayBuffer();
  await until(
    'no open read',
    async () => (await metric('millrace_store_reads{size="large",state="open"}')) === 0,
  );
}, 60_000);

test('gzip has the same bytes', async () => {
  const plain = await parked(`/v1/query?${range}&limit=5000&format=csv`);
  plain.leave();
  const bytes = await new Promise<Buffer>((resolve, reject) => {
    request(
      `${server.url}/v1/query?${range}&format=csv`,
      { headers: { 'Accept-Encoding': 'gzip' } },
      (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.on('end', () => resolve(Buffer.concat(parts)));
        response.on('error', reject);
      },
    ).end();
  });
  const text = await (await fetch(`${server.url}/v1/query?${range}&format=csv`)).text();
  expect(gunzipSync(bytes).toString()).toBe(text);
}, 60_000);

test('a writer process that dies cuts a stream, and the next query is answered by the next one', async () => {
  const reader = await parked(`/v1/query?${range}&format=csv`);
  const children = readFileSync(`/proc/${server.pid}/task/${server.pid}/children`, 'utf8').trim().split(' ');
  const writer = children.find((pid) =>
    readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('writer-process'),
  );
  execFileSync('kill', ['-9', String(writer)]);
  const cut = new Promise<string>((resolve) => {
    reader.response.on('error', () => resolve('cut'));
    reader.response.on('end', () => resolve('whole'));
    reader.response.resume();
  });
  expect(await cut).toBe('cut');
  await until(
    'an answer',
    async () => (await fetch(`${server.url}/v1/query?${range}&limit=1`)).status === 200,
  );
}, 60_000);
