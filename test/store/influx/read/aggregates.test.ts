import { afterAll, beforeAll, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { openInfluxStore, type AggregateFunction, type Store } from '../../../../src/store/index.ts';
import type { Cell } from '../../../../src/core/index.ts';
import { describeWithInflux, startInflux, type InfluxServer } from '../../../fixtures/influxd.ts';
import { BASE_NS, batchOf, SECOND_NS, shape, type Point, type Shape } from '../../points.ts';
import { randomPoints, SAMPLE } from '../../random-points.ts';
import { aggregateQuery, ALL_TIMES, cellsOf, neverAborted } from '../../subject.ts';

const BY_SERVER = ['count', 'sum', 'min', 'max', 'mean'] as const;

describeWithInflux('aggregates by InfluxDB itself', () => {
  let server: InfluxServer;
  let store: Store;
  let position = 0;

  beforeAll(async () => {
    server = await startInflux();
    const { url, token, org } = server;
    store = await openInfluxStore({ url, token, org, bucket: await server.newBucket() });
  });
  afterAll(async () => {
    await store.close();
    await server.stop();
  });

  const write = (of: Shape, points: readonly Point[]): Promise<unknown> =>
    store.write([batchOf(of, points)], { epoch: 'e', position: ++position, refused: [] });
  const ask = async (
    of: Shape,
    fns: readonly AggregateFunction[],
    field: string,
    more: Partial<Parameters<Store['aggregate']>[0]> = {},
  ): Promise<Cell[][]> => {
    const aggregates = fns.map((fn) => ({ field, fn, name: fn }));
    return cellsOf(
      await store.aggregate(aggregateQuery(of.measurement, { ...more, aggregates }), neverAborted()),
    );
  };

  test('are those computed from the raw rows', async () => {
    let run = 0;
    const options = fc.record({
      everyNs: fc.constantFrom(null, 1n * SECOND_NS, 7n * SECOND_NS),
      group: fc.constantFrom<string[]>([], ['device'], ['room'], ['side', 'device']),
      tags: fc.constantFrom({}, { room: ['hall', ''] }, { nothing: ['x'] }),
      order: fc.constantFrom('asc' as const, 'desc' as const),
      limit: fc.constantFrom(null, 3),
    });
    await fc.assert(
      fc.asyncProperty(randomPoints, options, async (points, query) => {
        const of = shape(`by_server_${run++}`, SAMPLE.fields, SAMPLE.tags);
        await write(of, points);
        for (const field of ['x', 'n', 's', 'ok']) {
          const fns = field === 'x' || field === 'n' ? BY_SERVER : (['count'] as const);
          const byServer = await ask(of, fns, field, query);
          // No server computes `first` as the contract has it, so that this one is computed from raw rows.
          const raw = (await ask(of, [...fns, 'first'], field, query)).map((row) => row.slice(0, -1));
          expect(byServer.length).toBe(raw.length);
          for (const [r, row] of byServer.entries()) {
            for (const [c, cell] of row.entries()) {
              const want = raw[r]?.[c] ?? null;
              if (typeof cell === 'number' && typeof want === 'number') {
                expect(Math.abs(cell - want)).toBeLessThanOrEqual(1e-12 * 1e6 * points.length);
              } else {
                expect(cell).toEqual(want);
              }
            }
          }
        }
      }),
      { numRuns: 25 },
    );
  });

  test('a sum of many values keeps its digits', async () => {
    const of = shape('many', { x: 'float' });
    // Added up one by one, as many 0.1 are off by more than the contract allows.
    const count = 100_000;
    for (let written = 0; written < count; written += 10_000) {
      const points = Array.from({ length: 10_000 }, (_, i) => ({
        timeNs: BASE_NS + BigInt(written + i) * 1_000_000n,
        device: 'a',
        fields: { x: 0.1 },
      }));
      await write(of, points);
    }
    for (const everyNs of [null, 3_600n * SECOND_NS]) {
      const [row] = await ask(of, ['count', 'sum', 'mean'], 'x', { everyNs });
      expect(row?.[1]).toBe(BigInt(count));
      expect(Math.abs(Number(row?.[2]) - 0.1 * count)).toBeLessThanOrEqual(1e-12 * 0.1 * count);
      expect(row?.[3]).toBeCloseTo(0.1, 12);
    }
  });

  test('sums that overflow on the server are computed here', async () => {
    const of = shape('overflow', { x: 'float', n: 'integer' });
    const max = 2n ** 63n - 1n;
    const points = [0n, 1n, 2n].map((i) => ({
      timeNs: BASE_NS + i,
      device: 'a',
      fields: { x: i === 2n ? -1.7e308 : 1.7e308, n: max },
    }));
    await write(of, points);
    expect(await ask(of, ['sum', 'mean'], 'n')).toEqual([
      [ALL_TIMES.fromNs, Number(3n * max), Number(3n * max) / 3],
    ]);
    expect(await ask(of, ['max', 'count', 'sum'], 'x')).toEqual([[ALL_TIMES.fromNs, 1.7e308, 3n, Infinity]]);
    expect(store.state().state).toBe('up');
  });
});
