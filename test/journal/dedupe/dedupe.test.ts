import { cp } from 'node:fs/promises';
import { describe, expect, test } from '@jest/globals';
import { openJournalOn } from '../../../src/journal/local/open.ts';
import { openStorage } from '../../../src/journal/local/lmdb/lmdb-storage.ts';
import { FaultyStorage } from '../faulty-storage.ts';
import { Connection, folder, framesFrom, open, text } from '../harness.ts';

const HOUR_MS = 3_600_000;

describe('a frame whose content its device brought before', () => {
  test('is counted as a duplicate by its readings, not kept, and acknowledged with the commit', async () => {
    const journal = await open(await folder());
    const device = new Connection('a', 'http');
    expect(journal.append(device, 1, text('x'), 5, 1, 'X')).toBe(true);
    expect(journal.append(device, 2, text('x'), 5, 1, 'X')).toBe(false);
    expect(device.durable).toEqual([]);
    await journal.flush();
    expect(device.acked).toBe(2);
    expect(journal.append(device, 3, text('x'), 5, 2, 'X')).toBe(false);
    await journal.flush();
    expect(device.acked).toBe(3);
    expect(framesFrom(journal)).toHaveLength(1);
    expect(journal.ledger().byTransport.http).toMatchObject({ received: 15, duplicates: 10, pending: 5 });
  });

  test('is no duplicate when another device brought it, nor when none is named', async () => {
    const journal = await open(await folder());
    expect(journal.append(new Connection('a', 'http'), 1, text('x'), 1, 1, 'X')).toBe(true);
    expect(journal.append(new Connection('b', 'mqtt'), 1, text('x'), 1, 1, 'X')).toBe(true);
    expect(journal.append(new Connection('a', 'http'), 1, text('x'), 1, 1, null)).toBe(true);
    expect(journal.append(new Connection('a', 'http'), 1, text('x'), 1, 1)).toBe(true);
    expect(journal.append(new Connection('a', 'mqtt'), 1, text('x'), 1, 1, 'X')).toBe(false);
  });

  test('is never acknowledged before the first one is on disk', async () => {
    const storage = new FaultyStorage(openStorage(await folder(), 1e9, 1));
    const journal = await openJournalOn(storage, { blockBytes: 1_000 });
    const release = storage.hold();
    const [first, second] = [new Connection('a', 'http'), new Connection('a', 'http')];
    journal.append(first, 1, Buffer.alloc(2_000), 1, 1, 'X');
    expect(storage.commits).toHaveLength(1);
    expect(journal.append(second, 1, Buffer.alloc(2_000), 1, 1, 'X')).toBe(false);
    const flushed = journal.flush();
    await new Promise((resolve) => setImmediate(resolve));
    expect([first.durable, second.durable]).toEqual([[], []]);
    release();
    await flushed;
    expect([first.acked, second.acked]).toEqual([1, 1]);
    await journal.close();
  });

  test('is taken when the commit of the first one failed', async () => {
    const dir = await folder();
    const storage = new FaultyStorage(openStorage(dir, 1e9, 1));
    const journal = await openJournalOn(storage, {});
    storage.failWith(new Error('No space left on device'));
    const device = new Connection('a', 'http');
    journal.append(device, 1, text('x'), 1, 1, 'X');
    expect(journal.append(device, 2, text('x'), 1, 1, 'X')).toBe(false);
    await expect(journal.flush()).rejects.toMatchObject({ code: 'journal_failed' });
    expect(device).toMatchObject({ durable: [], failures: 1 });
    await journal.close();
    const again = await open(dir);
    expect(again.append(device, 1, text('x'), 1, 1, 'X')).toBe(true);
  });

  test('is known after a crash, for as long as the window lasts', async () => {
    const dir = await folder();
    let nowMs = 1e12;
    const options = { clock: { nowMs: () => nowMs }, dedupeWindowMs: HOUR_MS };
    const journal = await open(dir, options);
    const device = new Connection('a', 'http');
    // In one entry of the log and in several, which hold many kinds of bytes.
    const contents = Array.from({ length: 300 }, (_, i) =>
      Buffer.from(Array.from({ length: 16 }, (__, at) => (i * 7 + at * 31) % 256)).toString('latin1'),
    );
    for (const [i, content] of contents.entries()) {
      journal.append(device, i + 1, text('x'), 1, nowMs, content);
      if (i % 7 === 0) await journal.flush();
    }
    await journal.flush();
    const copy = await folder();
    await cp(dir, copy, { recursive: true, filter: (path) => !path.endsWith('-lock') });
    nowMs += HOUR_MS / 2;
    const again = await open(copy, options);
    const fresh = contents.map((content) => again.append(device, 1, text('x'), 1, nowMs, content));
    expect(fresh.filter((one) => one)).toEqual([]);
    nowMs += HOUR_MS / 2 + 1_001;
    expect(again.append(device, 1, text('x'), 1, nowMs, contents[0])).toBe(true);
    expect(again.append(device, 1, text('x'), 1, nowMs, contents[0])).toBe(false);
  });

  test('is kept on disk no longer than the window, and in few entries', async () => {
    let nowMs = 1e12;
    const dir = await folder();
    const storage = new FaultyStorage(openStorage(dir, 1e9, 1));
    const journal = await openJournalOn(storage, {
      clock: { nowMs: () => nowMs },
      dedupeWindowMs: HOUR_MS,
    });
    const device = new Connection('a', 'http');
    const entries = (): number => [...storage.contents(0)].length;
    for (let i = 0; i < 200; i++) {
      journal.append(device, i + 1, text('x'), 1, nowMs, `content ${i}`);
      await journal.flush();
    }
    expect(entries()).toBe(4);
    nowMs += HOUR_MS + 1;
    journal.append(device, 1_000, text('x'), 1, nowMs, 'last');
    await journal.flush();
    expect(entries()).toBe(1);
    await journal.close();
  });

  test('is kept on disk for twice as many frames as the limit at most', async () => {
    const storage = new FaultyStorage(openStorage(await folder(), 1e9, 1));
    const journal = await openJournalOn(storage, { dedupeTotal: 50, clock: { nowMs: () => 1e12 } });
    const device = new Connection('a', 'http');
    for (let i = 0; i < 400; i++) {
      journal.append(device, i + 1, text('x'), 1, 1e12, `content ${i}`);
      await journal.flush();
    }
    const { contents } = storage.commits.at(-1)?.state ?? {};
    expect(contents?.frames).toBeLessThanOrEqual(100 + 64);
    expect([...storage.contents(0)].length).toBeLessThanOrEqual(3);
    await journal.close();
  });

  test('is known after a start when it is among the newest, however long the log is', async () => {
    const dir = await folder();
    const options = { dedupeTotal: 200, clock: { nowMs: () => 1e12 } };
    const journal = await open(dir, options);
    const device = new Connection('a', 'http');
    for (let i = 0; i < 400; i++) {
      journal.append(device, i + 1, text('x'), 1, 1e12, `content ${i}`);
      if (i % 10 === 0) await journal.flush();
    }
    await journal.close();
    const again = await open(dir, options);
    const fresh = (i: number): boolean => again.append(device, 1, text('x'), 1, 1e12, `content ${i}`);
    expect([399, 350, 250].map(fresh)).toEqual([false, false, false]);
    expect([0, 50].map(fresh)).toEqual([true, true]);
  });

  test('a content too long for the log is refused', async () => {
    const journal = await open(await folder());
    expect(() => journal.append(new Connection('a', 'http'), 1, text('x'), 1, 1, 'x'.repeat(65))).toThrow(
      expect.objectContaining({ code: 'internal' }),
    );
  });
});
