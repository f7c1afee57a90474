import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { LIMITS, MillraceError, type ColumnBatch } from '../../src/core/index.ts';
import type { Store } from '../../src/store/index.ts';
import { Isolation } from '../../src/writer/isolation.ts';
import { otherFrame, type Suspects, suspectsAfter, type WriteAttempt } from '../../src/writer/suspects.ts';
import { until } from '../fixtures/until.ts';
import { Bench, replaced } from './harness.ts';

const bench = new Bench();

/** As InfluxDB's answer with a status. */
class Answered extends MillraceError {
  readonly status: number;
  constructor(status: number) {
    super('store_unavailable', `the server answered ${status}`);
    this.status = status;
  }
}

const holds = (batches: readonly ColumnBatch[], device: string): boolean =>
  batches.some((batch) => batch.device.slice(0, batch.rows).includes(device));

/** The store with an answer of its own before some writes: null lets one through. */
function answering(answer: (batches: readonly ColumnBatch[]) => Error | null): {
  store: Store;
  failed: number;
} {
  const state = {
    failed: 0,
    store: replaced(bench.inner, {
      write: async (batches, position) => {
        const error = answer(batches);
        if (error === null) return bench.inner.write(batches, position);
        state.failed++;
        throw error;
      },
    }),
  };
  return state;
}

async function appendAround(bad: number): Promise<void> {
  await bench.append(40, 2);
  await bench.append(bad, 2, { device: 'bad' });
  await bench.append(60, 2);
}

describe('a frame that the store answers with a 5xx again and again', () => {
  test.each([500, 502, 503, 504])(
    'of status %d becomes a dead letter, and all others are stored',
    async (status) => {
      await appendAround(1);
      const { store } = answering((batches) => (holds(batches, 'bad') ? new Answered(status) : null));
      await bench.startWriter({ store });
      await bench.settled();
      const letters = bench.journal.deadLetters(10);
      expect(letters.map(({ device, code, position }) => [device, code, position])).toEqual([
        ['bad', 'store_refused', 40],
      ]);
      expect(letters[0]?.message).toContain(`the server answered ${status}`);
      expect(bench.journal.ledger()).toMatchObject({
        received: 202,
        stored: 200,
        deadLettered: 2,
        pending: 0,
      });
      expect(await bench.rows()).toHaveLength(200);
    },
  );

  test.each([
    ['the first', 0, 5],
    ['the last', 5, 0],
  ])('is found where it is %s in the journal', async (_, before, behind) => {
    await bench.append(before, 2);
    await bench.append(1, 2, { device: 'bad' });
    await bench.append(behind, 2);
    const { store } = answering((batches) => (holds(batches, 'bad') ? new Answered(500) : null));
    await bench.startWriter({ store });
    await bench.settled();
    expect(bench.journal.ledger()).toMatchObject({ stored: 10, deadLettered: 2, pending: 0 });
  });

  test('is given up also among others like it, of which the store takes none', async () => {
    await appendAround(6);
    const { store } = answering((batches) => (holds(batches, 'bad') ? new Answered(500) : null));
    await bench.startWriter({ store });
    await bench.settled();
    expect(bench.journal.ledger()).toMatchObject({ stored: 200, deadLettered: 12, pending: 0 });
  });

  test('is kept while it is the only one, as nothing tells whether the store takes others', async () => {
    await bench.append(1, 2, { device: 'bad' });
    const state = answering((batches) => (holds(batches, 'bad') ? new Answered(500) : null));
    await bench.startWriter({ store: state.store });
    await until('many failures', () => state.failed > 3 * LIMITS.storeFaultsToGiveUp);
    expect(bench.journal.ledger()).toMatchObject({ pending: 2, deadLettered: 0 });
    await bench.append(1, 2);
    await bench.settled();
    expect(bench.journal.ledger()).toMatchObject({ stored: 2, deadLettered: 2, pending: 0 });
  });
});

describe('an outage gives up no frame', () => {
  const manyFailures = 12 * LIMITS.storeFaultsToGiveUp;

  test.each<[string, () => Error]>([
    ['answers each write with 500, though not the probe', () => new Answered(500)],
    ['answers each write with 503, though not the probe', () => new Answered(503)],
    ['is not there', () => new MillraceError('store_unavailable', 'no connection')],
    ['refuses the token', () => new Answered(401)],
    ['asks for patience', () => new Answered(429)],
  ])('of a store that %s', async (_, error) => {
    await appendAround(3);
    let away = true;
    const state = answering((batches) => (away && batches.length > 0 ? error() : null));
    await bench.startWriter({ store: state.store });
    await until('many failures', () => state.failed > manyFailures);
    expect(bench.journal.ledger()).toMatchObject({ deadLettered: 0, pending: 206 });
    away = false;
    await bench.settled();
    expect(bench.journal.ledger()).toMatchObject({ stored: 206, deadLettered: 0, pending: 0 });
  });

  test('that ends while a frame is about to be given up', async () => {
    await appendAround(1);
    let tried = 0;
    // It fails one frame alone as often as it takes to charge it, and is well when another one is tried.
    const state = answering((batches) => {
      if (tried > LIMITS.storeFaultsToGiveUp) return null;
      const [first] = batches;
      if (first?.position[0] === 0) tried += first.rows === 2 ? 1 : 0;
      return first === undefined ? null : new Answered(500);
    });
    await bench.startWriter({ store: state.store });
    await bench.settled();
    expect(tried).toBeGreaterThan(LIMITS.storeFaultsToGiveUp);
    expect(bench.journal.ledger()).toMatchObject({ stored: 202, deadLettered: 0, pending: 0 });
  });

  test('that the store tells of, interrupted for as long as it takes to store another frame', async () => {
    await bench.append(2, 2);
    let calls = 0;
    let callsAfter = 0;
    let isOther = false;
    const answer = (): void => {
      const away = isOther ? callsAfter++ < 8 : calls++ < 4 * LIMITS.storeFaultsToGiveUp;
      if (away) throw new Answered(503);
    };
    const store = replaced(bench.inner, {
      probe: async () => answer(),
      write: async (batches, position) => {
        answer();
        const refused = await bench.inner.write(batches, position);
        isOther ||= batches[0]?.position[0] === 1;
        return refused;
      },
    });
    // It is tried alone from the beginning.
    const suspects = { from: 0, to: 1, ends: 1, how: 'ended', trials: 0, proven: false };
    await bench.startWriter({ store, suspects });
    await bench.settled();
    expect(bench.journal.ledger()).toMatchObject({ stored: 4, deadLettered: 0, pending: 0 });
  });

  test('of a server that is restarting, whose probes fail between its answers', async () => {
    await appendAround(1);
    let calls = 0;
    const state = { failed: 0 };
    const store = replaced(bench.inner, {
      probe: async () => {
        if (calls++ % 3 === 0) throw new Answered(503);
      },
      write: async (batches, position) => {
        if (state.failed >= manyFailures) return bench.inner.write(batches, position);
        state.failed++;
        throw new Answered(500);
      },
    });
    await bench.startWriter({ store });
    await bench.settled();
    expect(bench.journal.ledger()).toMatchObject({ stored: 202, deadLettered: 0, pending: 0 });
  });
});

describe('after processes that ended while frames were written', () => {
  const alone = (at: number, ends: number, { trials = 0, proven = false } = {}): Suspects => ({
    from: at,
    to: at + 1,
    ends,
    how: 'the writer process ended with SIGKILL',
    trials,
    proven,
  });

  test('the next one begins with half of them, and tells what it hands to the store', async () => {
    await appendAround(1);
    const attempts: WriteAttempt[] = [];
    await bench.startWriter({
      suspects: { ...alone(0, 1), to: 32 },
      onAttempt: async (attempt) => {
        if (attempt !== null) attempts.push(attempt);
      },
    });
    await bench.settled();
    expect(attempts.slice(0, 3).map(({ first, next }) => [first, next])).toEqual([
      [0, 16],
      [16, 24],
      [24, 28],
    ]);
    expect(attempts.every(({ trial }) => !trial)).toBe(true);
  });

  test.each([
    ['before it', LIMITS.writerEndsToGiveUp - 1, 0, 39],
    ['behind it', LIMITS.writerEndsToGiveUp - 1, 1, 41],
    ['before it, however many ended when none had been taken', 20, 0, 39],
  ])('it is tried once more after a trial with the frame %s', async (_, ends, trials, other) => {
    await appendAround(1);
    const attempts: WriteAttempt[] = [];
    await bench.startWriter({
      suspects: alone(40, ends, { trials }),
      onAttempt: async (attempt) => {
        if (attempt !== null) attempts.push(attempt);
      },
    });
    await bench.settled();
    const at = attempts.findIndex(({ trial }) => trial);
    expect(attempts.slice(at, at + 2)).toEqual([
      { first: other, next: other + 1, trial: true, proven: false },
      { first: 40, next: 41, trial: false, proven: true },
    ]);
    expect(bench.journal.ledger()).toMatchObject({ stored: 202, deadLettered: 0, pending: 0 });
  });

  test('it is given up without another try where the last one ended after a trial', async () => {
    await appendAround(1);
    const attempts: WriteAttempt[] = [];
    await bench.startWriter({
      suspects: alone(40, LIMITS.writerEndsToGiveUp, { proven: true }),
      onAttempt: async (attempt) => {
        if (attempt !== null) attempts.push(attempt);
      },
    });
    await bench.settled();
    expect(attempts.some(({ trial }) => trial)).toBe(false);
    const letters = bench.journal.deadLetters(10);
    expect(letters.map(({ position }) => position)).toEqual([40]);
    expect(letters[0]?.message).toContain('ended with SIGKILL, 3 times in a row');
    expect(bench.journal.ledger()).toMatchObject({ stored: 200, deadLettered: 2, pending: 0 });
  });

  test('a frame at which fewer ended is written', async () => {
    await appendAround(1);
    await bench.startWriter({ suspects: alone(40, LIMITS.writerEndsToGiveUp - 1) });
    await bench.settled();
    expect(bench.journal.ledger()).toMatchObject({ stored: 202, deadLettered: 0 });
  });

  test('whichever frame ends them, it is found with few ends and given up alone', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 5_000 }), fc.nat(), (frames, nth) => {
        const bad = nth % frames;
        let suspects: Suspects | null = null;
        let settled = 0;
        let ends = 0;
        let given: number | null = null;
        while (settled < frames) {
          const isolation = new Isolation(suspects?.to);
          for (; settled < frames; isolation.taken()) {
            const next = Math.min(frames, settled + isolation.maxFramesFrom(settled));
            if (
              suspects?.ends === LIMITS.writerEndsToGiveUp &&
              next === settled + 1 &&
              suspects.from === settled
            ) {
              given = settled;
            } else if (bad >= settled && bad < next) {
              suspects = suspectsAfter(
                suspects,
                { first: settled, next, trial: false, proven: false },
                'ended',
              );
              ends++;
              break;
            }
            settled = next;
          }
        }
        expect(given).toBe(bad);
        expect(ends).toBeLessThanOrEqual(Math.ceil(Math.log2(frames)) + 1 + LIMITS.writerEndsToGiveUp);
      }),
    );
  });
});

test('trials take turns with the frame before and frames behind, further away each time', () => {
  const turns = (tail: number, head: number): (number | null)[] =>
    [0, 1, 2, 3, 4, 5].map((trial) =>
      otherFrame({ first: 40, next: 41 }, trial, { tail: () => tail, head: () => head }),
    );
  expect(turns(0, 100)).toEqual([39, 41, 42, 44, 48, 56]);
  expect(turns(0, 42)).toEqual([39, 41, 39, 41, 39, 41]);
  expect(turns(40, 45)).toEqual([41, 42, 44, 41, 42, 44]);
  expect(turns(40, 41)).toEqual([null, null, null, null, null, null]);
});
