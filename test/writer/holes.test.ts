import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { MillraceError } from '../../src/core/index.ts';
import { Holes } from '../../src/writer/index.ts';
import { temporaryFolder } from '../fixtures/folder.ts';
import { until } from '../fixtures/until.ts';
import { Bench, replaced } from './harness.ts';

const MB = 1024 * 1024;

/** A journal that keeps nothing for tails: what is stored goes with the next commits. */
const FORGETFUL = { tailRetentionBytes: 0, upkeepMs: 5, snapshotBytes: 1 };

async function storedAndGone(bench: Bench, frames: number): Promise<void> {
  const writer = await bench.startWriter();
  await bench.append(frames);
  await bench.settled();
  await until('the frames to go', () => bench.journal.tail() === bench.journal.head());
  await writer.stop(0);
}

describe('frames that neither the store nor the journal has', () => {
  const bench = new Bench(FORGETFUL);

  test.each([
    ['a store whose file was lost', null, 0],
    ['a store of another journal', { epoch: 'another', position: 50, refused: [] }, 0],
    ['a store put back to before what the journal keeps', 4, 4],
  ])('%s raises an alarm with their range, which later starts repeat', async (_, earlier, from) => {
    await storedAndGone(bench, 10);
    const { epoch } = bench.journal;
    const known = typeof earlier === 'number' ? { epoch, position: earlier, refused: [] } : earlier;
    const store = replaced(bench.hindered.store, { position: () => known });
    const first = await bench.startWriter({ store });
    const says = new RegExp(`lacks frames ${from} to 9 of journal ${epoch}`);
    expect(first.status()).toMatchObject({
      alarm: expect.stringMatching(says),
      storeMissingFrames: 10 - from,
    });
    await bench.append(2);
    await bench.settled();
    await first.stop(0);
    // By now the store's own position tells of no hole.
    expect(bench.inner.position()?.position).toBe(12);
    const second = await bench.startWriter();
    expect(second.status()).toMatchObject({
      alarm: expect.stringMatching(says),
      storeMissingFrames: 10 - from,
    });
  });

  test('are written down before the store is told to go on behind them', async () => {
    await storedAndGone(bench, 10);
    const store = replaced(bench.hindered.store, { position: () => null });
    let seen = '';
    bench.hindered.before = () => {
      seen ||= readFileSync(bench.path('holes.json'), 'utf8');
    };
    await bench.startWriter({ store });
    expect(JSON.parse(seen)).toMatchObject([{ lacking: 'store', from: 0, to: 10 }]);
  });

  test('end the start where they cannot be written down', async () => {
    await storedAndGone(bench, 10);
    const store = replaced(bench.hindered.store, { position: () => null });
    const holes = Holes.open(join(bench.path('nowhere'), 'holes.json'));
    await expect(bench.startWriter({ store, holes })).rejects.toMatchObject({ code: 'ENOENT' });
    expect(bench.inner.position()?.position).toBe(10);
  });

  test('are told when they go while they are written to the store again', async () => {
    await bench.append(10);
    const writer = await bench.startWriter();
    await bench.settled();
    await writer.stop(0);
    const { journal } = bench;
    const store = replaced(bench.hindered.store, { position: () => null });
    let tail = 0;
    const shrinking = replaced(journal, {
      tail: () => tail,
      read: (position: number) => {
        if (tail > 0) return undefined;
        tail = journal.head();
        throw new MillraceError('cursor_expired', `${position} has gone`);
      },
    });
    const second = await bench.startWriter({ store, journal: shrinking });
    await until('the alarm', () => second.status().alarm !== null);
    expect(second.status().alarm).toContain('lacks frames 0 to 9');
  });
});

describe('no alarm', () => {
  const bench = new Bench({ ...FORGETFUL, maxBytes: MB, blockBytes: 20_000 });

  test('is raised for frames that were given up by the limit that the operator chose', async () => {
    await storedAndGone(bench, 10);
    const away = (): never => {
      throw new MillraceError('store_unavailable', 'away');
    };
    bench.hindered.before = away;
    bench.hindered.beforeProbe = away;
    const first = await bench.startWriter({ expiry: { maxAgeMs: null } });
    while (bench.expired < 5_000) await bench.append(5, 200);
    await first.stop(0);
    expect(bench.inner.position()?.position).toBe(10);
    expect(bench.journal.tail()).toBeGreaterThan(10);
    bench.hindered.before = () => {};
    bench.hindered.beforeProbe = () => {};
    const second = await bench.startWriter();
    await bench.settled();
    expect(second.status()).toMatchObject({ alarm: null, storeMissingFrames: 0 });
    expect(bench.journal.ledger()).toMatchObject({ pending: 0, expired: bench.expired });
  });
});

describe('the list of holes', () => {
  const hole = { lacking: 'store', epoch: 'e', from: 0, to: 10 } as const;

  test('is there again, with holes that touch as one, those of another epoch apart, and a bound', () => {
    const folder = temporaryFolder();
    try {
      const path = join(folder.path, 'holes.json');
      const holes = Holes.open(path);
      expect(holes.alarm()).toBeNull();
      holes.add(hole, 0);
      holes.add({ ...hole, from: 2, to: 3 }, 1);
      holes.add({ ...hole, from: 10, to: 12 }, 1);
      holes.add({ ...hole, epoch: 'f' }, 2);
      holes.add({ ...hole, lacking: 'journal' }, 3);
      for (let at = 100; at < 1_000; at += 2) holes.add({ ...hole, from: at, to: at + 1 }, 4);
      const again = Holes.open(path);
      expect(again.alarm()).toBe(holes.alarm());
      expect(again.alarm()).toContain('lacks frames 0 to 11 of journal e and');
      expect(again.alarm()).toContain('to 998 of journal e and');
      expect(JSON.parse(readFileSync(path, 'utf8'))).toHaveLength(100);
      expect(again.frames('journal')).toBe(10);
      rmSync(path);
      expect(Holes.open(path).alarm()).toBeNull();
    } finally {
      folder.remove();
    }
  });

  test('of another kind is refused, and stays', () => {
    const folder = temporaryFolder();
    try {
      const path = join(folder.path, 'holes.json');
      writeFileSync(path, '[{"from":1}]');
      expect(() => Holes.open(path)).toThrow(expect.objectContaining({ code: 'data_dir_unwritable' }));
      expect(readFileSync(path, 'utf8')).toBe('[{"from":1}]');
    } finally {
      folder.remove();
    }
  });
});
