import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { meter, openApiFixture, type Call } from './fixture.ts';

const ALLOWED = 'https://page.example';
const FOREIGN = 'https://evil.example';
let api: Awaited<ReturnType<typeof openApiFixture>>;
let call: Call;

beforeAll(async () => {
  api = await openApiFixture({ origins: [ALLOWED] });
  call = api.call;
  await api.write([meter(10, 'a')]);
});
afterAll(() => api.close());

const READS = [
  '/v1/query?measurement=meter',
  '/v1/query?measurement=meter&format=csv',
  '/v1/latest?measurement=meter',
  '/v1/measurements',
  '/v1/devices',
  '/v1/ledger',
];

function corsHeaders(headers: Record<string, string>): string[] {
  return Object.keys(headers).filter((name) => name.startsWith('Access-Control-'));
}

describe('a page of an allowed origin', () => {
  test.each(READS)('reads %s, with the headers that carry cursors and tags', async (path) => {
    const { status, headers } = await call(path, { headers: { origin: ALLOWED } });
    expect(status).toBe(200);
    expect(headers['Access-Control-Allow-Origin']).toBe(ALLOWED);
    expect(headers['Access-Control-Expose-Headers']?.split(', ')).toEqual(
      expect.arrayContaining(['Millrace-Cursor', 'Millrace-Tail', 'ETag', 'Retry-After']),
    );
    expect(headers['Vary']?.split(', ')).toContain('Origin');
  });

  test('reads what is refused, too', async () => {
    const { status, headers } = await call('/v1/query?measurement=nothing', { headers: { origin: ALLOWED } });
    expect(status).toBe(404);
    expect(headers['Access-Control-Allow-Origin']).toBe(ALLOWED);
  });

  test('reads that it has an answer already', async () => {
    const first = await call('/v1/measurements', { headers: { origin: ALLOWED } });
    const again = await call('/v1/measurements', {
      headers: { origin: ALLOWED, 'if-none-match': first.headers['ETag'] ?? '' },
    });
    expect(again.status).toBe(304);
    expect(again.headers['Access-Control-Allow-Origin']).toBe(ALLOWED);
  });

  test('is told before it sends JSON or a token that it may', async () => {
    const { status, headers, text } = await call('/v1/query', {
      method: 'OPTIONS',
      headers: {
        origin: ALLOWED,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization,content-type',
      },
    });
    expect([status, text]).toEqual([204, '']);
    expect(headers['Access-Control-Allow-Origin']).toBe(ALLOWED);
    expect(headers['Access-Control-Allow-Methods']).toBe('GET, HEAD, POST');
    expect(headers['Access-Control-Allow-Headers']).toMatch(/Authorization.*Content-Type/);
  });
});

describe('a page of another origin', () => {
  test.each(READS)('gets nothing that lets it read %s', async (path) => {
    const { headers } = await call(path, { headers: { origin: FOREIGN } });
    expect(corsHeaders(headers)).toEqual([]);
    expect(headers['Vary']?.split(', ')).toContain('Origin');
  });

  test('is refused before it sends', async () => {
    const { status, headers, json } = await call('/v1/query', {
      method: 'OPTIONS',
      headers: { origin: FOREIGN, 'access-control-request-method': 'POST' },
    });
    expect([status, json['code']]).toEqual([403, 'origin_forbidden']);
    expect(corsHeaders(headers)).toEqual([]);
  });
});

test('OPTIONS that asks for nothing is a method as any other', async () => {
  const { status, headers } = await call('/v1/query', { method: 'OPTIONS' });
  expect([status, headers['Allow']]).toEqual([405, 'GET, HEAD, POST']);
});
