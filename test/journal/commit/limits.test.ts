import { describe, expect, test } from '@jest/globals';
import { NO_READINGS } from '../../../src/core/index.ts';
import { Admission } from '../../../src/journal/local/commit/admission.ts';
import { openJournalOn } from '../../../src/journal/local/open.ts';
import { openStorage } from '../../../src/journal/local/lmdb/lmdb-storage.ts';
import { until } from '../../fixtures/until.ts';
import { FaultyStorage } from '../faulty-storage.ts';
import { Connection, folder, letter, open, stored, text, ws } from '../harness.ts';

const fill = { failed: false, blockBytes: 0, pendingBytes: 0, queuedBytes: 0, pendingAgeMs: 0 };
const limits = { maxBytes: 1_000_000, maxAgeMs: 100_000, queueBytes: 1_000 };

describe('a limit of the journal', () => {
  test('is announced at 80 %, reached at 100 %, left at 90 %, and withdrawn at 75 %', () => {
    for (const part of [
      (percent: number) => ({ blockBytes: percent * 10_000, pendingBytes: percent * 10_000 }),
      (percent: number) => ({ pendingAgeMs: percent * 1_000 }),
    ]) {
      const admission = new Admission(limits);
      const seen: [number, string, boolean][] = [];
      let percent = 0;
      admission.onChange((phase, accepting) => seen.push([percent, phase, accepting]));
      const steps = [50, 79, 80, 75, 74, 79, 81, 99, 100, 95, 90, 89, 76, 74, 120, 10];
      for (percent of steps) admission.update({ ...fill, ...part(percent) });
      expect(seen).toEqual([
        [80, 'filling', true],
        [74, 'open', true],
        [81, 'filling', true],
        [100, 'full', false],
        [89, 'filling', true],
        [74, 'open', true],
        [120, 'full', false],
        [10, 'open', true],
      ]);
    }
  });

  test('says in words which one it is, and how far', () => {
    const admission = new Admission(limits);
    expect(admission.reason).toBeNull();
    admission.update({ ...fill, pendingBytes: 900_000, pendingAgeMs: 85_000 });
    expect(admission.reason).toMatch(/0\.9 MiB.* 90 % of the limit of 1\.0 MiB/);
    admission.update({ ...fill, pendingBytes: 900_000, pendingAgeMs: 100_000 });
    expect(admission.reason).toMatch(/100 s old: 100 % of the limit of 100 s/);
    admission.update(fill);
    expect(admission.reason).toBeNull();
  });

  test('in bytes is not announced for frames that are stored: they give way', () => {
    const admission = new Admission(limits);
    admission.update({ ...fill, blockBytes: 890_000, pendingBytes: 100_000 });
    expect(admission.phase).toBe('open');
  });
});

describe('a journal with a limit by age', () => {
  test('is full while its oldest pending frame is older, without any traffic', async () => {
    let nowMs = 1_000_000;
    const journal = await open(await folder(), {
      maxAgeMs: 100_000,
      upkeepMs: 5,
      clock: { nowMs: () => nowMs },
    });
    const device = new Connection('a');
    journal.append(device, 1, text('one'), 1, nowMs);
    await journal.flush();
    nowMs += 85_000;
    await until('it to be filling', () => journal.stats().state === 'filling');
    expect(journal.accepting()).toBe(true);
    expect(journal.stats().reason).toMatch(/85 s old/);
    nowMs += 20_000;
    await until('it to be full', () => journal.stats().state === 'full');
    expect(journal.accepting()).toBe(false);
    // What a socket has delivered already is taken all the same.
    journal.append(device, 2, text('two'), 1, nowMs);
    await journal.flush();
    expect(device.acked).toBe(2);
    await journal.settle(stored(1, 1));
    expect(journal.stats()).toMatchObject({ state: 'open', oldestPendingMs: nowMs });
    expect(journal.stats().reason).toBeUndefined();
  });
});

describe('without traffic', () => {
  test('frames past the tail retention go, and nothing is written when nothing is due', async () => {
    let nowMs = 1_000_000;
    let looks = 0;
    const clock = { nowMs: () => (looks++, nowMs) };
    const storage = new FaultyStorage(openStorage(await folder(), 1e9, 1));
    const journal = await openJournalOn(storage, { tailRetentionMs: 60_000, upkeepMs: 5, clock });
    journal.append(new Connection('a'), 1, Buffer.alloc(10_000), 1, nowMs);
    await journal.flush();
    await journal.settle(stored(1, 1));
    expect(journal.tail()).toBe(0);
    const { length } = storage.commits;
    const start = looks;
    await until('some looks', () => looks > start + 20);
    expect(storage.commits).toHaveLength(length);
    nowMs += 60_001;
    await until('the frame to go', () => journal.tail() === 1);
    expect(storage.commits).toHaveLength(length + 1);
    expect(journal.stats().bytes).toBe(0);
    await journal.close();
  });

  test('dead letters past their age go: acknowledged ones count as expired, the others stay rejected', async () => {
    let nowMs = 1_000_000;
    const dir = await folder();
    const options = { maxDeadLetterAgeMs: 60_000, upkeepMs: 5, clock: { nowMs: () => nowMs } };
    const journal = await open(dir, options);
    const device = new Connection('a');
    journal.append(device, 1, text('one'), 5, nowMs);
    journal.reject(device, 2, letter('a'));
    await journal.flush();
    const refused = { ...letter('a', text('one')), readings: 3, position: 0 };
    await journal.settle({ from: 0, position: 1, stored: ws(2), expired: ws(0), deadLetters: [refused] });
    nowMs += 30_000;
    journal.reject(device, 3, letter('a', text('younger')));
    await journal.flush();
    expect(journal.deadLetters(10)).toHaveLength(3);
    nowMs += 30_001;
    // Not what the files say, which is there a moment before the ledger has it.
    await until('two to go', () => journal.stats().lettersDropped === 2);
    expect(journal.deadLetters(10)).toHaveLength(1);
    const counts = { received: 7, stored: 2, rejected: 2, deadLettered: 0, expired: 3, pending: 0 };
    expect(journal.ledger()).toMatchObject(counts);
    await journal.close();
    const again = await open(dir, options);
    expect(again.ledger()).toMatchObject(counts);
    expect(again.stats().lettersDropped).toBe(2);
    expect(again.deadLetters(10)).toHaveLength(1);
    nowMs += 60_001;
    await until('the last to go', () => again.deadLetters(10).length === 0);
  });
});

describe('frames that are expired', () => {
  test('make room at once, whatever the tail retention', async () => {
    const journal = await open(await folder(), { maxBytes: 100_000, clock: { nowMs: () => 1_000 } });
    const device = new Connection('a', 'mqtt');
    for (let seq = 1; seq <= 12; seq++) {
      journal.append(device, seq, Buffer.alloc(10_000), 2, 1_000);
      await journal.flush();
    }
    expect(journal.accepting()).toBe(false);
    const none = NO_READINGS;
    const expire = { from: 0, position: 8, stored: none, expired: { ...none, mqtt: 16 }, deadLetters: [] };
    await journal.settle(expire);
    expect(journal.tail()).toBe(8);
    expect(journal.stats()).toMatchObject({ state: 'open' });
    expect(journal.stats().bytes).toBeLessThan(45_000);
    expect(journal.ledger()).toMatchObject({ expired: 16, pending: 8 });
    await journal.settle({
      from: 8,
      position: 10,
      stored: { ...none, mqtt: 4 },
      expired: none,
      deadLetters: [],
    });
    expect(journal.tail()).toBe(8);
  });
});
