import { describe, expect, test } from '@jest/globals';
import { openJournalOn } from '../../../src/journal/local/open.ts';
import { openStorage } from '../../../src/journal/local/lmdb/lmdb-storage.ts';
import { FaultyStorage } from '../faulty-storage.ts';
import { Connection, folder, framesFrom, letter, open, stored, text } from '../harness.ts';

async function faulty(dir: string) {
  const storage = new FaultyStorage(openStorage(dir, 1e9, Date.now()));
  return { storage, journal: await openJournalOn(storage, { blockBytes: 1_000 }) };
}

describe('a commit that fails', () => {
  test('is told to every connection in flight, acknowledges nothing, and leaves what was durable', async () => {
    const dir = await folder();
    const { journal, storage } = await faulty(dir);
    const [under, sealed, waiting, done] = ['under', 'sealed', 'waiting', 'done'].map(
      (id) => new Connection(id),
    );
    if (!under || !sealed || !waiting || !done) throw new Error('four connections');
    journal.append(done, 1, text('done'), 1, 1);
    await journal.flush();

    const release = storage.hold();
    storage.failWith(new Error('No space left on device'));
    journal.append(under, 1, text('under way'), 1, 1);
    const flushed = journal.flush();
    journal.append(sealed, 1, Buffer.alloc(2_000), 1, 1);
    journal.reject(waiting, 1, letter('waiting'));
    const settled = journal.settle(stored(1, 1));
    release();
    await expect(flushed).rejects.toMatchObject({ code: 'journal_failed' });
    await expect(settled).rejects.toMatchObject({ code: 'journal_failed' });

    for (const connection of [under, sealed, waiting]) {
      expect(connection).toMatchObject({ durable: [], failures: 1 });
      expect(journal.deviceSeq(connection.device)).toBe(0);
    }
    expect(done).toMatchObject({ durable: [1], failures: 0 });
    expect(journal.stats()).toMatchObject({
      state: 'failed',
      queuedBytes: 0,
      reason: expect.stringContaining('No space left'),
    });
    expect(journal.accepting()).toBe(false);
    expect(journal.ledger()).toMatchObject({ received: 1, pending: 1, stored: 0 });
    expect(framesFrom(journal)).toMatchObject([{ device: 'done' }]);

    journal.append(done, 2, text('later'), 1, 1);
    expect(done.failures).toBe(1);
    await expect(journal.flush()).rejects.toMatchObject({ code: 'journal_failed' });
    await expect(journal.settle(stored(1, 1))).rejects.toMatchObject({ code: 'journal_failed' });
    await journal.close();

    const again = await open(dir);
    expect(framesFrom(again)).toMatchObject([{ device: 'done', position: 0 }]);
    expect(['under', 'done'].map((device) => again.deviceSeq(device))).toEqual([0, 1]);
  });
});

describe('group commit', () => {
  test('of much that waits a transaction takes a part, half of it at least, in order', async () => {
    const storage = new FaultyStorage(openStorage(await folder(), 1e9, Date.now()));
    const journal = await openJournalOn(storage, { blockBytes: 1_000, commitBytes: 3_000 });
    const device = new Connection('a');
    const release = storage.hold();
    journal.append(device, 1, text('first'), 1, 1);
    const flushed = journal.flush();
    for (let seq = 2; seq <= 21; seq++) journal.append(device, seq, Buffer.alloc(1_000, seq), 1, 1);
    const all = journal.flush();
    release();
    await Promise.all([flushed, all]);
    const blocks = storage.commits.map((change) => change.blocks.length);
    expect(blocks).toEqual([1, 10, 5, 2, 2, 1]);
    expect(device.durable).toEqual([1, 11, 16, 18, 20, 21]);
    expect(framesFrom(journal).map(({ seq }) => seq)).toEqual(Array.from({ length: 21 }, (_, i) => i + 1));
    await journal.close();
  });

  test('one transaction takes along everything that gathered during the one before', async () => {
    const { journal, storage } = await faulty(await folder());
    const devices = Array.from({ length: 100 }, (_, i) => new Connection(`d${i}`));
    const release = storage.hold();
    for (const device of devices.slice(0, 1)) journal.append(device, 1, text('first'), 1, 1);
    const flushed = journal.flush();
    for (const device of devices.slice(1)) journal.append(device, 1, Buffer.alloc(300), 1, 1);
    const all = journal.flush();
    expect(storage.commits).toHaveLength(1);
    expect(devices.some((device) => device.acked > 0)).toBe(false);
    release();
    await Promise.all([flushed, all]);
    expect(storage.commits).toHaveLength(2);
    expect(storage.commits[1]?.blocks.length).toBeGreaterThan(10);
    expect(devices.every((device) => device.durable.length === 1)).toBe(true);
    await journal.close();
  });

  test('frames, numbers, books and dead letters go in the same transaction', async () => {
    const { journal, storage } = await faulty(await folder());
    const device = new Connection('a');
    journal.append(device, 1, text('one'), 5, 1);
    journal.reject(device, 2, letter('a'));
    await journal.flush();
    expect(storage.commits).toHaveLength(1);
    expect(storage.commits[0]).toMatchObject({
      blocks: [{ first: 0 }],
      letters: [{ id: 0, letter: { device: 'a', kind: 'rejected' } }],
      state: { head: 1, counts: { received: { ws: 6 }, rejected: { ws: 1 } } },
    });
    await journal.close();
  });

  test('the numbers of all devices are written once per so many bytes of blocks, not with every commit', async () => {
    const storage = new FaultyStorage(openStorage(await folder(), 1e9, Date.now()));
    const journal = await openJournalOn(storage, { snapshotBytes: 10_000 });
    const device = new Connection('a');
    for (let seq = 1; seq <= 100; seq++) {
      journal.append(device, seq, Buffer.alloc(900), 1, 1);
      await journal.flush();
    }
    const snapshots = storage.commits.filter(({ snapshot }) => snapshot !== null);
    expect(snapshots.length).toBeGreaterThanOrEqual(9);
    expect(snapshots.length).toBeLessThanOrEqual(10);
    await journal.close();
  });
});
