import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { Turns, type Lane } from '../../src/tail/turns.ts';
import { until } from '../fixtures/until.ts';
import { BASE_MS, openBench } from './harness.ts';
import { MemoryReader, openHub } from './memory-reader.ts';

/** Works through `steps` steps, and notes each with the number of the loop's turn that it was done in. */
async function work(
  turns: Turns,
  lane: Lane,
  name: string,
  steps: number,
  done: { name: string; turn: number }[],
  turn: () => number,
): Promise<void> {
  for (let step = 0; step < steps; step++) {
    await turns.pause(lane);
    done.push({ name, turn: turn() });
  }
}

/** Counts the turns of the event loop until `over`. */
function countTurns(): { turn: () => number; stop: () => void } {
  let turn = 0;
  const over = new AbortController();
  const count = async (): Promise<void> => {
    while (!over.signal.aborted) {
      await nextTurn();
      turn += 1;
    }
  };
  void count();
  return { turn: () => turn, stop: () => over.abort() };
}

describe('turns of tails', () => {
  test('one piece of work is done between two turns of the loop when a slice has no time, whoever asks', async () => {
    const turns = new Turns(0);
    const { turn, stop } = countTurns();
    const done: { name: string; turn: number }[] = [];
    const names = Array.from({ length: 20 }, (_, i) => `r${i}`);
    await Promise.all(names.map((name) => work(turns, 'lone', name, 5, done, turn)));
    stop();
    expect(done).toHaveLength(100);
    expect(new Set(done.map((one) => one.turn)).size).toBe(100);
    // All have their first step before anyone has its second.
    expect(new Set(done.slice(0, 20).map(({ name }) => name)).size).toBe(20);
  });

  test('many readers on their own do not hold up those who follow the head', async () => {
    const turns = new Turns(0);
    const done: { name: string; turn: number }[] = [];
    const lone = Array.from({ length: 50 }, () => work(turns, 'lone', 'lone', 5, done, () => 0));
    await work(turns, 'live', 'live', 10, done, () => 0);
    expect(done.filter(({ name }) => name === 'lone').length).toBeLessThanOrEqual(11);
    await Promise.all(lone);
  });

  test('work of one turn shares its slice', async () => {
    const turns = new Turns(60_000);
    const { turn, stop } = countTurns();
    const done: { name: string; turn: number }[] = [];
    await Promise.all(['a', 'b', 'c'].map((name) => work(turns, 'live', name, 5, done, turn)));
    stop();
    expect(new Set(done.map((one) => one.turn)).size).toBe(1);
  });
});

describe('long work of a tail', () => {
  test('gives way within a block, whether the filters match or not, and within many members', async () => {
    const bench = await openBench();
    const { hub } = openHub(bench, { sliceMs: 0 });
    const readers = [
      ...Array.from({ length: 20 }, () => new MemoryReader(hub, { device: 'd1' })),
      new MemoryReader(hub, { tag: { room: 'nowhere' } }),
    ];
    await until('all to be live', () => hub.stats().live === readers.length);
    const readings = Array.from({ length: 5_000 }, (_, i) => ({ time: BASE_MS + i, count: i }));
    bench.appendClimate('d1', 'hall', readings);
    await bench.commit();
    const { turn, stop } = countTurns();
    const sizes = new Map<number, number>();
    const seen = (): number => readers.reduce((sum, reader) => sum + reader.of('data').length, 0);
    for (let before = 0; before < 20;) {
      await nextTurn();
      const now = seen();
      if (now > before) sizes.set(turn(), now - before);
      before = now;
    }
    stop();
    // Each member has its message in a turn of its own, after the cells of the rows were encoded in many.
    expect([...sizes.values()]).toEqual(Array.from({ length: 20 }, () => 1));
    expect(turn()).toBeGreaterThan(20 + (5 * 5_000) / 512);
    expect(readers[0]?.rows).toHaveLength(5_000);
  });

  test('gives way among many subscriptions that tell their progress, and that end', async () => {
    const bench = await openBench();
    const { hub } = openHub(bench, { sliceMs: 0, progressMs: 5 });
    const readers = Array.from({ length: 50 }, (_, i) => new MemoryReader(hub, { device: `d${i}` }));
    await until('all to be live', () => hub.stats().live === readers.length);
    const inOneTurn: number[] = [];
    const seen = (): number => readers.reduce((sum, reader) => sum + reader.of('progress').length, 0);
    for (let before = seen(); before < 200;) {
      await nextTurn();
      const now = seen();
      inOneTurn.push(now - before);
      before = now;
    }
    expect(Math.max(...inOneTurn)).toBe(1);
    const closing = hub.close();
    const left: number[] = [];
    while (hub.stats().subscriptions > 0) {
      left.push(hub.stats().subscriptions);
      await nextTurn();
    }
    await closing;
    expect(left.length).toBeGreaterThanOrEqual(readers.length / 2);
  });
});
