import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { meter, openApiFixture } from './fixture.ts';

let api: Awaited<ReturnType<typeof openApiFixture>>;
beforeAll(async () => {
  api = await openApiFixture();
  await api.write([meter(60, 'a'), ...['a', 'b', 'c:1', 'd', 'e'].map((device) => meter(10, device))]);
});
afterAll(() => api.close());

describe('/v1/measurements', () => {
  test('lists tags, fields with units, and subjects', async () => {
    const { json } = await api.call('/v1/measurements');
    const list = json['measurements'] as { name: string }[];
    expect(list.map((each) => each.name)).toEqual(['environment', 'meter']);
    expect(list[1]).toEqual({
      name: 'meter',
      doc: 'A power meter.',
      tags: ['device', 'site', 'phase'],
      fields: [
        { name: 'power', type: 'float', unit: 'W', doc: 'Active power.' },
        { name: 'energy', type: 'integer', unit: 'Wh', doc: null },
        { name: 'cos', type: 'float', unit: null, doc: null },
        { name: 'on', type: 'boolean', unit: null, doc: null },
        { name: 'note', type: 'string', unit: null, doc: null },
      ],
      subjects: ['meter'],
    });
  });
});

describe('/v1/devices', () => {
  test('lists devices in order, with what is known of each', async () => {
    const { json } = await api.call('/v1/devices');
    const list = json['devices'] as { device: string }[];
    expect(list.map((each) => each.device)).toEqual(['a', 'b', 'c:1', 'd', 'e']);
    expect(list[0]).toEqual({
      device: 'a',
      firstSeen: '2026-03-01T11:59:00Z',
      lastSeen: '2026-03-01T11:59:50Z',
      connected: true,
      measurements: ['meter'],
    });
    expect(list[1]).toMatchObject({ connected: false });
    expect(json['cursor']).toBeNull();
  });

  test('goes on from page to page', async () => {
    const seen: string[] = [];
    let cursor: unknown = null;
    do {
      const next = typeof cursor === 'string' ? `&cursor=${cursor}` : '';
      const { json } = await api.call(`/v1/devices?limit=2${next}`);
      seen.push(...(json['devices'] as { device: string }[]).map((each) => each.device));
      cursor = json['cursor'];
    } while (cursor !== null && seen.length < 100);
    expect(seen).toEqual(['a', 'b', 'c:1', 'd', 'e']);
  });

  test.each(['limit=0', 'limit=x', 'cursor=abc', 'cursor='])('refuses %s', async (query) => {
    expect((await api.call(`/v1/devices?${query}`)).status).toBe(400);
  });
});

describe('/v1/devices/{id}', () => {
  test('is one device, its id encoded or not', async () => {
    expect((await api.call('/v1/devices/c:1')).json).toMatchObject({ device: 'c:1' });
    expect((await api.call('/v1/devices/c%3A1')).json).toMatchObject({ device: 'c:1' });
  });

  test.each(['/v1/devices/zzz', '/v1/devices/a%2Fb'])('is unknown for %s', async (path) => {
    const { status, json } = await api.call(path);
    expect([status, json['code']]).toEqual([404, 'device_unknown']);
  });

  test.each(['/v1/devices/', '/v1/devices/a/b', '/v1/devices/%E0%A4%A'])(
    'is no route for %s',
    async (path) => {
      const { status, json } = await api.call(path);
      expect([status, json['code']]).toEqual([404, 'route_unknown']);
    },
  );

  test('takes no id beside the one in the path', async () => {
    expect((await api.call('/v1/devices/a?id=b')).json['code']).toBe('parameter_unknown');
  });
});
