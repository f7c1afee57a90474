import { describe, expect, test } from '@jest/globals';
import { decodeCursor, encodeCursor, type RowPlace } from '../../src/core/index.ts';
import { openInfluxStore } from '../../src/store/index.ts';
import { describeWithInflux, startInflux } from '../fixtures/influxd.ts';
import { until } from '../fixtures/until.ts';
import { BASE_MS, afterwards, openBench, withoutSnapshots, type Bench } from './harness.ts';
import { MemoryReader, openHub } from './memory-reader.ts';

/**
 * More rows of one time than a message holds. Rows that were delivered are written again before the tail goes on
 * inside of that time: each of the others still comes once, and each new version once.
 */
const DEVICES = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j'];
const LIMITS_OF_TEST = { messageRows: 2, historyPatienceMs: 5 };

/** A room's name, short enough for a cursor or not. */
const ROOMS = { 'short keys': 'hall', 'keys too long for a cursor': `hall ${'x'.repeat(600)}` };

interface Version {
  device: string;
  count: number;
}

function versionsOf(rows: readonly unknown[][]): Version[] {
  return rows.map((row) => ({ device: String(row[1]), count: Number(row[4]) }));
}

async function write(bench: Bench, room: string, versions: readonly Version[]): Promise<void> {
  for (const { device, count } of versions) bench.appendClimate(device, room, [{ time: BASE_MS, count }]);
  await bench.commit();
  await bench.settle();
}

const first = DEVICES.map((device, index) => ({ device, count: index }));
/** Rows at the time's beginning, in its middle, one of a device that is new, and one twice. */
const again = ['b', 'd', 'a0', 'b', 'h'].map((device, index) => ({ device, count: 100 + index }));
/** In the end: what was delivered in the first part, then what is left, then all that was written since. */
function expectAll(before: readonly Version[], after: readonly Version[]): void {
  const rewritten = new Set(again.map(({ device }) => device));
  const left = first.filter(
    ({ device }) => !before.some((row) => row.device === device) && !rewritten.has(device),
  );
  expect(after).toEqual([...left, ...again]);
}

function suite(open: () => Promise<Bench>): void {
  for (const [name, room] of Object.entries(ROOMS)) {
    test(`a reader that comes back misses none and gets none twice (${name})`, async () => {
      const bench = await open();
      const { hub, defects } = openHub(bench, LIMITS_OF_TEST);
      await write(bench, room, first);
      const reader = new MemoryReader(hub, { from: BASE_MS - 1_000 });
      await until('live', () => reader.of('live').length === 1);
      expect(versionsOf(reader.rows)).toEqual(first);
      await reader.subscription.close();
      await write(bench, room, again);
      const inside = reader.of('data').slice(0, -1);
      expect(inside).toHaveLength(4);
      const resumed = inside.map(({ cursor }, index) => ({
        before: reader.of('data').slice(0, index + 1),
        reader: new MemoryReader(hub, { cursor: cursor ?? '' }),
      }));
      for (const each of resumed) {
        await until('live again', () => each.reader.of('live').length === 1);
        const before = each.before.flatMap((message) => message.rows ?? []);
        expectAll(versionsOf(before), versionsOf(each.reader.rows));
      }
      expect(defects).toEqual([]);
    });

    test(`a reader that pauses misses none and gets none twice (${name})`, async () => {
      const bench = await open();
      const { hub, defects } = openHub(bench, LIMITS_OF_TEST);
      await write(bench, room, first);
      const reader = new MemoryReader(hub, { from: BASE_MS - 1_000 });
      reader.lag();
      await until('the first message', () => reader.rows.length === 2);
      // Its place goes to another one: it has to read again from where it is.
      const other = new MemoryReader(hub, { from: BASE_MS - 1_000 });
      await until('the other to be live', () => other.of('live').length === 1);
      await write(bench, room, again);
      reader.read();
      await until('live', () => reader.of('live').length === 1);
      await until('all of it', () => reader.subscription.position === bench.journal.head());
      const versions = versionsOf(reader.rows);
      expectAll(versions.slice(0, 2), versions.slice(2));
      expect(defects).toEqual([]);
    });
  }

  test('a cursor of an earlier version, which counts rows, misses none', async () => {
    const bench = await open();
    const { hub } = openHub(bench, LIMITS_OF_TEST);
    await write(bench, 'hall', first);
    const row: RowPlace = { by: 'count', count: 4 };
    const position = bench.journal.head();
    const history = { timeNs: BigInt(BASE_MS) * 1_000_000n, row };
    const cursor = encodeCursor({ epoch: bench.journal.epoch, position, history });
    const rewritten = again.filter(({ device }) => device !== 'a0');
    await write(bench, 'hall', rewritten);
    const reader = new MemoryReader(hub, { cursor });
    await until('live', () => reader.of('live').length === 1);
    const left = first.slice(4).filter(({ device }) => device !== 'h');
    expect(versionsOf(reader.rows)).toEqual([...left, ...rewritten]);
  });

  test('a place whose row is no longer there begins its time again', async () => {
    const bench = await open();
    const { hub } = openHub(bench, LIMITS_OF_TEST);
    await write(bench, 'hall', first);
    const digest = Buffer.alloc(16).toString('base64url');
    const history = { timeNs: BigInt(BASE_MS) * 1_000_000n, row: { by: 'digest', digest } } as const;
    const cursor = encodeCursor({ epoch: bench.journal.epoch, position: bench.journal.head(), history });
    expect(decodeCursor(cursor).history).toEqual(history);
    const reader = new MemoryReader(hub, { cursor });
    await until('live', () => reader.of('live').length === 1);
    expect(versionsOf(reader.rows)).toEqual(first);
  });
}

describe('rows of one time, on a store with snapshots', () => suite(openBench));

describe('rows of one time, on a store without snapshots', () =>
  suite(async () => {
    const bench = await openBench();
    return { ...bench, store: withoutSnapshots(bench.store, () => Promise.resolve()) };
  }));

describeWithInflux('rows of one time, on InfluxDB', () =>
  suite(() =>
    openBench({}, async () => {
      const server = await startInflux();
      afterwards(() => server.stop());
      const { url, token, org } = server;
      return await openInfluxStore({ url, token, org, bucket: await server.newBucket() });
    }),
  ),
);
