import { cp } from 'node:fs/promises';
import { describe, expect, test } from '@jest/globals';
import { LIMITS } from '../../../src/core/index.ts';
import type { LocalJournal } from '../../../src/journal/index.ts';
import { Connection, folder, framesFrom, letter, open, stored, text, ws } from '../harness.ts';

/** Rejects frames with these texts from device `a`, and returns their ids. */
async function rejected(journal: LocalJournal, ...texts: string[]): Promise<string[]> {
  const device = new Connection('a');
  for (const one of texts) {
    journal.reject(device, journal.deviceSeq('a') + 1, letter('a', text(one)));
    await journal.flush();
  }
  return journal
    .deadLetters(texts.length)
    .map(({ id }) => id)
    .toReversed();
}

const ask = (id: string, readings = 1, content: string | null = null) => ({ id, readings, content });

describe('replaying dead letters', () => {
  test('puts the frame back with its first arrival and no number, and moves its readings to pending', async () => {
    const journal = await open(await folder(), { clock: { nowMs: () => 1.8e12 } });
    const [id = ''] = await rejected(journal, 'now it is known');
    expect(await journal.replay([ask(id, 7)])).toEqual(new Map([[id, 0]]));
    expect(framesFrom(journal)).toMatchObject([
      {
        position: 0,
        device: 'a',
        seq: 0,
        transport: 'ws',
        arrivalMs: 1.7e12,
        readings: 7,
        text: 'now it is known',
      },
    ]);
    expect(journal.ledger()).toMatchObject({ received: 7, rejected: 0, pending: 7 });
    expect(journal.deadLetters(10)).toEqual([]);
    expect(journal.deadLetter(id)).toBeUndefined();
  });

  test('neither moves the number of the device nor takes one, also after a crash', async () => {
    const dir = await folder();
    const journal = await open(dir);
    const ids = await rejected(journal, 'one', 'two', 'three');
    await journal.replay(ids.map((id) => ask(id)));
    expect(journal.deviceSeq('a')).toBe(3);
    const copy = await folder();
    await cp(dir, copy, { recursive: true, filter: (path) => !path.endsWith('-lock') });
    const again = await open(copy);
    expect(again.deviceSeq('a')).toBe(3);
    expect(framesFrom(again).map(({ seq }) => seq)).toEqual([0, 0, 0]);
    again.append(new Connection('a'), 4, text('next'), 1, 1);
    await again.flush();
    expect(framesFrom(again).at(-1)).toMatchObject({ position: 3, seq: 4 });
  });

  test('the same id twice, in one call or two at once, or one that never was, is left out', async () => {
    const journal = await open(await folder());
    const [id = ''] = await rejected(journal, 'x');
    const calls = [journal.replay([ask(id), ask(id), ask('zzz')]), journal.replay([ask(id)])];
    expect(await Promise.all(calls)).toEqual([new Map([[id, 0]]), new Map()]);
    expect(await journal.replay([ask(id)])).toEqual(new Map());
    expect(framesFrom(journal)).toHaveLength(1);
    expect(journal.ledger()).toMatchObject({ received: 1, rejected: 0, pending: 1 });
    await expect(journal.replay([ask('')])).rejects.toMatchObject({ code: 'cursor_invalid' });
  });

  test('of several with the same content one becomes a frame, the others duplicates', async () => {
    const journal = await open(await folder());
    const [first = '', second = ''] = await rejected(journal, 'x', 'x');
    expect(await journal.replay([ask(first, 4, 'X'), ask(second, 4, 'X')])).toEqual(
      new Map([
        [first, 0],
        [second, null],
      ]),
    );
    expect(journal.ledger()).toMatchObject({ received: 8, duplicates: 4, rejected: 0, pending: 4 });
  });

  test('what the store refuses again comes back under the same id, and in its old place in the list', async () => {
    const journal = await open(await folder());
    const [first = '', second = ''] = await rejected(journal, 'one', 'two');
    await journal.replay([ask(first, 3)]);
    expect(journal.deadLetters(10).map(({ id }) => id)).toEqual([second]);
    const refused = { ...letter('a', text('one')), readings: 2, position: 0, code: 'value_unusable' };
    await journal.settle({ from: 0, position: 1, stored: ws(1), expired: ws(0), deadLetters: [refused] });
    expect(journal.deadLetters(10).map(({ id }) => id)).toEqual([second, first]);
    // The number too, which a replayed frame itself does not bear.
    expect(journal.deadLetter(first)).toMatchObject({ kind: 'deadLettered', code: 'value_unusable', seq: 1 });
    expect(journal.ledger()).toMatchObject({ received: 4, rejected: 1, stored: 1, deadLettered: 2 });
    // Its other reading is stored already, so it weighs only what was refused.
    await journal.replay([ask(first, 3)]);
    expect(journal.ledger()).toMatchObject({ received: 4, deadLettered: 0, pending: 2 });
    expect(framesFrom(journal, 1)).toMatchObject([{ readings: 2 }]);
  });

  test('the content of a frame that the store refused is its own and does not make it a duplicate', async () => {
    const journal = await open(await folder());
    journal.append(new Connection('a', 'http'), 1, text('x'), 2, 1, 'X');
    await journal.flush();
    const refused = { ...letter('a', text('x'), 'http'), readings: 2, position: 0 };
    await journal.settle({ from: 0, position: 1, stored: ws(0), expired: ws(0), deadLetters: [refused] });
    const id = journal.deadLetters(1)[0]?.id ?? '';
    expect(await journal.replay([ask(id, 2, 'X')])).toEqual(new Map([[id, 1]]));
    expect(journal.ledger().byTransport.http).toMatchObject({ received: 2, deadLettered: 0, pending: 2 });
  });

  test('an old frame among new ones neither fills the journal by age nor is trimmed before its time', async () => {
    const clock = { nowMs: () => 1.8e12 };
    const journal = await open(await folder(), { maxAgeMs: 60_000, tailRetentionMs: 60_000, clock });
    const [id = ''] = await rejected(journal, 'of last year');
    await journal.replay([ask(id)]);
    expect(journal.stats()).toMatchObject({ state: 'open', oldestPendingMs: 1.8e12 });
    await journal.settle(stored(1, 1));
    expect(journal.tail()).toBe(0);
  });

  test('more than one commit may hold is refused and changes nothing', async () => {
    const journal = await open(await folder());
    const many = Array.from({ length: LIMITS.maxReplayLetters + 1 }, (_, i) => ask(i.toString(36)));
    await expect(journal.replay(many)).rejects.toMatchObject({ code: 'internal' });
    const device = new Connection('a');
    for (let seq = 1; seq <= 2; seq++) {
      journal.reject(device, seq, letter('a', Buffer.alloc(LIMITS.maxReplayBytes / 2 + 1)));
    }
    await journal.flush();
    const [one, two] = journal.deadLetters(2).map(({ id }) => ask(id));
    if (!one || !two) throw new Error('two letters');
    await expect(journal.replay([one, two])).rejects.toMatchObject({ code: 'internal' });
    expect(journal.deadLetters(10)).toHaveLength(2);
    expect((await journal.replay([one])).size).toBe(1);
  });

  test('holes do not confuse the limit: the oldest letters that are left go first', async () => {
    const journal = await open(await folder(), { maxDeadLetters: 4 });
    const ids = await rejected(journal, '1', '2', '3', '4');
    await journal.replay([ask(ids[0] ?? ''), ask(ids[2] ?? '')]);
    await rejected(journal, '5', '6', '7');
    const texts = journal.deadLetters(10).map(({ bytes }) => Buffer.from(bytes).toString());
    expect(texts).toEqual(['7', '6', '5', '4']);
    expect(journal.stats().lettersDropped).toBe(1);
  });
});
