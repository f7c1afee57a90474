import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { rowsOfBatch, type Cell, type ColumnBatch } from '../../../src/core/index.ts';
import { openInfluxStore, type Answer, type RefusedPoint, type Store } from '../../../src/store/index.ts';
import {
  describeWithInflux,
  influxIsForeign,
  startInflux,
  type InfluxServer,
} from '../../fixtures/influxd.ts';
import { until } from '../../fixtures/until.ts';
import { BASE_NS, batchOf, shape, SECOND_NS, type Point, type Shape } from '../points.ts';

const room = shape('room', { temperature: 'float', count: 'integer', ok: 'boolean', note: 'string' }, [
  'zone',
]);
const never = new AbortController().signal;

function at(offsetNs: bigint, fields: Point['fields']): Point {
  return { timeNs: BASE_NS + offsetNs, device: 'a', fields };
}

async function rowsOf(answer: Promise<Answer>): Promise<Cell[][]> {
  const rows: Cell[][] = [];
  for await (const chunk of (await answer).chunks) rows.push(...rowsOfBatch(chunk));
  return rows;
}

function all({ measurement }: Shape): Parameters<Store['rows']>[0] {
  return {
    measurement,
    fields: [],
    devices: [],
    tags: {},
    fromNs: 0n,
    toNs: 9_223_372_036_854_775_807n,
    order: 'asc',
    limit: null,
    after: null,
  };
}

describeWithInflux('the store on InfluxDB', () => {
  let server: InfluxServer;
  let bucket: string;
  let store: Store;
  let position = 0;

  beforeAll(async () => {
    server = await startInflux();
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    bucket = await server.newBucket();
    store = await openInfluxStore({ ...connection(), bucket });
  });
  afterEach(() => store.close());

  const connection = (): { url: string; token: string; org: string } => ({
    url: server.url,
    token: server.token,
    org: server.org,
  });
  const write = (batches: ColumnBatch[]): Promise<RefusedPoint[]> =>
    store.write(batches, { epoch: 'e', position: ++position, refused: [] });
  const put = (points: Point[], of = room): Promise<RefusedPoint[]> => write([batchOf(of, points)]);
  const read = (of = room): Promise<Cell[][]> => rowsOf(store.rows(all(of), never));

  test('values of every type read back exactly', async () => {
    const fields = {
      temperature: -0,
      count: 9_007_199_254_740_993n,
      ok: false,
      note: 'a "quoted" \\ \n line',
    };
    expect(await put([{ timeNs: BASE_NS + 1n, device: 'a', tags: { zone: 'x' }, fields }])).toEqual([]);
    expect(await read()).toEqual([
      [BASE_NS + 1n, 'a', 'x', -0, 9_007_199_254_740_993n, false, 'a "quoted" \\ \n line'],
    ]);
  });

  test('any number, string and tag that it takes reads back as it was', async () => {
    const tag = fc.option(fc.string({ unit: 'binary', maxLength: 12 }), { nil: null });
    const rows = fc.array(
      fc.record({
        zone: tag,
        temperature: fc.option(fc.double({ noNaN: true, noDefaultInfinity: true }), { nil: null }),
        count: fc.option(fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n), { nil: null }),
        ok: fc.option(fc.boolean(), { nil: null }),
        note: fc.option(fc.string({ unit: 'binary', maxLength: 30 }), { nil: null }),
      }),
      { minLength: 1, maxLength: 50 },
    );
    let run = 0n;
    await fc.assert(
      fc.asyncProperty(rows, async (generated) => {
        const startNs = BASE_NS + run++ * 1_000n * SECOND_NS;
        const points = generated.map(({ zone, ...fields }, i) => ({
          timeNs: startNs + BigInt(i),
          device: 'a',
          tags: { zone },
          fields,
        }));
        const refused = new Set((await put(points)).map(({ row }) => row));
        const expected = generated.flatMap(({ zone, temperature, count, ok, note }, i) => {
          const unfaithful = zone !== null && /[\n\0]|\\$/.test(zone);
          const empty = temperature === null && count === null && ok === null && note === null;
          if (!empty) expect([i, refused.has(i)]).toEqual([i, unfaithful]);
          if (unfaithful || empty) return [];
          return [[startNs + BigInt(i), 'a', zone === '' ? null : zone, temperature, count, ok, note]];
        });
        const query = { ...all(room), fromNs: startNs, toNs: startNs + SECOND_NS };
        expect(await rowsOf(store.rows(query, never))).toEqual(expected);
      }),
      { numRuns: 60 },
    );
  });

  test('hostile names of measurement, tag and fields are only names', async () => {
    const of = shape(`we"ird 'm,= x;`, { '"f" = 1, ;--': 'float', '#,"': 'string' }, ['t ,="\'']);
    const fields = { '"f" = 1, ;--': 1, '#,"': '"; DROP' };
    expect(
      await put([{ timeNs: BASE_NS, device: 'a', tags: { 't ,="\'': "v' OR 1=1 \\x" }, fields }], of),
    ).toEqual([]);
    const row = [BASE_NS, 'a', "v' OR 1=1 \\x", 1, '"; DROP'];
    expect(await read(of)).toEqual([row]);
    const chosen = { ...all(of), tags: { 't ,="\'': ["v' OR 1=1 \\x"] } };
    expect(await rowsOf(store.rows(chosen, never))).toEqual([row]);
    expect(await rowsOf(store.latest(chosen, never))).toEqual([row]);
    expect(await rowsOf(store.rows({ ...chosen, tags: { 't ,="\'': ["v' OR '1'='1"] } }, never))).toEqual([]);
  });

  test('names that InfluxDB could store but not find again are refused', async () => {
    for (const of of [
      shape('a\\b', { x: 'float' }),
      shape('m', { 'x\\ y': 'float' }),
      shape('#m', { x: 'float' }),
    ]) {
      const fields = Object.fromEntries(of.measurement.fields.map(({ name }) => [name, 1]));
      expect(await put([{ timeNs: BASE_NS, device: 'a', fields }], of)).toHaveLength(1);
    }
  });

  test('a field that is called time is refused, as InfluxDB would drop it without a word', async () => {
    const of = shape('clock', { time: 'float', x: 'float' });
    const [refused] = await put([{ timeNs: BASE_NS, device: 'a', fields: { time: 1, x: 2 } }], of);
    expect(refused).toMatchObject({ row: 0, message: expect.stringContaining('"time"') });
  });

  test('a float32 is stored as its own double, and what is stored otherwise is rounded to one while the field is float', async () => {
    const [def] = shape('f', { x: 'float' }).measurement.fields;
    const f32 = [{ ...(def ?? shouldNotHappen()), float32: true }];
    const of: Shape = {
      mapping: { measurement: 'f', doc: null, columns: f32 },
      measurement: { name: 'f', doc: null, tags: [], fields: f32, subjects: [] },
    };
    await put([{ timeNs: BASE_NS, device: 'a', fields: { x: Math.fround(21.3) } }], of);
    expect(await read(of)).toEqual([[BASE_NS, 'a', Math.fround(21.3)]]);
    const asDouble = shape('f', { x: 'float' });
    expect(await read(asDouble)).toEqual([[BASE_NS, 'a', Math.fround(21.3)]]);
    await put([{ timeNs: BASE_NS, device: 'a', fields: { x: 21.3 } }], asDouble);
    expect(await read(asDouble)).toEqual([[BASE_NS, 'a', 21.3]]);
    expect(await read(of)).toEqual([[BASE_NS, 'a', Math.fround(21.3)]]);
  });

  test('the later row of a series and time wins field by field, in one write and across writes', async () => {
    await put([at(0n, { temperature: 1, count: 1n }), at(0n, { temperature: 2 }), at(0n, { note: 'n' })]);
    expect(await read()).toEqual([[BASE_NS, 'a', null, 2, 1n, null, 'n']]);
    await write([batchOf(room, [at(0n, { temperature: 3 })]), batchOf(room, [at(0n, { ok: true })])]);
    expect(await read()).toEqual([[BASE_NS, 'a', null, 3, 1n, true, 'n']]);
  });

  test('a batch written twice counts once', async () => {
    const points = Array.from({ length: 12_000 }, (_, i) => ({
      timeNs: BASE_NS + BigInt(i >> 1) * SECOND_NS,
      device: i % 2 === 0 ? 'a' : 'b',
      fields: { count: BigInt(i) },
    }));
    await put(points);
    await put(points);
    expect(await read()).toHaveLength(12_000);
    const count = store.aggregate(
      {
        ...all(room),
        aggregates: [
          { field: 'count', fn: 'count', name: 'n' },
          { field: 'count', fn: 'sum', name: 's' },
        ],
        everyNs: null,
        group: [],
      },
      never,
    );
    expect(await rowsOf(count)).toEqual([[0n, 12_000n, (11_999n * 12_000n) / 2n]]);
  });

  test('of a whole batch only the points that the server refuses are refused, each with its reason', async () => {
    const asInteger = shape('room', { temperature: 'integer', ok: 'boolean' }, ['zone']);
    await put([{ timeNs: BASE_NS, device: 'a', fields: { temperature: 1.5 } }]);
    const mixed = Array.from({ length: 3_000 }, (_, i) => ({
      timeNs: BASE_NS + BigInt(i + 1) * SECOND_NS,
      device: 'a',
      fields: i % 1_000 === 7 ? { temperature: 1n } : { ok: true },
    }));
    const refused = await put(mixed, asInteger);
    expect(refused.map(({ row }) => row).sort((a, b) => a - b)).toEqual([7, 1_007, 2_007]);
    expect(refused[0]?.message).toMatch(/field type conflict.*temperature/);
    expect(await read()).toHaveLength(1 + 3_000 - 3);
  });

  test('a line that the server cannot read is taken out, and the rest of its body is written', async () => {
    const points = Array.from({ length: 200 }, (_, i) => ({
      timeNs: BASE_NS + BigInt(i),
      device: 'a',
      tags: { zone: i === 70 || i === 140 ? "': ".repeat(25_000) : 'x' },
      fields: { note: "unable to parse 'it': x\n" },
    }));
    const refused = await put(points);
    expect(refused.map(({ row }) => row).sort((a, b) => a - b)).toEqual([70, 140]);
    expect(refused[0]?.message).toMatch(/^max key length exceeded/);
    expect(await read()).toHaveLength(198);
  });

  test('of rows merged into one point only the bad one is refused', async () => {
    const asInteger = shape('room', { temperature: 'integer', ok: 'boolean' }, ['zone']);
    await put([{ timeNs: BASE_NS, device: 'a', fields: { temperature: 1.5 } }]);
    const refused = await put(
      [at(1n, { ok: false }), at(1n, { temperature: 1n }), at(1n, { ok: true })],
      asInteger,
    );
    expect(refused.map(({ row }) => row)).toEqual([1]);
    expect(await read()).toEqual([
      [BASE_NS, 'a', null, 1.5, null, null, null],
      [BASE_NS + 1n, 'a', null, null, null, true, null],
    ]);
  });

  test('rows of one time are ordered by device and tags, null first, and cut anywhere', async () => {
    const points: Point[] = [];
    for (const device of ['b', 'a', 'B', 'a-1']) {
      for (const zone of ['\u{1F600}', 'y', null, '\uFF5E', 'x']) {
        for (const seconds of [1n, 0n]) {
          points.push({ timeNs: BASE_NS + seconds, device, tags: { zone }, fields: { temperature: 1 } });
        }
      }
    }
    await put(points);
    const expected = ['B', 'a', 'a-1', 'b'].flatMap((device) =>
      [null, 'x', 'y', '\uFF5E', '\u{1F600}'].map((zone) => [device, zone]),
    );
    const rows = await read();
    expect(rows.map((row) => row.slice(1, 3))).toEqual([...expected, ...expected]);
    const whole = { asc: rows, desc: [...rows].reverse() };
    for (const order of ['asc', 'desc'] as const) {
      expect(await rowsOf(store.rows({ ...all(room), order }, never))).toEqual(whole[order]);
      for (const skip of [0, 7, 20]) {
        const timeNs = BASE_NS + (order === 'asc' ? 0n : 1n);
        const page = store.rows(
          { ...all(room), order, after: { timeNs, key: null, skip }, limit: 15 },
          never,
        );
        expect(await rowsOf(page)).toEqual(whole[order].slice(skip, skip + 15));
      }
    }
  });

  test('a view tells what is surely in it and what may be', async () => {
    store.setPosition({ epoch: 'e', position: 100, refused: [] });
    position = 100;
    const answer = await store.rows(all(room), never);
    await put([{ timeNs: BASE_NS, device: 'a', fields: { temperature: 1 } }]);
    expect(answer.view()).toEqual({ position: 100, epoch: null, exact: false, upper: 101 });
  });

  test('a read that its caller gives up ends as query_timeout and frees its place', async () => {
    await put([{ timeNs: BASE_NS, device: 'a', fields: { temperature: 1 } }]);
    for (let i = 0; i < 20; i++) {
      const giveUp = new AbortController();
      const answer = await store.rows(all(room), giveUp.signal);
      giveUp.abort();
      await expect(rowsOf(Promise.resolve(answer))).rejects.toMatchObject({ code: 'query_timeout' });
    }
    for (let i = 0; i < 20; i++) {
      for await (const _ of (await store.rows(all(room), never)).chunks) break;
    }
    expect(await read()).toHaveLength(1);
  });

  test('a refused token and a missing bucket make the store unavailable, and refuse no point', async () => {
    const batch = batchOf(room, [{ timeNs: BASE_NS, device: 'a', fields: { temperature: 1 } }]);
    const first = { epoch: 'e', position: 1, refused: [] };
    for (const [wrong, reason] of [
      [{ token: 'wrong' }, /401.*INFLUX_TOKEN/],
      [{ bucket: 'missing' }, /missing/],
      [{ org: 'missing' }, /404.*INFLUX_ORG/],
    ] as const) {
      const astray = await openInfluxStore({ ...connection(), bucket, ...wrong });
      await expect(astray.write([batch], first)).rejects.toMatchObject({ code: 'store_unavailable' });
      expect(astray.state()).toMatchObject({ state: 'down', reason: expect.stringMatching(reason) });
      await astray.close();
    }
  });

  test('a bucket that comes back takes points again', async () => {
    const batch = batchOf(room, [{ timeNs: BASE_NS, device: 'a', fields: { temperature: 1 } }]);
    await server.deleteBucket(bucket);
    await expect(write([batch])).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(store.state().state).toBe('down');
    await store.close();
    bucket = await server.newBucket();
    store = await openInfluxStore({ ...connection(), bucket });
    expect(await write([batch])).toEqual([]);
    expect(store.state()).toEqual({ state: 'up', reason: null });
  });

  (influxIsForeign ? test.skip : test)(
    'it opens while the server is away and finds it again by itself',
    async () => {
      const batch = batchOf(room, [{ timeNs: BASE_NS, device: 'a', fields: { temperature: 1 } }]);
      expect(store.state().state).toBe('up');
      await server.kill();
      const late = await openInfluxStore({ ...connection(), bucket });
      expect(late.state()).toMatchObject({
        state: 'down',
        reason: expect.stringContaining('cannot be reached'),
      });
      await expect(write([batch])).rejects.toMatchObject({ code: 'store_unavailable' });
      await expect(read()).rejects.toMatchObject({ code: 'store_unavailable' });
      expect(store.state().state).toBe('down');
      await server.restart();
      await until('the server is found again', () => late.state().state === 'up');
      await write([batch]);
      expect(store.state().state).toBe('up');
      expect(await read()).toHaveLength(1);
      await late.close();
    },
  );
});

function shouldNotHappen(): never {
  throw new Error('the shape has a field');
}
