import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createApi } from '../../src/api/index.ts';
import type { NetServer } from '../../src/net/index.ts';
import { openTestEdge } from '../fixtures/edge.ts';
import { meter, openApiFixture } from './fixture.ts';

let api: Awaited<ReturnType<typeof openApiFixture>>;
let net: NetServer;
let url: string;
const defects: unknown[] = [];

beforeAll(async () => {
  api = await openApiFixture();
  await api.write(Array.from({ length: 30_000 }, (_, i) => meter(1 + i / 10, 'a', { energy: BigInt(i) })));
  net = await openTestEdge((error) => defects.push(error));
  net.http(createApi(api.options));
  url = `http://127.0.0.1:${await net.listen('127.0.0.1', 0)}`;
});
afterAll(async () => {
  net.close();
  await api.close();
});

describe('over a socket', () => {
  test('a query is answered, and answered with 304 the next time', async () => {
    const first = await fetch(`${url}/v1/query?measurement=meter&limit=5`);
    expect(first.status).toBe(200);
    expect(((await first.json()) as { rows: unknown[] }).rows.length).toBe(5);
    const etag = first.headers.get('etag') ?? '';
    const again = await fetch(`${url}/v1/query?measurement=meter&limit=5`, {
      headers: { 'If-None-Match': etag },
    });
    expect([again.status, await again.text()]).toEqual([304, '']);
  });

  test('a POST with JSON is answered', async () => {
    const response = await fetch(`${url}/v1/query`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ measurement: 'meter', fn: ['count'], field: 'energy', from: '-2h' }),
    });
    expect(((await response.json()) as { rows: unknown[][] }).rows[0]?.[1]).toBe(30_000);
  });

  test('a large CSV arrives whole', async () => {
    const response = await fetch(`${url}/v1/query?measurement=meter&from=-2h&format=csv`);
    const lines = (await response.text()).split('\r\n');
    expect(lines.length).toBe(30_000 + 2);
    expect(lines.at(-1)).toBe('');
    expect(response.headers.get('millrace-tail')).not.toBeNull();
  });

  test('HEAD has the head of GET and no body', async () => {
    for (const path of ['/v1/measurements', '/v1/query?measurement=meter&from=-2h&format=csv']) {
      const { status, headers } = await fetch(`${url}${path}`);
      const head = await fetch(`${url}${path}`, { method: 'HEAD' });
      expect([head.status, await head.text()]).toEqual([status, '']);
      for (const name of ['content-type', 'etag', 'millrace-tail']) {
        expect([name, head.headers.get(name)]).toEqual([name, headers.get(name)]);
      }
    }
  });

  test('a client that leaves in the middle of a stream costs nothing', async () => {
    for (let i = 0; i < 12; i++) {
      await new Promise<void>((resolve, reject) => {
        const client = request(`${url}/v1/query?measurement=meter&from=-2h&format=csv`, (response) => {
          response.once('data', () => {
            client.destroy();
            resolve();
          });
        });
        client.on('error', reject).end();
      });
    }
    // More clients left than queries may run at once: had one kept its place, this would wait for ever.
    const response = await fetch(`${url}/v1/query?measurement=meter&limit=1`);
    expect(response.status).toBe(200);
    expect(defects).toEqual([]);
  });

  test('errors are problems', async () => {
    const response = await fetch(`${url}/v1/nothing`);
    expect(response.status).toBe(404);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    expect(await response.json()).toMatchObject({ code: 'route_unknown' });
  });
});
