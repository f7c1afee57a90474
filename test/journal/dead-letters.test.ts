import { describe, expect, test } from '@jest/globals';
import { Connection, folder, letter, open, text } from './harness.ts';

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
