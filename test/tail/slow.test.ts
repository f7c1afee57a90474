import { describe, expect, test } from '@jest/globals';
import { decodeCursor } from '../../src/core/index.ts';
import { until } from '../fixtures/until.ts';
import { BASE_MS, openBench, type Reading } from './harness.ts';
import { MemoryReader, openHub } from './memory-reader.ts';
import { serveTail } from './tail-socket.ts';

const at = (seconds: number): number => BASE_MS + seconds * 1_000;

describe('a slow reader', () => {
  test('holds up neither a quick one nor the journal, and later gets every row once', async () => {
    const bench = await openBench();
    const { connect, tail } = await serveTail(bench, { limits: { socketBytes: 64 * 1024 } });
    const slow = connect('?measurement=climate');
    const quick = connect('?measurement=climate');
    await slow.expect('live');
    await quick.expect('live');
    slow.socket.pause();
    // More than the kernel keeps for a socket.
    const frames = 300;
    const readings = 1_000;
    for (let frame = 0; frame < frames; frame++) {
      bench.appendClimate(
        'd1',
        'a-room-with-a-long-name-that-fills-the-socket-sooner',
        Array.from({ length: readings }, (_, i) => ({ time: at(frame) + i, count: frame * readings + i })),
      );
    }
    await bench.commit();
    await quick.expectRows(frames * readings);
    expect(slow.rows()).toEqual([]);
    expect(tail.stats()).toMatchObject({ live: 1, gaps: 0 });
    expect(tail.stats().lags).toBeGreaterThan(0);
    slow.socket.resume();
    const rows = await slow.expectRows(frames * readings);
    expect(rows.every((row, i) => row[4] === i)).toBe(true);
    await until('both to be live', () => tail.stats().live === 2);
    bench.appendClimate('d1', 'hall', [{ time: at(1_000), count: -1 }]);
    expect((await slow.expectRows(frames * readings + 1)).at(-1)?.[4]).toBe(-1);
    expect(slow.of('gap')).toEqual([]);
  });

  test('is told a gap when the journal has dropped what it did not read', async () => {
    const bench = await openBench({ tailRetentionBytes: 1, snapshotBytes: 1 });
    const { hub, defects } = openHub(bench, {}, bench.times);
    const reader = new MemoryReader(hub, { device: 'd1', field: 'count', tag: { room: 'hall & attic' } });
    await until('live', () => hub.stats().live === 1);
    const append = async (i: number): Promise<void> => {
      bench.appendClimate('d1', 'hall & attic', [{ time: at(i), count: i }]);
      await bench.commit();
      await bench.settle();
    };
    await append(0);
    await until('the first row', () => reader.rows.length === 1);
    reader.lag();
    for (let i = 1; i < 20; i++) await append(i);
    expect(reader.rows).toHaveLength(1);
    expect(bench.journal.tail()).toBeGreaterThan(10);
    reader.read();
    await until('the gap', () => reader.of('gap').length > 0);
    await append(20);
    await until('the next row', () => reader.rows.at(-1)?.[3] === 20);
    const [gap] = reader.of('gap');
    // Each frame has one row: those before the gap and those behind it leave out just what it says.
    const from = decodeCursor(gap?.from ?? '').position;
    const to = decodeCursor(gap?.to ?? '').position;
    expect(from).toBeLessThan(3);
    expect(to).toBeGreaterThan(10);
    const numbers = (first: number, next: number) =>
      Array.from({ length: next - first }, (_, i) => first + i);
    expect(reader.rows.map((row) => row[3])).toEqual([...numbers(0, from), ...numbers(to, 21)]);
    expect(gap?.missed).toBeNull();
    const query = new URL(gap?.query ?? '', 'http://localhost').searchParams;
    expect(Object.fromEntries(query)).toMatchObject({
      measurement: 'climate',
      device: 'd1',
      field: 'count',
      'tag.room': 'hall & attic',
    });
    // As near as whole milliseconds: the rows before it and behind it are not among those that it reads.
    expect(Date.parse(query.get('from') ?? '')).toBe(at(from) - 1);
    expect(Date.parse(query.get('to') ?? '')).toBe(at(to - 1) + 2);
    expect(defects).toEqual([]);
  });

  test('in history gives its place to others and goes on where it was', async () => {
    const bench = await openBench();
    const { hub } = openHub(bench, { messageRows: 2, historyReads: 1, historyPatienceMs: 20 });
    for (let i = 0; i < 10; i++) bench.appendClimate(`d${i % 2}`, 'hall', [{ time: at(i), count: i }]);
    await bench.commit();
    await bench.settle();
    const slow = new MemoryReader(hub, { from: at(0) });
    slow.lag();
    await until('its first rows', () => slow.rows.length > 0);
    const other = new MemoryReader(hub, { from: at(0) });
    await until('the other one to be live', () => other.of('live').length === 1);
    expect(slow.rows.length).toBeLessThan(10);
    bench.appendClimate('d0', 'attic', [{ time: at(9), count: 10 }]);
    await bench.commit();
    await bench.settle();
    slow.read();
    await until('it to be live', () => slow.of('live').length === 1);
    expect(slow.rows.map((row) => row[4])).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });

  test('with mode=latest is given only the newest row of each series that it missed', async () => {
    const bench = await openBench();
    const { hub } = openHub(bench);
    const reader = new MemoryReader(hub, { mode: 'latest' });
    await until('live', () => hub.stats().live === 1);
    const append = async (device: string, room: string, seconds: number): Promise<void> => {
      bench.appendClimate(device, room, [{ time: at(seconds), count: seconds }]);
      await bench.commit();
    };
    await append('d1', 'hall', 1);
    await append('d1', 'hall', 2);
    await until('both rows', () => reader.rows.length === 2);
    reader.lag();
    await append('d1', 'hall', 3);
    await until('the reader to lag', () => hub.stats().lags === 1);
    await append('d1', 'attic', 4);
    await append('d2', 'hall', 8);
    await append('d1', 'hall', 6);
    await append('d2', 'hall', 7);
    reader.read();
    await until('live again', () => hub.stats().live === 1);
    expect(reader.rows.slice(2).map((row) => row.slice(1))).toEqual([
      ['d1', 'hall', null, 6],
      ['d1', 'attic', null, 4],
      ['d2', 'hall', null, 8],
    ]);
    expect(decodeCursor(reader.of('data').at(-1)?.cursor ?? '').position).toBe(bench.journal.head());
    await append('d1', 'hall', 9);
    await append('d1', 'hall', 10);
    await until('every row again', () => reader.rows.length === 7);
    expect(reader.of('data').map((message) => message.n)).toEqual([1, 2, 3, 4, 5]);
  });

  test('with mode=latest is given the newest row whole when frames brought its fields one by one', async () => {
    const bench = await openBench();
    const { hub } = openHub(bench);
    const reader = new MemoryReader(hub, { mode: 'latest' });
    await until('live', () => hub.stats().live === 1);
    const append = async (reading: Omit<Reading, 'time'>, seconds = 5): Promise<void> => {
      bench.appendClimate('d1', 'hall', [{ time: at(seconds), ...reading }]);
      await bench.commit();
    };
    reader.lag();
    await append({ count: 4 }, 4);
    await until('the reader to lag', () => hub.stats().lags === 1);
    await append({ temperature: 1, count: 1 });
    await append({ count: 2 });
    bench.appendClimate('d1', 'hall', [
      { time: at(5), count: 3 },
      { time: at(5), temperature: 7 },
    ]);
    await append({ temperature: 9 }, 3);
    reader.read();
    await until('live again', () => hub.stats().live === 1);
    expect(reader.rows.map((row) => row.slice(1))).toEqual([['d1', 'hall', 7, 3]]);
  });
});
