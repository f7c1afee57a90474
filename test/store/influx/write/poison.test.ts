import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { openInfluxStore, type RefusedPoint, type Store } from '../../../../src/store/index.ts';
import { describeWithInflux, startInflux, type InfluxServer } from '../../../fixtures/influxd.ts';
import { countingProxy, type CountingProxy } from './counting-proxy.ts';
import { BASE_NS, batchOf, SECOND_NS, shape, type Point, type Shape } from '../../points.ts';
import { cellsOf, neverAborted, rowsQuery } from '../../subject.ts';

const room = shape('room', { t: 'float', n: 'integer' }, ['zone']);
/** As another version of the schema, or another program, has it. */
const roomOfTexts = shape('room', { t: 'string', n: 'integer' }, ['zone']);
const WEEK_NS = 7n * 86_400n * SECOND_NS;

describeWithInflux('points that a real InfluxDB refuses', () => {
  let server: InfluxServer;
  let proxy: CountingProxy;
  let store: Store;
  let position = 0;

  beforeAll(async () => {
    server = await startInflux();
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    proxy = await countingProxy(server.url);
    await open(await server.newBucket());
  });
  afterEach(async () => {
    await store.close();
    proxy.close();
  });

  const open = async (bucket: string): Promise<void> => {
    store = await openInfluxStore({ url: proxy.url, token: server.token, org: server.org, bucket });
  };
  const put = async (points: Point[], of: Shape = room): Promise<RefusedPoint[]> => {
    proxy.bodies.length = 0;
    return store.write([batchOf(of, points)], { epoch: 'e', position: ++position, refused: [] });
  };
  const at = (i: number, fields: Point['fields'], tags?: Point['tags']): Point => ({
    timeNs: BASE_NS + BigInt(i) * SECOND_NS,
    device: `d${i % 10}`,
    fields,
    ...(tags === undefined ? {} : { tags }),
  });
  const many = (count: number, make: (i: number) => Point): Point[] =>
    Array.from({ length: count }, (_, i) => make(i));
  const rowsOf = (refused: readonly RefusedPoint[]): number[] =>
    refused.map(({ row }) => row).toSorted((a, b) => a - b);
  const stored = async (of = room): Promise<number> =>
    (
      await cellsOf(
        await store.rows(rowsQuery(of.measurement, { fromNs: 0n, toNs: 2n ** 62n }), neverAborted()),
      )
    ).length;
  const evens = (count: number): number[] => Array.from({ length: count / 2 }, (_, i) => 2 * i);

  test('half of 5,000 of the wrong type, interleaved, cost few requests, and no good one', async () => {
    await put([at(-1, { t: 1 })]);
    const refused = await put(
      many(5_000, (i) => at(i, i % 2 === 0 ? { t: 'warm', n: 1n } : { n: 2n })),
      roomOfTexts,
    );
    expect(rowsOf(refused)).toEqual(evens(5_000));
    expect(proxy.bodies.length).toBeLessThanOrEqual(4);
    expect(await stored()).toBe(1 + 2_500);
    for (const part of ['field type conflict', '"t"', '"room"', 'string', 'float', 'schema']) {
      expect(refused[0]?.message).toContain(part);
    }
  });

  test('several fields in conflict at once, in several weeks, are told apart, each with its own reason', async () => {
    const fields = { a: 'float', b: 'float', c: 'float', ok: 'boolean' } as const;
    const first = shape('many', fields);
    await put(
      [-1, -2].map((i) => at(i, { a: 1, b: 1, c: 1 })),
      first,
    );
    const second = shape('many', { a: 'integer', b: 'string', c: 'boolean', ok: 'boolean' });
    const bad: Point['fields'][] = [{ a: 1n }, { b: 'x' }, { c: true }];
    const points = many(4_000, (i) => ({
      ...at(i, i % 2 === 0 ? (bad[(i / 2) % 3] ?? {}) : { ok: true }),
      // A field has its type by week (shard): in the second one there is none yet, so that the first one wins.
      timeNs: BASE_NS + BigInt(i) + (i < 2_000 ? 0n : 2n * WEEK_NS),
    }));
    const refused = await put(points, second);
    expect(rowsOf(refused)).toEqual(evens(2_000));
    for (const { row, message } of refused) {
      expect(message).toContain(`"${['a', 'b', 'c'][(row / 2) % 3]}"`);
    }
    expect(proxy.bodies.length).toBeLessThanOrEqual(40);
    expect(await stored(shape('many', { ok: 'boolean' }))).toBe(2_000);
  });

  test('names with quotes, spaces and commas are recognised in the reason', async () => {
    const of = shape('my "room", 1', { 'a "b", c': 'float' });
    await put([at(-1, { 'a "b", c': 1 })], of);
    const refused = await put(
      many(2_000, (i) => at(i, { 'a "b", c': BigInt(i) })),
      shape('my "room", 1', { 'a "b", c': 'integer' }),
    );
    expect(refused).toHaveLength(2_000);
    expect(proxy.bodies.length).toBeLessThanOrEqual(2);
  });

  test('half of 5,000 that the server cannot read, interleaved, cost two requests', async () => {
    const tooLong = 'x'.repeat(70_000);
    const points = many(600, (i) => at(i, { t: i }, { zone: i % 2 === 0 ? `${tooLong}${i}` : 'z' }));
    const refused = await put(points);
    expect(rowsOf(refused)).toEqual(evens(600));
    expect(refused[0]?.message).toMatch(/max key length/);
    expect(await stored()).toBe(300);
    // 600 lines of which half are 70 KB are more than one body.
    const lines = proxy.bodies.flat().length;
    expect(lines).toBe(600 + 300);
  });

  test('points older than the bucket keeps are refused by their time, beside conflicts', async () => {
    await store.close();
    await open(await server.newBucket({ keepS: 3_600 }));
    const nowNs = BigInt(Date.now()) * 1_000_000n;
    await put([{ timeNs: nowNs, device: 'd', fields: { t: 1 } }]);
    const points = many(5_000, (i) => ({
      timeNs: i % 2 === 0 ? nowNs - WEEK_NS - BigInt(i) * SECOND_NS : nowNs - BigInt(i) * 1_000_000n,
      device: `d${i % 7}`,
      fields: i % 5 === 1 ? { t: 'x' } : { n: 1n },
    }));
    const refused = await put(points, roomOfTexts);
    expect(rowsOf(refused)).toEqual(points.flatMap((_, i) => (i % 2 === 0 || i % 5 === 1 ? [i] : [])));
    expect(refused.filter(({ message }) => message.includes('retention'))).toHaveLength(2_500);
    expect(proxy.bodies.length).toBeLessThanOrEqual(20);
    expect(await stored()).toBe(1 + 5_000 - refused.length);
  });

  test('of rows in one point those with the wrong type go, and the others stay as one', async () => {
    await put([at(-1, { t: 1 })]);
    const points = Array.from({ length: 1_000 }, (_, i) => [
      at(i, { n: 1n }),
      at(i, { t: 'warm' }),
      at(i, { n: 3n }),
    ]).flat();
    const refused = await put(points, roomOfTexts);
    expect(rowsOf(refused)).toEqual(Array.from({ length: 1_000 }, (_, i) => 3 * i + 1));
    expect(proxy.bodies.length).toBeLessThanOrEqual(4);
    const count = await cellsOf(
      await store.aggregate(
        {
          ...rowsQuery(room.measurement, { fromNs: BASE_NS, toNs: BASE_NS + WEEK_NS }),
          aggregates: [{ field: 'n', fn: 'sum', name: 'n' }],
          everyNs: null,
          group: [],
        },
        neverAborted(),
      ),
    );
    expect(count).toEqual([[BASE_NS, 3_000n]]);
  });

  test('a limit on bodies is learned: after it was met once, bodies fit', async () => {
    proxy.maxBodyBytes = 20_000;
    expect(await put(many(5_000, (i) => at(i, { t: i })))).toEqual([]);
    expect(proxy.bodies.length).toBeLessThanOrEqual(40);
    expect(await put(many(5_000, (i) => at(i + 5_000, { t: i })))).toEqual([]);
    const tooLarge = proxy.bodies.filter((lines) => lines.join('\n').length > proxy.maxBodyBytes);
    expect(tooLarge.length).toBeLessThanOrEqual(2);
    expect(await stored()).toBe(10_000);
  });
});
