import { describe, expect, test } from '@jest/globals';
import { until } from '../fixtures/until.ts';
import { BASE_MS, openBench, type Bench } from './harness.ts';
import { MemoryReader, openHub } from './memory-reader.ts';

/** A frame of each device, of `rows` readings, in one block. */
async function appendBlock(
  bench: Bench,
  devices: readonly string[],
  rows: number,
  room = 'hall',
): Promise<void> {
  for (const device of devices) {
    const readings = Array.from({ length: rows }, (_, i) => ({ time: BASE_MS + i, count: i }));
    bench.appendClimate(device, room, readings);
  }
  await bench.commit();
}

/** What a block costs: how often a filter was applied, and to how many rows. */
async function lookedAt(
  bench: Bench,
  filters: readonly Record<string, unknown>[],
  append: () => Promise<void>,
): Promise<{ looks: number; rowsLooked: number; rows: readonly number[] }> {
  const { hub } = openHub(bench);
  const readers = filters.map((filter) => new MemoryReader(hub, filter));
  await until('all to be live', () => hub.stats().live === filters.length);
  const before = hub.stats();
  await append();
  await until('the block to be delivered', () =>
    readers.every(({ subscription }) => subscription.position === bench.journal.head()),
  );
  const { looks, rowsLooked } = hub.stats();
  return {
    looks: looks - before.looks,
    rowsLooked: rowsLooked - before.rowsLooked,
    rows: readers.map((reader) => reader.rows.length),
  };
}

const names = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${prefix}${i}`);

describe('a block of a tail', () => {
  test('is looked at for no filter of other devices, tag values, fields or measurements', async () => {
    const bench = await openBench();
    await bench.registry.register(
      'other',
      JSON.stringify({
        type: 'record',
        name: 'Other',
        fields: [
          { name: 'time', type: { type: 'long', logicalType: 'timestamp-millis' } },
          { name: 'a', type: 'double' },
        ],
      }),
    );
    const filters = [
      ...names('nobody', 50).map((device) => ({ device })),
      ...names('nobody', 50).map((device) => ({ device: [device, `${device}-too`, 'neither'] })),
      ...names('nowhere', 50).map((room) => ({ tag: { room } })),
      ...names('nowhere', 50).map((room) => ({ device: 'd1', tag: { room: [room, 'moon'] } })),
      ...names('nobody', 50).map((device) => ({ device, tag: { room: 'hall' } })),
      { field: 'temperature' },
      { measurement: 'other' },
    ];
    const cost = await lookedAt(bench, filters, () => appendBlock(bench, ['d1', 'd2'], 100));
    expect(cost.looks).toBe(0);
    expect(cost.rowsLooked).toBe(0);
    expect(cost.rows.every((rows) => rows === 0)).toBe(true);
  });

  test('costs the subscribers of one device each only the rows of their device', async () => {
    const bench = await openBench();
    const devices = names('d', 100);
    const filters = devices.map((device) => ({ device }));
    const cost = await lookedAt(bench, filters, () => appendBlock(bench, devices.slice(0, 10), 7));
    expect(cost.looks).toBe(10);
    expect(cost.rowsLooked).toBe(70);
    expect(cost.rows).toEqual(devices.map((_, i) => (i < 10 ? 7 : 0)));
  });

  test('costs the subscribers of one tag value each only the rows that have it', async () => {
    const bench = await openBench();
    const filters = names('room-', 100).map((room) => ({ tag: { room } }));
    const cost = await lookedAt(bench, filters, async () => {
      await appendBlock(bench, ['d1', 'd2'], 5, 'room-3');
      await appendBlock(bench, ['d1'], 4, 'room-4');
      await appendBlock(bench, ['d1'], 100, 'elsewhere');
    });
    expect(cost.looks).toBe(2);
    expect(cost.rowsLooked).toBe(14);
    expect(cost.rows).toEqual(filters.map((_, i) => (i === 3 ? 10 : i === 4 ? 4 : 0)));
  });

  test('is encoded once for all subscribers of equal filters', async () => {
    const bench = await openBench();
    const filters = Array.from({ length: 50 }, () => ({ device: ['d2', 'd1'] }));
    const cost = await lookedAt(bench, filters, () => appendBlock(bench, ['d1', 'd2', 'd3'], 3));
    expect(cost.looks).toBe(1);
    expect(cost.rowsLooked).toBe(6);
    expect(cost.rows).toEqual(filters.map(() => 6));
  });

  test('costs nothing for those who have gone, and what their filters took is free again', async () => {
    const bench = await openBench();
    const { hub } = openHub(bench);
    const gone = names('room-', 100).map((room) => new MemoryReader(hub, { device: 'd1', tag: { room } }));
    const stays = new MemoryReader(hub, { device: 'd2' });
    await until('all to be live', () => hub.stats().live === 101);
    for (const { subscription } of gone) void subscription.close();
    expect(hub.stats()).toMatchObject({ subscriptions: 1, groups: 1, live: 1, filterBytes: 66 });
    const before = hub.stats();
    await appendBlock(bench, ['d1', 'd2'], 3, 'room-1');
    await until('the rows', () => stays.rows.length === 3);
    expect(hub.stats().looks - before.looks).toBe(1);
    expect(gone.every(({ rows }) => rows.length === 0)).toBe(true);
  });
});

describe('the filters of a connection', () => {
  test('name a bounded number of values together, and those of all connections a bounded amount', async () => {
    const bench = await openBench();
    const { hub } = openHub(bench, { filterValues: 3, filterBytes: 64 * 4 + 8 });
    const many = () => new MemoryReader(hub, { device: ['d1', 'd2', 'd3', 'd4'] });
    expect(many).toThrow(expect.objectContaining({ code: 'too_many_subscriptions' }));
    const first = new MemoryReader(hub, { device: ['d1', 'd2', 'd3'] });
    const second = () => new MemoryReader(hub, { device: ['d1', 'd2'] });
    expect(second).toThrow(expect.objectContaining({ code: 'too_many_subscriptions' }));
    expect(hub.stats()).toMatchObject({ subscriptions: 1, groups: 1 });
    await first.subscription.close();
    expect(second).not.toThrow();
  });
});
