import { cp } from 'node:fs/promises';
import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { LIMITS } from '../../../src/core/index.ts';
import { checkJournal, openLocalJournal, type LocalJournal } from '../../../src/journal/index.ts';
import { Connection, folder, letter, open, stored, text } from '../harness.ts';

const outboxId = (n: number): string => `outbox-of-a-unit-${n}`;

/** A connection with an outbox, which goes on where the journal says. */
function connect(journal: LocalJournal, id: string, device = 'a') {
  const outbox = journal.outbox(device, id);
  const seq = journal.deviceSeq(device, outbox);
  const connection = Object.assign(new Connection(device), { outbox });
  return { connection, seq, epoch: outbox.epoch };
}

async function send(journal: LocalJournal, id: string, body = 'frame'): Promise<void> {
  const { connection, seq } = connect(journal, id);
  journal.append(connection, seq + 1, text(body), 1, 1);
  await journal.flush();
}

/** As a process finds it that starts after kill -9. */
async function crashed(dir: string): Promise<string> {
  const copy = await folder();
  await cp(dir, copy, { recursive: true, filter: (path) => !path.endsWith('-lock') });
  return copy;
}

describe('the numbers of outboxes', () => {
  test('are apart from those of other outboxes, and from those of the device', async () => {
    const journal = await open(await folder());
    await send(journal, outboxId(1), 'one');
    await send(journal, outboxId(1), 'two');
    await send(journal, outboxId(2), 'three');
    journal.append(new Connection('a'), 1, text('four'), 1, 1);
    await journal.flush();
    const [first, second] = [connect(journal, outboxId(1)), connect(journal, outboxId(2))];
    expect([first.seq, second.seq, journal.deviceSeq('a')]).toEqual([2, 1, 1]);
    expect(new Set([first.epoch, second.epoch, journal.epoch]).size).toBe(3);
    expect(connect(journal, outboxId(1), 'b')).toMatchObject({ seq: 0 });
  });

  test('begin in a life of their own that nothing is kept of until a frame is on disk', async () => {
    const dir = await folder();
    const journal = await open(dir);
    const before = connect(journal, outboxId(1));
    expect(before.seq).toBe(0);
    journal.append(before.connection, 1, text('one'), 1, 1);
    await journal.flush();
    expect(connect(journal, outboxId(1))).toMatchObject({ seq: 1, epoch: before.epoch });
  });

  test('have the epoch that a welcome told them after a crash, too, before any frame of theirs is on disk', async () => {
    const dir = await folder();
    const journal = await open(dir);
    const { epoch } = connect(journal, outboxId(1));
    expect(connect(journal, outboxId(1))).toMatchObject({ seq: 0, epoch });
    const again = await open(await crashed(dir));
    expect(connect(again, outboxId(1))).toMatchObject({ seq: 0, epoch });
  });

  test('a frame of one does not count as a duplicate of the other with the same number', async () => {
    const journal = await open(await folder());
    const [one, two] = [connect(journal, outboxId(1)), connect(journal, outboxId(2))];
    journal.append(one.connection, 1, text('one'), 1, 1);
    journal.append(two.connection, 1, text('two'), 1, 1);
    await journal.flush();
    expect(journal.ledger()).toMatchObject({ received: 2, duplicates: 0, pending: 2 });
    expect([one.connection.acked, two.connection.acked]).toEqual([1, 1]);
  });

  test('a refused frame moves them too, and survives a crash as a stored one does', async () => {
    const dir = await folder();
    const journal = await open(dir);
    const { connection, epoch } = connect(journal, outboxId(1));
    journal.reject(connection, 1, letter('a'));
    await journal.flush();
    const again = await open(await crashed(dir));
    expect(connect(again, outboxId(1))).toMatchObject({ seq: 1, epoch });
  });

  test('outlive the blocks that brought them', async () => {
    const dir = await folder();
    const journal = await open(dir, { tailRetentionBytes: 0, tailRetentionMs: 0 });
    const { connection, epoch } = connect(journal, outboxId(1));
    journal.append(connection, 1, text('one'), 1, 1);
    await journal.flush();
    await journal.settle(stored(1, 1));
    expect(journal.tail()).toBe(1);
    const again = await open(await crashed(dir));
    expect(connect(again, outboxId(1))).toMatchObject({ seq: 1, epoch });
  });

  test('go on after the journal was opened anew, also where nothing was on disk yet', async () => {
    const dir = await folder();
    const journal = await open(dir);
    const { connection } = connect(journal, outboxId(1));
    await journal.close();
    const again = await open(dir);
    // A connection that has its welcome from before.
    again.append(connection, 1, text('one'), 1, 1);
    await again.flush();
    expect(connect(again, outboxId(1))).toMatchObject({ seq: 1, epoch: connection.outbox.epoch });
  });

  test('check tells how many there are', async () => {
    const dir = await folder();
    const journal = await open(dir);
    for (const n of [1, 2, 3]) await send(journal, outboxId(n));
    await journal.close();
    expect(checkJournal(dir)).toMatchObject({
      sound: true,
      deviceNumbers: { snapshot: 'readable', devices: 1, outboxes: 3 },
    });
  });
});

describe('a device with more outboxes than are remembered', () => {
  test('the one that was used least recently meets another epoch, and begins at 0', async () => {
    const journal = await open(await folder());
    const epochs = new Map<number, string>();
    for (let n = 0; n < LIMITS.outboxesPerDevice; n++) {
      await send(journal, outboxId(n));
      epochs.set(n, connect(journal, outboxId(n)).epoch);
    }
    await send(journal, outboxId(0));
    await send(journal, outboxId(100));
    expect(connect(journal, outboxId(0))).toMatchObject({ seq: 2, epoch: epochs.get(0) });
    const forgotten = connect(journal, outboxId(1));
    expect(forgotten.seq).toBe(0);
    expect(forgotten.epoch).not.toBe(epochs.get(1));
  });

  test('after a crash that one is forgotten that was used least recently before it', async () => {
    const dir = await folder();
    const journal = await open(dir);
    for (let n = 0; n < LIMITS.outboxesPerDevice; n++) await send(journal, outboxId(n));
    await send(journal, outboxId(0));
    const again = await open(await crashed(dir));
    await send(again, outboxId(100));
    expect(connect(again, outboxId(0)).seq).toBe(2);
    expect(connect(again, outboxId(1)).seq).toBe(0);
  });

  test('one that connects and sends nothing pushes out none', async () => {
    const journal = await open(await folder());
    for (let n = 0; n < LIMITS.outboxesPerDevice; n++) await send(journal, outboxId(n));
    for (let n = 100; n < 200; n++) expect(connect(journal, outboxId(n)).seq).toBe(0);
    expect(connect(journal, outboxId(0)).seq).toBe(1);
  });

  test('is told the same after every crash: what is remembered by its epoch, what was forgotten by none', async () => {
    const action = fc.record({
      outbox: fc.nat(LIMITS.outboxesPerDevice + 3),
      frames: fc.array(fc.boolean(), { minLength: 1, maxLength: 3 }),
      next: fc.constantFrom('flush', 'flush', 'settle', 'crash', 'restart'),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 60 }), async (actions) => {
        const model = new OutboxModel();
        let dir = await folder();
        const options = { snapshotBytes: 400, blockBytes: 200, tailRetentionBytes: 0, tailRetentionMs: 0 };
        let journal = await openLocalJournal({ dir, ...options });
        for (const { outbox, frames, next } of actions) {
          // As the directory does: what earlier connections brought comes to the disk first.
          await journal.flush();
          model.compare(journal);
          const { connection, seq, epoch } = connect(journal, outboxId(outbox));
          for (const [i, good] of frames.entries()) {
            if (good) journal.append(connection, seq + 1 + i, text('a frame'), 1, 1);
            else journal.reject(connection, seq + 1 + i, letter('a'));
          }
          model.used(outbox, epoch, seq + frames.length);
          await journal.flush();
          if (next === 'settle') {
            const from = journal.settledPosition();
            await journal.settle(stored(journal.head(), journal.head() - from, from));
          } else if (next === 'restart') {
            await journal.close();
            journal = await openLocalJournal({ dir, ...options });
          } else if (next === 'crash') {
            const copy = await crashed(dir);
            await journal.close();
            dir = copy;
            journal = await openLocalJournal({ dir, ...options });
          }
        }
        await journal.flush();
        model.compare(journal);
        await journal.close();
        expect(checkJournal(dir)).toMatchObject({ sound: true });
      }),
      { numRuns: 40 },
    );
  }, 60_000);
});

/** What each outbox was told last, the least recently used first. */
class OutboxModel {
  readonly #told = new Map<number, { epoch: string; seq: number }>();

  used(outbox: number, epoch: string, seq: number): void {
    this.#told.delete(outbox);
    this.#told.set(outbox, { epoch, seq });
  }

  compare(journal: LocalJournal): void {
    const all = [...this.#told];
    const remembered = all.slice(-LIMITS.outboxesPerDevice);
    for (const [outbox, told] of remembered) expect(connect(journal, outboxId(outbox))).toMatchObject(told);
    for (const [outbox, { epoch }] of all.slice(0, -LIMITS.outboxesPerDevice)) {
      const again = connect(journal, outboxId(outbox));
      expect(again.seq).toBe(0);
      expect(again.epoch).not.toBe(epoch);
    }
  }
}
