import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { WebSocket } from 'ws';
import { DeviceSocket } from '../fixtures/device-socket.ts';
import { environmentFrame } from '../fixtures/environment-frames.ts';
import { temporaryFolder } from '../fixtures/folder.ts';
import { startServer, type ServerProcess } from '../fixtures/server.ts';
import { until } from '../fixtures/until.ts';

interface Page {
  rows: unknown[][];
  cursor: string | null;
  code?: string;
}

const folder = temporaryFolder();
let server: ServerProcess;

beforeAll(async () => {
  server = await startServer({ MILLRACE_DATA_DIR: join(folder.path, 'data') });
  const device = new DeviceSocket(server.wsUrl, 'device=there');
  const now = Date.now();
  const frame = environmentFrame([1, 2, 3].map((i) => ({ time: now + i, temperature: i })));
  device.socket.on('open', () => device.socket.send(frame));
  await device.acked(1);
  await device.end();
  await until('the rows', async () => (await get(new URLSearchParams(selection))).page.rows.length === 3);
});
afterAll(async () => {
  await server.end('SIGTERM');
  folder.remove();
});

const LONGEST = 8_192;
const selection: [string, string][] = [
  ['measurement', 'environment'],
  ['field', 'temperature'],
  ['device', 'there'],
];

/** A query as long as one may be. */
function longQuery(extra: readonly [string, string][]): URLSearchParams {
  const query = new URLSearchParams([...selection, ...extra]);
  const left = (): number => LONGEST - String(query).length - '&device='.length;
  while (left() > 0) query.append('device', 'x'.repeat(Math.min(100, left())));
  expect(String(query)).toHaveLength(LONGEST);
  return query;
}

async function get(query: URLSearchParams): Promise<{ status: number; page: Page }> {
  const response = await fetch(`${server.url}/v1/query?${String(query)}`);
  return { status: response.status, page: (await response.json()) as Page };
}

async function post(query: URLSearchParams): Promise<{ status: number; page: Page }> {
  const body: Record<string, string | string[]> = {};
  for (const name of query.keys()) {
    const values = query.getAll(name);
    body[name] = name === 'device' || values.length > 1 ? values : (values[0] ?? '');
  }
  const response = await fetch(`${server.url}/v1/query`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: response.status, page: (await response.json()) as Page };
}

const AGGREGATE: [string, string][] = [
  ['fn', 'last'],
  ['every', '1ms'],
  ['group', 'device'],
  ['from', '-10m'],
];

test.each<[string, [string, string][]]>([
  ['rows', []],
  ['aggregates', AGGREGATE],
])('every page of the longest query can be had by GET, by POST and in turns (%s)', async (_, extra) => {
  for (const ways of [
    [get, get, get],
    [post, post, post],
    [get, post, get],
    [post, get, post],
  ]) {
    const query = longQuery([['limit', '1'], ...extra]);
    const values: unknown[] = [];
    for (const ask of ways) {
      const { status, page } = await ask(query);
      expect([status, page.code]).toEqual([200, undefined]);
      values.push(...page.rows.map((row) => row.at(-1)));
      if (page.cursor !== null) query.set('cursor', page.cursor);
    }
    expect(values).toEqual([1, 2, 3]);
  }
});

test('a longer one is refused with what to do', async () => {
  const query = longQuery([]);
  query.append('device', 'z');
  const { status, page } = await get(query);
  expect([status, page.code]).toEqual([414, 'query_too_long']);
  expect((await post(query)).status).toBe(200);
});

test('a tail with a longer one is told so, can ask in a message, and is forgotten when it leaves', async () => {
  const query = longQuery([]);
  query.append('device', 'z');
  const tail = new WebSocket(`${server.wsUrl}/v1/tail?${String(query)}`);
  const told: Record<string, unknown>[] = [];
  tail.on('message', (text: Buffer) => told.push(JSON.parse(text.toString()) as Record<string, unknown>));
  await until('the error', () => told.some(({ id, code }) => id === '0' && code === 'query_too_long'));
  tail.send(JSON.stringify({ type: 'subscribe', id: '0', measurement: 'environment', device: 'there' }));
  await until('the subscription', () => told.some(({ type, id }) => type === 'live' && id === '0'));
  tail.close();
  await once(tail, 'close');
  await until('no tail', async () => {
    const stats = (await (await fetch(`${server.url}/v1/stats`)).json()) as { tails: number };
    return stats.tails === 0;
  });
});
