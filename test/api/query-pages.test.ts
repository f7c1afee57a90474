import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  DEVICE_COLUMN,
  Places,
  TIME_COLUMN,
  batchOfRows,
  decodeCursor,
  formatTimeNs,
} from '../../src/core/index.ts';
import { readPage } from '../../src/answers/page.ts';
import { Reading } from '../../src/answers/reading.ts';
import { FORMS } from '../../src/answers/index.ts';
import { NOW_MS, callApi, meter, openApiFixture, type Reply } from './fixture.ts';
import { createApi } from '../../src/api/index.ts';

let api: Awaited<ReturnType<typeof openApiFixture>>;
beforeAll(async () => {
  api = await openApiFixture();
  // Five rows at each of four times, so that pages end inside of a time.
  const devices = ['a', 'b', 'c', 'd', 'e'];
  await api.write([40, 30, 20, 10].flatMap((ago) => devices.map((device) => meter(ago, device))));
});
afterAll(() => api.close());

const base = '/v1/query?measurement=meter';

async function pages(query: string, limit: number): Promise<unknown[][][]> {
  const all: unknown[][][] = [];
  let cursor: unknown = null;
  do {
    const next = typeof cursor === 'string' ? `&cursor=${cursor}` : '';
    const { status, json, rows } = await api.call(`${base}${query}&limit=${limit}${next}`);
    expect(status).toBe(200);
    all.push(rows);
    cursor = json['cursor'];
  } while (cursor !== null && all.length < 100);
  return all;
}

describe('pages of an answer', () => {
  test.each([
    ['', 'rows'],
    ['&order=desc', 'rows backwards'],
    ['&fn=count&field=energy&every=10s&group=device', 'aggregates'],
    ['&fn=count&field=energy&every=10s&group=device&order=desc', 'aggregates backwards'],
    ['&fn=count&field=energy&every=15s&group=device&from=-37s&to=-3s', 'unaligned buckets'],
    [
      '&fn=count&field=energy&every=15s&group=device&from=-37s&to=-3s&order=desc',
      'unaligned buckets backwards',
    ],
    ['&fn=count&field=energy&group=device', 'aggregates without buckets'],
  ])('joined give the whole (%s: %s)', async (query) => {
    const whole = (await api.call(`${base}${query}`)).rows;
    expect(whole.length).toBeGreaterThanOrEqual(5);
    for (const limit of [1, 3, 5, 7]) {
      const parts = await pages(query, limit);
      expect(parts.flat()).toEqual(whole);
      expect(parts.slice(0, -1).every((part) => part.length === limit)).toBe(true);
      expect(parts.at(-1)?.length).toBeGreaterThan(0);
    }
  });

  test('keep the relative times and the tail of the first one', async () => {
    let nowMs = NOW_MS;
    const handle = createApi({ ...api.options, clock: { nowMs: () => nowMs } });
    const first = await callApi(handle, `${base}&from=-45s&limit=12`);
    nowMs += 30_000;
    await api.write([meter(5, 'zz')]);
    const second = await callApi(handle, `${base}&from=-45s&limit=12&cursor=${String(first.json['cursor'])}`);
    // 30 s later, -45s alone would leave out the first half; and a row before `to` of the first page shows up.
    expect(second.rows.map((row) => row[1])).toEqual(['c', 'd', 'e', 'a', 'b', 'c', 'd', 'e', 'zz']);
    expect(second.json['tail']).toBe(first.json['tail']);
    expect(decodeCursor(String(first.json['tail'])).position).toBe(api.state.position - 1);
  });

  test('repeat and leave out nothing when rows come late at the time where one ended', async () => {
    const query = `${base}&from=-35s&to=-25s`;
    const first = await api.call(`${query}&limit=3`);
    expect(first.rows.map((row) => row[1])).toEqual(['a', 'b', 'c']);
    await api.write([meter(30, 'aa'), meter(30, 'cc')]);
    const rest = await api.call(`${query}&limit=10&cursor=${String(first.json['cursor'])}`);
    expect(rest.rows.map((row) => row[1])).toEqual(['cc', 'd', 'e']);
  });

  test.each(['json', 'csv'])(
    'of aggregates give no group twice when others appear between them (%s)',
    async (format) => {
      const query = `${base}&fn=count&field=on&every=10s&group=device&from=-75s&to=-55s&format=${format}`;
      await api.write(['b', 'd', 'f'].map((device) => meter(60, `${format}-${device}`)));
      const devicesOf = ({ rows, text }: Reply): unknown[] =>
        format === 'json'
          ? rows.map((row) => row[1])
          : text
              .trim()
              .split('\r\n')
              .slice(1)
              .map((line) => line.split(',')[1]);
      const cursorOf = ({ json, headers }: Reply): unknown => json['cursor'] ?? headers['Millrace-Cursor'];
      const only = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => `&device=${format}-${name}`).join('');
      const first = await api.call(`${query}${only}&limit=2`);
      await api.write(['a', 'c', 'e'].map((device) => meter(60, `${format}-${device}`)));
      const rest = await api.call(`${query}${only}&limit=10&cursor=${String(cursorOf(first))}`);
      expect([first, rest].flatMap(devicesOf)).toEqual(
        ['b', 'd', 'e', 'f'].map((name) => `${format}-${name}`),
      );
    },
  );

  test('of groups with names too long for a cursor are counted, and joined give the whole', async () => {
    const sites = ['a', 'b', 'c'].map((name) => name + 'ü'.repeat(500));
    await api.write(sites.map((site) => meter(85, 'long', {}, { site })));
    for (const query of ['&fn=count&field=on&every=10s&group=site', '']) {
      const all = await pages(`${query}&device=long&from=-95s&to=-80s`, 1);
      expect(
        all
          .flat()
          .flat()
          .filter((cell) => sites.includes(String(cell))),
      ).toEqual(sites);
    }
  });

  test('do not go on with other parameters', async () => {
    const { json } = await api.call(`${base}&limit=1`);
    const cursor = String(json['cursor']);
    for (const query of ['&order=desc', '&device=a', '&from=-2h', '&fn=count']) {
      const { status, json: problem } = await api.call(`${base}${query}&cursor=${cursor}`);
      expect([status, problem['code']]).toEqual([400, 'cursor_invalid']);
    }
    expect((await api.call(`${base}&limit=2&cursor=${cursor}`)).rows.length).toBe(2);
  });

  test('end early when they have too many bytes, but hold at least one row', async () => {
    const time = 1_700_000_000_000_000_000n;
    const columns = [TIME_COLUMN, DEVICE_COLUMN];
    const rows = [0, 1, 2, 3].map((i) => [time + BigInt(i), `device-${i}`]);
    const open = () =>
      Reading.open({ timeoutMs: 1_000, work: new Places(1) }, new AbortController().signal, () =>
        Promise.resolve({
          columns,
          view: () => ({ position: 0, epoch: 'e', exact: true }),
          chunks: (async function* () {
            yield batchOfRows(columns, rows);
          })(),
        }),
      );
    const ignore = () => Promise.resolve();
    const writer = () => FORMS.json.open({ measurement: 'meter', columns });
    const small = await readPage(await open(), writer(), { limit: 10, maxBytes: 60 }, ignore);
    expect(small.rows).toBe(2);
    expect(small.more).toBe(true);
    expect(formatTimeNs(small.end?.timeNs ?? 0n)).toBe('2023-11-14T22:13:20.000000001Z');
    const tiny = await readPage(await open(), writer(), { limit: 10, maxBytes: 0 }, ignore);
    expect([tiny.rows, tiny.more]).toEqual([1, true]);
  });
});
