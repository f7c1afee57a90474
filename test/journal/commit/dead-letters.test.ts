import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { open as openLmdb } from 'lmdb';
import { LIMITS } from '../../../src/core/index.ts';
import type { LocalJournal } from '../../../src/journal/index.ts';
import { checkJournal, salvageLetters } from '../../../src/journal/index.ts';
import { Connection, folder, letter, open, text, ws } from '../harness.ts';

const bodies = (journal: LocalJournal): string[] =>
  journal.deadLetters(1_000).map(({ bytes }) => Buffer.from(bytes).toString());

/** Brings an acknowledged frame that the store then refuses. */
async function refuse(journal: LocalJournal, device: Connection, body: string, readings = 1): Promise<void> {
  journal.append(device, journal.deviceSeq(device.device) + 1, text(body), readings, 1);
  await journal.flush();
  const from = journal.settledPosition();
  const refused = { ...letter(device.device, text(body)), readings, position: from };
  await journal.settle({ from, position: from + 1, stored: ws(0), expired: ws(0), deadLetters: [refused] });
}

async function reject(journal: LocalJournal, device: Connection, ...frames: string[]): Promise<void> {
  for (const body of frames) {
    journal.reject(device, journal.deviceSeq(device.device) + 1, letter(device.device, text(body)));
    await journal.flush();
  }
}

/** The letter of a device's n-th frame, where so many come a second as are kept. */
function slowly(device: string, n: number, bytes: Uint8Array) {
  const one = letter(device, bytes);
  return { ...one, atMs: one.atMs + (n * 1_000) / LIMITS.deadLettersPerS };
}

describe('dead letters', () => {
  test('are listed newest first, in pages, with ids that stay', async () => {
    const dir = await folder();
    const journal = await open(dir);
    const device = new Connection('a');
    for (let seq = 1; seq <= 50; seq++) journal.reject(device, seq, letter('a', text(`bad ${seq}`)));
    await journal.flush();
    const first = journal.deadLetters(30);
    const rest = journal.deadLetters(30, first.at(-1)?.id);
    const bodies = [...first, ...rest].map(({ bytes }) => Buffer.from(bytes).toString());
    expect(bodies).toEqual(Array.from({ length: 50 }, (_, i) => `bad ${50 - i}`));
    expect(journal.deadLetters(10, rest.at(-1)?.id)).toEqual([]);
    await journal.close();
    const again = await open(dir);
    expect(again.deadLetters(30)).toEqual(first);
  });

  test('keep the number that the frame had on its connection, where the way in has numbers', async () => {
    const dir = await folder();
    const journal = await open(dir);
    journal.append(new Connection('a'), 1, text('good'), 1, 1);
    journal.reject(new Connection('a'), 2, letter('a'));
    journal.reject(new Connection('b', 'http'), 1, letter('b', text('bad'), 'http'));
    await journal.flush();
    await journal.close();
    const again = await open(dir);
    expect(again.deadLetters(9)).toMatchObject([
      { device: 'b', seq: null },
      { device: 'a', seq: 2 },
    ]);
    await again.close();
    expect([...salvageLetters(dir)]).toMatchObject([{ seq: 2 }, { seq: null }]);
  });

  test('over the limit in number the oldest go, also within one commit', async () => {
    const journal = await open(await folder(), { maxDeadLetters: 3 });
    const device = new Connection('a');
    for (let seq = 1; seq <= 8; seq++) {
      journal.reject(device, seq, letter('a', text(`${seq}`)));
      if (seq === 2) await journal.flush();
    }
    await journal.flush();
    const kept = (): string[] => journal.deadLetters(10).map(({ bytes }) => Buffer.from(bytes).toString());
    expect(kept()).toEqual(['8', '7', '6']);
    journal.reject(device, 9, letter('a', text('9')));
    await journal.flush();
    expect(kept()).toEqual(['9', '8', '7']);
    expect(journal.ledger().rejected).toBe(9);
  });

  test('over the limit in bytes the oldest go, but the newest is kept whatever its size', async () => {
    const journal = await open(await folder(), { maxDeadLetterBytes: 5_000 });
    const device = new Connection('a');
    for (let seq = 1; seq <= 5; seq++) journal.reject(device, seq, letter('a', Buffer.alloc(1_500)));
    await journal.flush();
    expect(journal.deadLetters(10)).toHaveLength(3);
    journal.reject(device, 6, letter('a', Buffer.alloc(9_000)));
    await journal.flush();
    expect(journal.deadLetters(10).map(({ bytes }) => bytes.length)).toEqual([9_000]);
  });

  test('an id that was never given is refused', async () => {
    const journal = await open(await folder());
    for (const id of ['', '-1', 'é', 'zzzzzzzzzzzzz']) {
      expect(() => journal.deadLetters(1, id)).toThrow(expect.objectContaining({ code: 'cursor_invalid' }));
    }
  });
});

describe('dead letters over the limits', () => {
  test('go in the order of their age among those refused before the ack, and acknowledged ones only when none of these is left', async () => {
    const journal = await open(await folder(), { maxDeadLetters: 4 });
    const [good, bad] = [new Connection('good'), new Connection('bad')];
    await refuse(journal, good, 'acked 1', 3);
    await reject(journal, bad, 'r1', 'r2');
    await refuse(journal, good, 'acked 2', 3);
    await reject(journal, bad, 'r3', 'r4');
    expect(bodies(journal)).toEqual(['r4', 'r3', 'acked 2', 'acked 1']);
    await refuse(journal, good, 'acked 3', 3);
    await refuse(journal, good, 'acked 4', 3);
    expect(bodies(journal)).toEqual(['acked 4', 'acked 3', 'acked 2', 'acked 1']);
    expect(journal.ledger()).toMatchObject({ rejected: 4, deadLettered: 12, expired: 0 });
    // No room is left for one that was never acknowledged.
    await reject(journal, bad, 'r5');
    expect(bodies(journal)).toEqual(['acked 4', 'acked 3', 'acked 2', 'acked 1']);
    await refuse(journal, good, 'acked 5', 3);
    expect(bodies(journal)).toEqual(['acked 5', 'acked 4', 'acked 3', 'acked 2']);
    expect(journal.ledger()).toMatchObject({
      received: 20,
      rejected: 5,
      deadLettered: 12,
      expired: 3,
      pending: 0,
    });
    expect(journal.stats().lettersDropped).toBe(6);
  });

  test('a flood of refused frames, in one commit or many, takes no acknowledged one with it, also after it was opened again', async () => {
    const dir = await folder();
    const limits = { maxDeadLetters: 50 };
    const journal = await open(dir, limits);
    const bad = new Connection('bad');
    for (let i = 0; i < 10; i++) await refuse(journal, new Connection('good'), `acked ${i}`);
    for (let seq = 1; seq <= 3_000; seq++) {
      journal.reject(bad, seq, slowly('bad', seq, text(`r${seq}`)));
      if (seq > 2_900) await journal.flush();
    }
    await journal.flush();
    const acked = Array.from({ length: 10 }, (_, i) => `acked ${9 - i}`);
    expect(bodies(journal)).toEqual([...Array.from({ length: 40 }, (_, i) => `r${3_000 - i}`), ...acked]);
    await journal.close();
    const again = await open(dir, limits);
    for (let seq = 3_001; seq <= 3_100; seq++) again.reject(bad, seq, slowly('bad', seq, text(`r${seq}`)));
    await again.flush();
    expect(bodies(again)).toEqual([...Array.from({ length: 40 }, (_, i) => `r${3_100 - i}`), ...acked]);
    expect(again.ledger()).toMatchObject({ rejected: 3_100, deadLettered: 10, expired: 0 });
  });

  test('what one transaction removes is bounded: a large letter that takes the room of thousands does so in several', async () => {
    const journal = await open(await folder(), { maxDeadLetterBytes: 1_000_000 });
    const bad = new Connection('bad');
    for (let seq = 1; seq <= 5_000; seq++) journal.reject(bad, seq, slowly('bad', seq, text('x')));
    await journal.flush();
    const kept = journal.deadLetters(1_000_000).length;
    expect(kept).toBe(5_000);
    journal.reject(bad, 5_001, slowly('bad', 5_001, Buffer.alloc(999_000)));
    await journal.flush();
    expect(journal.deadLetters(1_000_000).length).toBe(kept + 1 - 1_000);
    await journal.flush();
    // Settling is a transaction of its own, behind those that trim.
    await refuse(journal, new Connection('good'), 'acked');
    expect(journal.deadLetters(1_000_000).length).toBeLessThan(10);
  });
});

describe('a device that sends nothing but rubbish', () => {
  const limits = { maxDeadLetters: 200 };

  test("pushes out nobody else's dead letters, also after the journal was opened again, and the ledger counts all", async () => {
    const dir = await folder();
    let journal = await open(dir, limits);
    const others = Array.from({ length: 15 }, (_, i) => new Connection(`other-${i}`));
    for (const other of others) await reject(journal, other, other.device);
    const bad = new Connection('bad');
    let seq = 0;
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 500; i++) {
        seq++;
        journal.reject(bad, seq, slowly('bad', seq, text(`r${seq}`)));
        if (i % 100 === 0) await journal.flush();
      }
      await journal.flush();
      const kept = bodies(journal);
      expect(kept).toHaveLength(200);
      expect(kept.filter((body) => body.startsWith('other'))).toHaveLength(15);
      expect(kept[0]).toBe(`r${seq}`);
      await journal.close();
      journal = await open(dir, limits);
    }
    expect(journal.ledger()).toMatchObject({ received: 1_515, rejected: 1_515, pending: 0 });
    expect(journal.stats()).toMatchObject({ lettersDropped: 1_315, ackedLettersDropped: 0 });
  });

  test('has only so many of them kept at once, and the others are counted and acknowledged', async () => {
    const dir = await folder();
    const journal = await open(dir);
    const bad = new Connection('bad');
    const frames = LIMITS.deadLetterBurst + 2_000;
    for (let seq = 1; seq <= frames; seq++) journal.reject(bad, seq, letter('bad', text(`${seq}`)));
    await journal.flush();
    expect(bad.acked).toBe(frames);
    expect(journal.deadLetters(frames)).toHaveLength(LIMITS.deadLetterBurst);
    expect(journal.ledger()).toMatchObject({ received: frames, rejected: frames });
    expect(journal.stats().lettersDropped).toBe(2_000);
    // A second later it may have some more.
    const late = { ...letter('bad'), atMs: letter('bad').atMs + 1_000 };
    for (let i = 1; i <= 200; i++) journal.reject(bad, frames + i, late);
    await journal.flush();
    expect(journal.deadLetters(frames)).toHaveLength(LIMITS.deadLetterBurst + LIMITS.deadLettersPerS);
    // Others are not concerned.
    await reject(journal, new Connection('good'), 'mine');
    expect(bodies(journal)[0]).toBe('mine');
    await journal.close();
    expect(checkJournal(dir)).toMatchObject({ sound: true });
  });
});

describe('a dead letter whose record is damaged', () => {
  async function damagedJournal(): Promise<string> {
    const dir = await folder();
    const journal = await open(dir);
    await reject(journal, new Connection('a'), 'one', 'two', 'three', 'four');
    await journal.close();
    const root = openLmdb({ path: join(dir, 'journal.lmdb'), overlappingSync: false });
    const letters = root.openDB<Buffer, number>('letters', { encoding: 'binary' });
    const flipped = Buffer.from(letters.getBinary(1) ?? []);
    const at = flipped.indexOf('two');
    flipped[at] = (flipped[at] ?? 0) ^ 1;
    await letters.put(1, flipped);
    await letters.put(2, Buffer.from('no letter'));
    await root.close();
    return dir;
  }

  test('is passed over by the list, and by a replay that names it', async () => {
    const journal = await open(await damagedJournal());
    expect(bodies(journal)).toEqual(['four', 'one']);
    expect(journal.deadLetters(1, '3').map(({ id }) => id)).toEqual(['0']);
    expect(journal.deadLetter('1')).toBeUndefined();
    const ask = (id: string) => ({ id, readings: 1, content: null });
    expect([...(await journal.replay(['0', '1', '2'].map(ask))).keys()]).toEqual(['0']);
  });

  test('stops no ack: it goes when its turn comes', async () => {
    const dir = await damagedJournal();
    const journal = await open(dir, { maxDeadLetters: 2 });
    const device = new Connection('a');
    journal.append(device, 5, text('frame'), 1, 1);
    await journal.flush();
    expect(device.acked).toBe(5);
    await reject(journal, new Connection('b'), 'five', 'six', 'seven');
    expect(bodies(journal)).toEqual(['seven', 'six']);
    await refuse(journal, device, 'acked 1');
    await refuse(journal, device, 'acked 2');
    await reject(journal, new Connection('b'), 'eight');
    expect(bodies(journal)).toEqual(['acked 2', 'acked 1']);
    await journal.close();
    expect(checkJournal(dir)).toMatchObject({ sound: true, deadLetters: 2 });
  });

  test('is told by the check, and the others are saved', async () => {
    const dir = await damagedJournal();
    expect(checkJournal(dir)).toMatchObject({
      sound: false,
      deadLetters: 2,
      problems: [
        'letters: the record of dead letter 1 is damaged',
        'letters: the record of dead letter 2 is damaged',
        '2 dead letters are missing',
      ],
    });
    const saved = [...salvageLetters(dir)].map(({ id, kind, bytes }) => [
      id,
      kind,
      Buffer.from(bytes).toString(),
    ]);
    expect(saved).toEqual([
      ['0', 'rejected', 'one'],
      ['3', 'rejected', 'four'],
    ]);
  });
});
