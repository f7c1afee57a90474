import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { meter, openApiFixture } from './fixture.ts';

let api: Awaited<ReturnType<typeof openApiFixture>>;
beforeAll(async () => {
  api = await openApiFixture();
  await api.write([
    meter(7200, 'a', { cos: 0.5 }),
    meter(20, 'a', { power: 4, energy: 9n }),
    meter(10, 'b', { power: Math.fround(0.1) }, { site: 'hall' }),
  ]);
});
afterAll(() => api.close());

const base = '/v1/latest?measurement=meter';

describe('the latest values', () => {
  test('are one row per device: its newest time, the newest value of each field', async () => {
    const { status, json } = await api.call(base);
    expect(status).toBe(200);
    expect(json).toEqual({
      measurement: 'meter',
      columns: ['time', 'device', 'site', 'phase', 'power', 'energy', 'cos', 'on', 'note'],
      rows: [
        ['2026-03-01T11:59:40Z', 'a', 'roof', 'L1', 4, 9, 0.5, true, null],
        ['2026-03-01T11:59:50Z', 'b', 'hall', 'L1', 0.1, 10, null, true, null],
      ],
      cursor: null,
      tail: expect.any(String),
    });
  });

  test('are chosen by device, field and tag', async () => {
    const { json } = await api.call(`${base}&field=power&device=b`);
    expect(json).toMatchObject({
      columns: ['time', 'device', 'site', 'phase', 'power'],
      rows: [['2026-03-01T11:59:50Z', 'b', 'hall', 'L1', 0.1]],
    });
    expect((await api.call(`${base}&tag.site=hall`)).rows.length).toBe(1);
    expect((await api.call(`${base}&device=zzz`)).rows).toEqual([]);
  });

  test('come as CSV too', async () => {
    const { text } = await api.call(`${base}&field=power&format=csv`);
    expect(text.split('\r\n')[1]).toBe('2026-03-01T11:59:40Z,a,roof,L1,4');
  });

  test('are the same by POST, where the device names of a fleet do not fit a URL', async () => {
    const device = ['a', ...Array.from({ length: 250 }, (_, i) => `${'x'.repeat(60)}-${i}`)];
    const body = { measurement: 'meter', device, tag: { site: ['roof', 'hall'] }, field: 'power' };
    const posted = await api.call('/v1/latest', { method: 'POST', body });
    expect([posted.status, posted.rows]).toEqual([200, [['2026-03-01T11:59:40Z', 'a', 'roof', 'L1', 4]]]);
    const refused = await api.call('/v1/latest', { method: 'POST', body: { ...body, every: '1m' } });
    expect(refused.json['code']).toBe('parameter_unknown');
  });

  test.each([
    ['/v1/latest', 400, 'parameter_missing'],
    ['/v1/latest?measurement=nothing', 404, 'measurement_unknown'],
    [`${base}&from=-5m`, 400, 'parameter_unknown'],
    [`${base}&field=nothing`, 400, 'field_unknown'],
  ])('are refused for %s', async (path, status, code) => {
    const reply = await api.call(path);
    expect([reply.status, reply.json['code']]).toEqual([status, code]);
  });
});
