import { describe, expect, test } from '@jest/globals';
import { decodeCursor, encodeCursor } from '../../src/core/index.ts';
import { BASE_MS, openBench, withoutSnapshots } from './harness.ts';
import { serveTail } from './tail-socket.ts';

const at = (seconds: number): number => BASE_MS + seconds * 1_000;
const iso = (seconds: number): string => new Date(at(seconds)).toISOString().replace('.000Z', 'Z');
const url = (from: string | number): string =>
  `?measurement=climate&from=${encodeURIComponent(String(from))}`;

describe('a tail from a time', () => {
  test('gives stored rows by time, then those on their way to the store, then live ones', async () => {
    const bench = await openBench();
    const { connect } = await serveTail(bench);
    bench.appendClimate('d2', 'hall', [{ time: at(5), count: 5 }]);
    bench.appendClimate('d1', 'hall', [
      { time: at(3), count: 3 },
      { time: at(1), count: 1 },
    ]);
    await bench.commit();
    await bench.settle();
    bench.appendClimate('d1', 'hall', [{ time: at(4), count: 4 }]);
    await bench.commit();
    const client = connect(url(iso(2)));
    await client.expect('live');
    expect(client.rows().map((row) => row[4])).toEqual([3, 5, 4]);
    expect(client.messages.map((message) => message.type)).toEqual([
      'hello',
      'subscribed',
      'data',
      'data',
      'live',
    ]);
    bench.appendClimate('d1', 'hall', [{ time: at(0), count: 0 }]);
    expect((await client.expectRows(4)).map((row) => row[4])).toEqual([3, 5, 4, 0]);
  });

  test('leaves out rows before the time that were not stored yet when it began', async () => {
    const bench = await openBench();
    const { connect } = await serveTail(bench);
    bench.appendClimate('d1', 'hall', [
      { time: at(1), count: 1 },
      { time: at(3), count: 3 },
    ]);
    await bench.commit();
    const client = connect(url(at(2)));
    await client.expect('live');
    expect(client.rows().map((row) => row[4])).toEqual([3]);
  });

  test('does not repeat rows that were stored while they were read', async () => {
    const bench = await openBench();
    const store = withoutSnapshots(bench.store, () => bench.writeOnly(bench.journal.head()));
    const { connect } = await serveTail(bench, { store });
    bench.appendClimate('d1', 'hall', [{ time: at(1), count: 1 }]);
    await bench.commit();
    await bench.settle();
    bench.appendClimate('d1', 'hall', [{ time: at(2), count: 2 }]);
    bench.appendClimate('d2', 'attic', [{ time: at(1), count: 3 }]);
    await bench.commit();
    const client = connect(url(at(0)));
    await client.expect('live');
    expect(client.rows().map((row) => row[4])).toEqual([1, 2, 3]);
  });

  test('says so and goes on live when too many rows would have to be told apart', async () => {
    const bench = await openBench();
    const store = withoutSnapshots(bench.store, () => bench.writeOnly(bench.journal.head()));
    const { connect } = await serveTail(bench, { store, limits: { joinRows: 2 } });
    bench.appendClimate('d1', 'hall', [
      { time: at(1), count: 1 },
      { time: at(2), count: 2 },
      { time: at(3), count: 3 },
    ]);
    await bench.commit();
    const client = connect(`${url(at(1))}&device=d1`);
    const gap = await client.expect('gap');
    expect(gap).toMatchObject({ id: '0', missed: null });
    expect(gap.query).toContain('/v1/query?measurement=climate&device=d1&from=2026-01-01T00%3A00%3A01Z&to=');
    await client.expect('live');
    expect(client.rows().map((row) => row[4])).toEqual([1, 2, 3]);
  });

  test('begins live at once for a time in the future', async () => {
    const bench = await openBench();
    const { connect } = await serveTail(bench);
    const client = connect(url('2200-01-01T00:00:00Z'));
    await client.expect('live');
    bench.appendClimate('d1', 'hall', [{ time: at(1), count: 1 }]);
    await client.expectRows(1);
  });

  test('tells that the store is away, and the id is free again', async () => {
    const bench = await openBench();
    const { connect, tail } = await serveTail(bench);
    await bench.store.close();
    const client = connect(url(at(0)));
    expect(await client.expect('error')).toMatchObject({ id: '0', code: 'store_unavailable' });
    expect(tail.stats().subscriptions).toBe(0);
    await client.send({ type: 'subscribe', id: '0', measurement: 'climate' });
    await client.expect('live');
  });
});

describe('a tail from a cursor', () => {
  test('goes on exactly after any message, in history and live', async () => {
    const bench = await openBench();
    const { connect } = await serveTail(bench, { limits: { messageRows: 2 } });
    const frames = (first: number): void => {
      for (let i = first; i < first + 4; i++) {
        bench.appendClimate(`d${i % 3}`, 'hall', [
          { time: at(i), count: 2 * i },
          { time: at(i) + 500, count: 2 * i + 1 },
        ]);
      }
    };
    frames(0);
    await bench.commit();
    await bench.settle(3);
    const first = connect(url(at(0)));
    await first.expect('live');
    frames(4);
    await first.expectRows(16);
    const all = first.rows().map((row) => row[4]);
    expect(all).toEqual(Array.from({ length: 16 }, (_, i) => i));
    await bench.settle(5);
    for (const message of first.of('data')) {
      const given = first.of('data').indexOf(message) + 1;
      const before = first
        .of('data')
        .slice(0, given)
        .flatMap((data) => data.rows ?? []);
      const again = connect(`?measurement=climate&cursor=${message.cursor}`);
      await again.expect('live');
      expect([...before, ...again.rows()].map((row) => row[4])).toEqual(all);
    }
  });

  test('keeps its place among rows of one time when others of that time are stored meanwhile', async () => {
    const bench = await openBench();
    const { connect } = await serveTail(bench, { limits: { messageRows: 2 } });
    for (const device of ['b', 'c', 'd', 'e', 'f']) {
      bench.appendClimate(device, 'hall', [{ time: at(1), count: device.charCodeAt(0) }]);
    }
    await bench.commit();
    await bench.settle();
    const client = connect(url(at(0)));
    await client.expect('live');
    const [first] = client.of('data');
    expect(first?.rows?.map((row) => row[1])).toEqual(['b', 'c']);
    const key = [
      ['device', 'c'],
      ['room', 'hall'],
    ];
    expect(decodeCursor(first?.cursor ?? '').history?.row).toEqual({ by: 'key', key });
    bench.appendClimate('a', 'hall', [{ time: at(1), count: 1 }]);
    await bench.commit();
    await bench.settle();
    const again = connect(`?measurement=climate&cursor=${first?.cursor}`);
    await again.expect('live');
    expect(again.rows().map((row) => row[1])).toEqual(['d', 'e', 'f', 'a']);
  });

  test('starts inside a block at the frame where the store ended', async () => {
    const bench = await openBench();
    const { connect } = await serveTail(bench);
    for (let i = 0; i < 4; i++) bench.appendClimate('d1', 'hall', [{ time: at(i), count: i }]);
    await bench.commit();
    expect(bench.journal.read(0)?.next).toBe(4);
    const cursor = encodeCursor({ epoch: bench.journal.epoch, position: 2, history: null });
    const client = connect(`?measurement=climate&cursor=${cursor}&from=-5m`);
    await client.expect('live');
    expect(client.rows().map((row) => row[4])).toEqual([2, 3]);
  });

  test('of another journal tells a gap and goes on from the oldest frame that is kept', async () => {
    const bench = await openBench();
    const { connect } = await serveTail(bench);
    bench.appendClimate('d1', 'hall', [{ time: at(1), count: 1 }]);
    await bench.commit();
    const cursor = encodeCursor({ epoch: 'another', position: 77, history: null });
    const client = connect(`?measurement=climate&cursor=${cursor}`);
    const live = await client.expect('live');
    const [gap] = client.of('gap');
    expect(gap).toMatchObject({ id: '0', from: cursor, missed: null });
    expect(decodeCursor(gap?.to ?? '')).toEqual({ epoch: bench.journal.epoch, position: 0, history: null });
    expect(client.rows().map((row) => row[4])).toEqual([1]);
    expect(decodeCursor(live.cursor ?? '').position).toBe(1);
  });

  test('below what is retained tells a gap and goes on from there', async () => {
    const bench = await openBench({ tailRetentionBytes: 1, snapshotBytes: 1 });
    const { connect } = await serveTail(bench);
    for (let i = 0; i < 20; i++) {
      bench.appendClimate('d1', 'hall', [{ time: at(i), count: i }]);
      await bench.commit();
      await bench.settle();
    }
    expect(bench.journal.tail()).toBeGreaterThan(0);
    const cursor = encodeCursor({ epoch: bench.journal.epoch, position: 0, history: null });
    const client = connect(`?measurement=climate&cursor=${cursor}`);
    await client.expect('live');
    const [gap] = client.of('gap');
    const first = decodeCursor(gap?.to ?? '').position;
    expect(first).toBe(bench.journal.tail());
    expect(client.rows().map((row) => row[4])).toEqual(
      Array.from({ length: 20 - first }, (_, i) => first + i),
    );
  });
});
