import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { decodeCursor } from '../../src/core/index.ts';
import { meter, openApiFixture } from './fixture.ts';

let api: Awaited<ReturnType<typeof openApiFixture>>;
beforeAll(async () => {
  api = await openApiFixture();
  await api.write([
    meter(7200, 'a', { energy: 1n }),
    meter(30, 'a', { power: Math.fround(21.3), energy: 2n ** 60n, cos: 0.1, note: 'x,y' }),
    meter(30, 'b', { power: null, energy: 7n, on: false }, { site: 'hall', phase: 'L2' }),
    meter(20, 'a', { power: 4, energy: 9n }),
    meter(10, 'b', { power: 8, energy: 11n }, { site: 'hall', phase: 'L2' }),
  ]);
});
afterAll(() => api.close());

const base = '/v1/query?measurement=meter';

describe('raw rows', () => {
  test('come by time with all columns, of the last hour by default', async () => {
    const { status, headers, json } = await api.call(base);
    expect(status).toBe(200);
    expect(headers['Content-Type']).toBe('application/json');
    expect(json).toEqual({
      measurement: 'meter',
      columns: ['time', 'device', 'site', 'phase', 'power', 'energy', 'cos', 'on', 'note'],
      rows: [
        ['2026-03-01T11:59:30Z', 'a', 'roof', 'L1', 21.3, '1152921504606846976', 0.1, true, 'x,y'],
        ['2026-03-01T11:59:30Z', 'b', 'hall', 'L2', null, 7, null, false, null],
        ['2026-03-01T11:59:40Z', 'a', 'roof', 'L1', 4, 9, null, true, null],
        ['2026-03-01T11:59:50Z', 'b', 'hall', 'L2', 8, 11, null, true, null],
      ],
      cursor: null,
      tail: expect.any(String),
    });
  });

  test('carry a tail cursor at the position that the store saw', async () => {
    const { json } = await api.call(base);
    expect(decodeCursor(String(json['tail']))).toEqual({
      epoch: api.journal.epoch,
      position: api.state.position,
      history: null,
    });
  });

  test.each([
    ['from=-2h', 5],
    ['from=2026-03-01T11:59:40Z', 2],
    ['from=2026-03-01T11:59:30Z&to=2026-03-01T11:59:40Z', 2],
    ['from=2026-03-01T12:59:40+01:00', 2],
    [`from=${Date.UTC(2026, 2, 1, 11, 59, 41)}`, 1],
    ['from=-25s&to=-15s', 1],
    ['to=-1h&from=-1h', 0],
    ['from=1900-01-01T00:00:00Z&to=9999-01-01T00:00:00Z', 5],
    ['device=a', 2],
    ['device=a&device=b', 4],
    ['tag.device=a', 2],
    ['device=zzz', 0],
    ['tag.site=hall', 2],
    ['tag.site=hall&tag.site=roof&tag.phase=L1', 2],
    ['tag.site=nowhere', 0],
    ['limit=3', 3],
  ])('are chosen by %s', async (query, count) => {
    const { status, rows } = await api.call(`${base}&${query}`);
    expect([status, rows.length]).toEqual([200, count]);
  });

  test('have the asked fields only, in schema order, and come backwards on demand', async () => {
    const { json } = await api.call(`${base}&field=on&field=power&order=desc&device=a`);
    expect(json).toMatchObject({
      columns: ['time', 'device', 'site', 'phase', 'power', 'on'],
      rows: [
        ['2026-03-01T11:59:40Z', 'a', 'roof', 'L1', 4, true],
        ['2026-03-01T11:59:30Z', 'a', 'roof', 'L1', 21.3, true],
      ],
    });
  });

  test('are the same when the parameters come as JSON', async () => {
    const asked = await api.call(`${base}&device=b&tag.phase=L2&limit=1&from=${Date.UTC(2026, 1, 1)}`);
    const body = {
      measurement: 'meter',
      device: 'b',
      tag: { phase: ['L2'] },
      limit: 1,
      from: Date.UTC(2026, 1, 1),
      cursor: null,
    };
    const posted = await api.call('/v1/query', { method: 'POST', body });
    expect(posted.status).toBe(200);
    expect(posted.json).toEqual({ ...asked.json, cursor: posted.json['cursor'] });
    expect(posted.headers['ETag']).toBeUndefined();
  });
});

describe('aggregates', () => {
  test('without every are one row per group at from', async () => {
    const { json } = await api.call(`${base}&fn=sum&field=energy&field=power&group=device&from=-25s`);
    expect(json).toMatchObject({
      columns: ['time', 'device', 'power', 'energy'],
      rows: [
        ['2026-03-01T11:59:35Z', 'a', 4, 9],
        ['2026-03-01T11:59:35Z', 'b', 8, 11],
      ],
      cursor: null,
    });
  });

  test('with several functions name each column after field and function', async () => {
    const { json } = await api.call(`${base}&fn=min,max&fn=count&field=power&every=30s&from=-30s`);
    expect(json).toMatchObject({
      columns: ['time', 'power_min', 'power_max', 'power_count'],
      rows: [['2026-03-01T11:59:30Z', 4, 21.3, 3]],
    });
  });

  test('of group=* keep every series apart', async () => {
    const { json } = await api.call(`${base}&fn=last&field=power&group=*`);
    expect(json['columns']).toEqual(['time', 'device', 'site', 'phase', 'power']);
    expect((json['rows'] as unknown[]).length).toBe(2);
  });

  test('without field take every field that all functions suit', async () => {
    expect((await api.call(`${base}&fn=mean`)).json['columns']).toEqual(['time', 'power', 'energy', 'cos']);
    expect((await api.call(`${base}&fn=count`)).json['columns']).toEqual([
      'time',
      'power',
      'energy',
      'cos',
      'on',
      'note',
    ]);
  });
});

describe('what is asked wrongly is refused', () => {
  test.each([
    ['/v1/query', 400, 'parameter_missing'],
    ['/v1/query?measurement=nothing', 404, 'measurement_unknown'],
    [`${base}&field=nothing`, 400, 'field_unknown'],
    [`${base}&field=site`, 400, 'field_unknown'],
    [`${base}&tag.nothing=x`, 400, 'parameter_unknown'],
    [`${base}&device=a&tag.device=a`, 400, 'parameter_invalid'],
    [`${base}&form=csv`, 400, 'parameter_unknown'],
    [`${base}&from=-5m&to=-10m`, 400, 'parameter_invalid'],
    [`${base}&from=yesterday`, 400, 'parameter_invalid'],
    [`${base}&limit=0`, 400, 'parameter_invalid'],
    [`${base}&limit=1000001`, 400, 'parameter_invalid'],
    [`${base}&order=up`, 400, 'parameter_invalid'],
    [`${base}&every=10s`, 400, 'parameter_invalid'],
    [`${base}&group=site`, 400, 'parameter_invalid'],
    [`${base}&fn=mean&every=0s`, 400, 'parameter_invalid'],
    [`${base}&fn=mean&every=fast`, 400, 'parameter_invalid'],
    [`${base}&fn=mean&every=1ms&from=-1h`, 400, 'parameter_invalid'],
    [`${base}&fn=avg`, 400, 'parameter_invalid'],
    [`${base}&fn=mean&group=power`, 400, 'parameter_invalid'],
    [`${base}&fn=mean&field=note`, 400, 'function_unsuitable'],
    [`${base}&fn=max&field=on`, 400, 'function_unsuitable'],
    [`${base}&cursor=abc`, 400, 'cursor_invalid'],
    [`${base}&format=xml`, 400, 'parameter_invalid'],
    [`${base}&format=arrow`, 406, 'not_acceptable'],
  ])('%s: %i %s', async (path, status, code) => {
    const reply = await api.call(path);
    expect([reply.status, reply.json['code']]).toEqual([status, code]);
    expect(reply.headers['Content-Type']).toBe('application/problem+json');
    expect(reply.json).toMatchObject({ status, title: expect.any(String), detail: expect.any(String) });
  });

  test('as JSON too', async () => {
    const post = (body: unknown) => api.call('/v1/query', { method: 'POST', body });
    expect((await post({ measurement: 'meter', form: 'csv' })).json['code']).toBe('parameter_unknown');
    expect((await post({ measurement: 'meter', device: [] })).json['code']).toBe('parameter_invalid');
    expect((await post('{')).json['code']).toBe('body_invalid');
  });
});
