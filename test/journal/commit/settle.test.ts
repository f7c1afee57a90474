import { cp } from 'node:fs/promises';
import { describe, expect, test } from '@jest/globals';
import type { LocalJournal } from '../../../src/journal/index.ts';
import { Connection, folder, framesFrom, letter, open, stored, text, ws } from '../harness.ts';

/** Appends `count` frames of one reading, each a block of its own. */
async function blocks(
  journal: LocalJournal,
  device: Connection,
  count: number,
  size = 10,
  arrivalMs = 1_000,
) {
  for (let i = 0; i < count; i++) {
    journal.append(device, journal.deviceSeq(device.device) + 1, Buffer.alloc(size, 'x'), 1, arrivalMs);
    await journal.flush();
  }
}

describe('settling', () => {
  test('moves the position and the counts forward, and a repetition changes nothing', async () => {
    const dir = await folder();
    const journal = await open(dir);
    await blocks(journal, new Connection('a'), 5);
    const settlement = {
      from: 0,
      position: 3,
      stored: ws(2),
      expired: ws(0),
      deadLetters: [letter('a', text('late'))],
    };
    await journal.settle(settlement);
    const ledger = {
      received: 5,
      stored: 2,
      duplicates: 0,
      rejected: 0,
      deadLettered: 1,
      expired: 0,
      pending: 2,
    };
    expect(journal.ledger()).toMatchObject(ledger);
    await journal.settle(settlement);
    await journal.settle({ ...settlement, position: 2 });
    expect(journal.ledger()).toMatchObject(ledger);
    expect(journal.deadLetters(10)).toHaveLength(1);
    await journal.close();
    const again = await open(dir);
    expect(again.settledPosition()).toBe(3);
    expect(again.ledger()).toMatchObject(ledger);
    await again.settle(settlement);
    expect(again.ledger()).toMatchObject(ledger);
    expect(again.deadLetters(1)[0]).toMatchObject({
      kind: 'deadLettered',
      device: 'a',
      code: 'frame_truncated',
    });
  });

  test('that is asked twice at once counts once', async () => {
    const journal = await open(await folder());
    await blocks(journal, new Connection('a'), 3);
    const settlement = { from: 0, position: 2, stored: ws(1), expired: ws(0), deadLetters: [letter('a')] };
    await Promise.all([journal.settle(settlement), journal.settle(settlement)]);
    expect(journal.ledger()).toMatchObject({ stored: 1, deadLettered: 1, pending: 1 });
    expect(journal.deadLetters(10)).toHaveLength(1);
  });

  test('refuses a position beyond the head', async () => {
    const journal = await open(await folder());
    await expect(journal.settle(stored(1, 1))).rejects.toThrow(/position 1/);
  });

  test('a position inside a block leaves the block pending and readable', async () => {
    const journal = await open(await folder(), { tailRetentionMs: 0, clock: { nowMs: () => 1e9 } });
    const device = new Connection('a');
    for (let seq = 1; seq <= 10; seq++) journal.append(device, seq, text(`${seq}`), 1, 5);
    await journal.flush();
    await journal.settle(stored(4, 4));
    expect(journal.stats().pendingBytes).toBe(journal.stats().bytes);
    expect(journal.stats().oldestPendingMs).toBe(5);
    expect(journal.tail()).toBe(0);
    expect(framesFrom(journal, journal.settledPosition())[0]?.text).toBe('5');
    await journal.settle(stored(10, 6, 4));
    expect(journal.stats()).toMatchObject({ pendingBytes: 0, bytes: 0, oldestPendingMs: null });
    expect(journal.tail()).toBe(10);
  });
});

describe('trimming', () => {
  test('settled frames stay for the tail retention in time, then go', async () => {
    let nowMs = 1_000;
    const journal = await open(await folder(), { tailRetentionMs: 500, clock: { nowMs: () => nowMs } });
    const device = new Connection('a');
    await blocks(journal, device, 2, 10, 1_000);
    await blocks(journal, device, 2, 10, 1_300);
    await journal.settle(stored(3, 3));
    expect(journal.tail()).toBe(0);
    nowMs = 1_501;
    await blocks(journal, device, 1);
    expect(journal.tail()).toBe(2);
    nowMs = 1e9;
    await blocks(journal, device, 1);
    expect(journal.tail()).toBe(3);
    expect(() => journal.read(2)).toThrow(expect.objectContaining({ code: 'cursor_expired' }));
    expect(framesFrom(journal).map((frame) => frame.position)).toEqual([3, 4, 5]);
  });

  test('settled frames beyond the tail retention in bytes go at once; frames not settled never do', async () => {
    const journal = await open(await folder(), { tailRetentionBytes: 50_000, clock: { nowMs: () => 1_000 } });
    await blocks(journal, new Connection('a'), 20, 10_000);
    expect(journal.stats().bytes).toBeGreaterThan(200_000);
    await journal.settle(stored(10, 10));
    expect(journal.tail()).toBe(6);
    expect(framesFrom(journal)).toHaveLength(14);
  });

  test('the device numbers outlive the blocks that carried them', async () => {
    const dir = await folder();
    const journal = await open(dir, { tailRetentionMs: 0, clock: { nowMs: () => 1e9 } });
    await blocks(journal, new Connection('a'), 3);
    await blocks(journal, new Connection('b'), 4);
    await journal.settle(stored(7, 7));
    expect(journal.tail()).toBe(7);
    // As after a crash: a close would write the numbers once more.
    const copy = await folder();
    await cp(dir, copy, { recursive: true, filter: (path) => !path.endsWith('-lock') });
    const again = await open(copy);
    expect([again.deviceSeq('a'), again.deviceSeq('b'), again.deviceSeq('c')]).toEqual([3, 4, 0]);
    expect([again.head(), again.tail()]).toEqual([7, 7]);
    await blocks(again, new Connection('a'), 1);
    expect(framesFrom(again)).toMatchObject([{ position: 7, seq: 4 }]);
  });
});

describe('a full journal', () => {
  test('takes no new connections but keeps what arrives, and resumes when blocks are settled', async () => {
    const journal = await open(await folder(), { maxBytes: 100_000, clock: { nowMs: () => 1_000 } });
    const changes: unknown[] = [];
    journal.onStateChange((state, accepting) => changes.push([state, accepting]));
    const device = new Connection('a');
    await blocks(journal, device, 9, 10_000);
    expect(journal.accepting()).toBe(true);
    await blocks(journal, device, 3, 10_000);
    expect(journal.stats().state).toBe('full');
    expect(journal.accepting()).toBe(false);
    expect(device.acked).toBe(12);
    // Well within the tail retention, and yet they go: there is no other room.
    await journal.settle(stored(1, 1));
    expect(journal.tail()).toBe(1);
    expect(journal.stats().state).toBe('full');
    await journal.settle(stored(6, 5, 1));
    expect(journal.stats()).toMatchObject({ state: 'open' });
    expect(journal.stats().bytes).toBeLessThanOrEqual(80_000);
    expect(framesFrom(journal).at(-1)).toMatchObject({ position: 11, seq: 12 });
    expect(changes).toEqual([
      ['filling', true],
      ['full', false],
      ['open', true],
    ]);
  });

  test('a journal with thousands of tiny blocks to remove comes to rest below its limit', async () => {
    const journal = await open(await folder(), {
      maxBytes: 500_000,
      blockBytes: 1,
      clock: { nowMs: () => 1_000 },
    });
    const device = new Connection('a');
    for (let seq = 1; seq <= 10_000; seq++) journal.append(device, seq, text('0123456789'), 1, 1_000);
    await journal.flush();
    expect(journal.stats().state).toBe('full');
    await journal.settle(stored(10_000, 10_000));
    const open_ = new Promise<void>((resolve) => {
      if (journal.accepting()) resolve();
      else journal.onStateChange((state) => state === 'open' && resolve());
    });
    await open_;
    expect(journal.accepting()).toBe(true);
  });

  test('too many bytes waiting for the disk pause ingest until half of them are written', async () => {
    const journal = await open(await folder(), { blockBytes: 1_000, queueBytes: 20_000 });
    const device = new Connection('a');
    const resumed = new Promise<number>((resolve) => {
      journal.onStateChange((_, accepting) => accepting && resolve(journal.stats().queuedBytes));
    });
    for (let seq = 1; journal.accepting(); seq++) journal.append(device, seq, Buffer.alloc(500), 1, 1);
    expect(journal.stats().queuedBytes).toBeGreaterThan(20_000);
    expect(journal.stats().state).toBe('open');
    expect(await resumed).toBeLessThanOrEqual(10_000);
  });
});
