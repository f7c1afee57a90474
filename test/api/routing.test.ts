import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { MillraceError } from '../../src/core/index.ts';
import { createApi } from '../../src/api/index.ts';
import { temporaryFolder } from '../fixtures/folder.ts';
import { callApi, meter, openApiFixture, type Call } from './fixture.ts';

const page = temporaryFolder();
const answers: [string, number][] = [];
let api: Awaited<ReturnType<typeof openApiFixture>>;
let call: Call;

beforeAll(async () => {
  mkdirSync(join(page.path, 'page/assets'), { recursive: true });
  writeFileSync(join(page.path, 'secret.txt'), 'secret');
  writeFileSync(join(page.path, 'page/index.html'), '<!doctype html>');
  writeFileSync(join(page.path, 'page/.hidden'), 'hidden');
  writeFileSync(join(page.path, 'page/assets/app.js'), 'export {};');
  api = await openApiFixture({
    pageDir: join(page.path, 'page'),
    origins: ['https://page.example'],
    onAnswer: (route, status, ms) => {
      expect(ms).toBeGreaterThanOrEqual(0);
      answers.push([route, status]);
    },
  });
  call = api.call;
  await api.write([meter(10, 'a')]);
});
afterAll(async () => {
  await api.close();
  page.remove();
});

describe('routing', () => {
  test.each(['/nothing', '/v1', '/v1/', '/v1/query/', '//', '/%2e%2e/secret.txt'])(
    '%s is unknown',
    async (path) => {
      const { status, json } = await call(path);
      expect([status, json['code']]).toEqual([404, 'route_unknown']);
    },
  );

  test.each([
    ['DELETE', '/v1/latest', 'GET, HEAD, POST'],
    ['DELETE', '/v1/query', 'GET, HEAD, POST'],
    ['PUT', '/v1/devices/a', 'GET, HEAD'],
    ['OPTIONS', '/healthz', 'GET, HEAD'],
    ['POST', '/', 'GET, HEAD'],
  ])('%s %s is answered with Allow: %s', async (method, path, allow) => {
    const { status, headers, json } = await call(path, { method });
    expect([status, headers['Allow'], json['code']]).toEqual([405, allow, 'method_not_allowed']);
  });

  test('counts answers under the declared route, never under a path of unbounded kinds', async () => {
    answers.length = 0;
    for (const path of ['/v1/devices/a', '/v1/devices/zzz', '/nothing', '/', '/v1/query']) await call(path);
    expect(answers).toEqual([
      ['/v1/devices/{id}', 200],
      ['/v1/devices/{id}', 404],
      ['unknown', 404],
      ['page', 200],
      ['/v1/query', 400],
    ]);
  });

  test('throws defects on to the edge, which logs them', async () => {
    const broken = { ...api.options, stats: () => JSON.parse('{') as never };
    await expect(callApi(createApi(broken), '/v1/stats')).rejects.toThrow(SyntaxError);
  });
});

describe('conditional requests', () => {
  const paths = [
    '/v1/query?measurement=meter',
    '/v1/latest?measurement=meter',
    '/v1/devices',
    '/v1/devices/a',
  ];
  test.each([...paths, '/v1/measurements', '/v1/ledger', '/v1/dead-letters', '/openapi.json', '/'])(
    '%s has a strong ETag that gives 304',
    async (path) => {
      const first = await call(path);
      const tag = first.headers['ETag'] ?? '';
      expect(tag).toMatch(/^"[\w-]{27}"$/);
      expect(first.headers['Cache-Control']).toMatch(/max-age=1|no-cache/);
      for (const given of [tag, `W/${tag}`, `"other", ${tag}`, '*']) {
        const again = await call(path, { headers: { 'if-none-match': given } });
        expect([again.status, again.text, again.headers['ETag']]).toEqual([304, '', tag]);
      }
      expect((await call(path, { headers: { 'if-none-match': '"other"' } })).status).toBe(200);
      const head = await call(path, { method: 'HEAD' });
      expect([head.status, head.headers['ETag']]).toEqual([200, tag]);
    },
  );

  test('change their tag with the answer', async () => {
    const before = await call('/v1/query?measurement=meter');
    await api.write([meter(5, 'b')]);
    const after = await call('/v1/query?measurement=meter', {
      headers: { 'if-none-match': before.headers['ETag'] ?? '' },
    });
    expect(after.status).toBe(200);
  });

  test('do not concern refusals and answers about this moment', async () => {
    expect((await call('/v1/query', { headers: { 'if-none-match': '*' } })).status).toBe(400);
    expect((await call('/readyz', { headers: { 'if-none-match': '*' } })).status).toBe(200);
  });
});

describe('the page', () => {
  test('is served with its types and a policy without other hosts', async () => {
    const index = await call('/');
    expect(index.text).toBe('<!doctype html>');
    expect(index.headers['Content-Type']).toBe('text/html; charset=utf-8');
    expect(index.headers['X-Content-Type-Options']).toBe('nosniff');
    const policy = index.headers['Content-Security-Policy'] ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toMatch(/https?:|\*|unsafe/);
    const script = await call('/assets/app.js');
    expect(script.headers['Content-Type']).toBe('text/javascript; charset=utf-8');
  });

  test.each([
    '/../secret.txt',
    '/assets/../../secret.txt',
    '/..%2fsecret.txt',
    '/.hidden',
    '/assets',
    '/assets/',
  ])('does not give away %s', async (path) => {
    expect((await call(path)).status).toBe(404);
  });
});

describe('other origins', () => {
  const post = (headers: Record<string, string>) =>
    call('/v1/query', {
      method: 'POST',
      body: { measurement: 'meter' },
      headers: { host: 'gate:8080', ...headers },
    });

  test('may not send requests that are no reads, unless allowed', async () => {
    expect((await post({})).status).toBe(200);
    expect((await post({ origin: 'http://gate:8080' })).status).toBe(200);
    expect((await post({ origin: 'https://page.example' })).status).toBe(200);
    const refused = await post({ origin: 'https://evil.example' });
    expect([refused.status, refused.json['code']]).toEqual([403, 'origin_forbidden']);
  });

  test('get no CORS headers', async () => {
    const { headers } = await call('/v1/measurements', { headers: { origin: 'https://evil.example' } });
    expect(Object.keys(headers).filter((name) => /^access-control/i.test(name))).toEqual([]);
  });

  test('do not reach a loopback server under a name of their own', async () => {
    const handle = createApi({ ...api.options, loopbackOnly: true });
    const status = async (host: string): Promise<number> =>
      (await callApi(handle, '/v1/measurements', { headers: { host } })).status;
    for (const host of ['127.0.0.1:8080', 'localhost', '[::1]:8080', '127.1.2.3', 'page.example']) {
      expect([host, await status(host)]).toEqual([host, 200]);
    }
    for (const host of ['evil.example:8080', '127.0.0.1.evil.example', 'localhost.evil.example', 'a b']) {
      expect([host, await status(host)]).toEqual([host, 403]);
    }
  });
});

describe('probes', () => {
  test.each(['/healthz', '/readyz', '/metrics'])(
    '%s takes any Host, and parameters it does not know',
    async (path) => {
      const handle = createApi({ ...api.options, loopbackOnly: true });
      const headers = { host: 'gate.internal:8080' };
      expect((await callApi(handle, `${path}?token=x&__proto__=1`, { headers })).status).toBe(200);
    },
  );

  test('a parameter that a probe knows is checked all the same', async () => {
    const { status, json } = await call('/readyz?for=nothing');
    expect([status, json['code']]).toEqual([400, 'parameter_invalid']);
  });
});

describe('a store that is away', () => {
  test('is answered with 503 and when to come back', async () => {
    const away = () => Promise.reject(new MillraceError('store_unavailable', 'connect ECONNREFUSED'));
    const store = { rows: away, aggregate: away, latest: away, devices: away, device: away };
    const handle = createApi({ ...api.options, store });
    const paths = [
      '/v1/query?measurement=meter',
      '/v1/latest?measurement=meter',
      '/v1/devices',
      '/v1/devices/a',
    ];
    for (const path of [...paths, '/v1/query?measurement=meter&fn=count']) {
      const { status, headers, json } = await callApi(handle, path);
      expect([status, json['code'], headers['Retry-After']]).toEqual([503, 'store_unavailable', '1']);
    }
    expect((await callApi(handle, '/v1/measurements')).status).toBe(200);
  });

  test('or that takes too long, is given up', async () => {
    const slow = (_: unknown, signal: AbortSignal) =>
      new Promise<never>((_, reject) => {
        signal.addEventListener('abort', () => reject(new Error('aborted')));
      });
    const store = { ...api.options.store, rows: slow };
    const handle = createApi({ ...api.options, store, queryTimeoutMs: 5 });
    const { status, json } = await callApi(handle, '/v1/query?measurement=meter');
    expect([status, json['code']]).toEqual([503, 'query_timeout']);
  });
});
