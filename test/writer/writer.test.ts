import { expect, test } from '@jest/globals';
import { LIMITS, MillraceError } from '../../src/core/index.ts';
import { until } from '../fixtures/until.ts';
import { Bench, replaced } from './harness.ts';

const bench = new Bench();
const away = (): never => {
  throw new MillraceError('store_unavailable', 'away');
};

test('what is journaled before and after the start gets into the store and is settled', async () => {
  await bench.append(3);
  await bench.startWriter();
  await bench.append(4);
  await bench.settled();
  expect((await bench.rows()).length).toBe(14);
  expect(bench.journal.ledger()).toMatchObject({ received: 14, stored: 14, pending: 0 });
});

test('a store that fails is tried again until it takes the batch, and nothing counts twice', async () => {
  let left = 3;
  bench.hindered.before = () => (left-- > 0 ? away() : undefined);
  await bench.startWriter();
  await bench.append(5);
  await bench.settled();
  expect(bench.failures).toEqual(['store_unavailable', 'store_unavailable', 'store_unavailable']);
  expect(bench.journal.ledger()).toMatchObject({ received: 10, stored: 10 });
  expect((await bench.rows()).length).toBe(10);
});

test('while the circuit is open the store is asked, not sent batches, and says in the status why', async () => {
  let tries = 0;
  let isAway = true;
  bench.hindered.before = () => {
    tries++;
    if (isAway) away();
  };
  bench.hindered.beforeProbe = () => (isAway ? away() : undefined);
  const writer = await bench.startWriter();
  expect(writer.status()).toMatchObject({ state: 'running', circuit: 'closed', retryInMs: null });
  await bench.append(5);
  await until('many probes', () => bench.hindered.probes >= 20);
  expect(tries).toBe(3);
  expect(writer.status()).toMatchObject({ state: 'waiting', reason: 'away', pendingReadings: 10 });
  expect(writer.status().circuit).not.toBe('closed');
  expect(writer.status().retryInMs).not.toBeNull();

  isAway = false;
  await bench.settled();
  expect(tries).toBe(4);
  expect(writer.status()).toMatchObject({
    state: 'running',
    circuit: 'closed',
    reason: null,
    retryInMs: null,
    pendingReadings: 0,
    oldestPendingAgeMs: null,
  });
});

test('after an outage full batches go back to back, in order, the next one decoded while one is written', async () => {
  await bench.append(160, 1_000);
  const overlaps: boolean[] = [];
  let writing = false;
  const reads: number[] = [];
  const journal = replaced(bench.journal, {
    read: (position: number) => {
      const block = bench.journal.read(position);
      if (block === undefined) return undefined;
      return replaced(block, {
        walk: (from?: number) => {
          const cursor = block.walk(from);
          return replaced(cursor, {
            next: () => {
              const more = cursor.next();
              if (writing && more) reads.push(cursor.position);
              return more;
            },
          });
        },
      });
    },
  });
  bench.hindered.before = async () => {
    writing = true;
    await until('the next batch is read', () => reads.length > 0 || bench.hindered.writes.length >= 2, 2_000);
    overlaps.push(reads.length > 0);
    reads.length = 0;
    writing = false;
  };
  await bench.startWriter({ journal });
  await bench.settled();
  expect(bench.hindered.writes[0]).toBe(LIMITS.storeBatchStepRows);
  expect(bench.hindered.writes.reduce((a, b) => a + b)).toBe(160_000);
  expect(overlaps.slice(0, 2)).toEqual([true, true]);
  expect((await bench.rows()).length).toBe(160_000);
});

test('catching up leaves the event loop to others, many times per batch', async () => {
  await bench.append(200, 1_000);
  let turns = 0;
  let turnsBefore: number | null = null;
  const count = (): void => {
    turns++;
    if (turnsBefore === null) setImmediate(count);
  };
  bench.hindered.before = () => {
    turnsBefore ??= turns;
  };
  count();
  await bench.startWriter();
  await bench.settled();
  // Nothing but filling columns is under way until the first batch is written.
  expect(bench.hindered.writes[0]).toBeGreaterThanOrEqual(50_000);
  expect(turnsBefore).toBeGreaterThan(5);
});

test('a crash between the store’s commit and the journal’s record counts the readings once', async () => {
  await bench.append(5);
  const killed = replaced(bench.journal, { settle: () => Promise.reject(new Error('killed')) });
  const first = await bench.startWriter({ journal: killed });
  await until('the store has it', () => bench.hindered.writes.length > 0 && bench.inner.position() !== null);
  await first.stop(0);
  expect(bench.journal.ledger()).toMatchObject({ stored: 0, pending: 10 });

  bench.hindered.writes.length = 0;
  await bench.startWriter();
  expect(bench.journal.ledger()).toMatchObject({ received: 10, stored: 10, pending: 0 });
  await bench.append(1);
  await bench.settled();
  expect(bench.hindered.writes).toEqual([2]);
  expect((await bench.rows()).length).toBe(12);
});

test('a refused point becomes a dead letter with its frame, and the rest is stored', async () => {
  bench.hindered.refuse = true;
  await bench.append(4);
  await bench.startWriter();
  await bench.settled();
  expect(bench.journal.ledger()).toMatchObject({ received: 8, stored: 7, deadLettered: 1, pending: 0 });
  expect(bench.journal.deadLetters(10)).toMatchObject([
    { kind: 'deadLettered', device: 'a', code: 'store_refused', message: 'refused', position: 0 },
  ]);
});

test('a stop does not wait for a store that is away: the rest stays in the journal', async () => {
  bench.hindered.before = away;
  const writer = await bench.startWriter({ random: () => 1 });
  await bench.append(2);
  await until('a failure', () => bench.failures.length > 0);
  await writer.stop(0);
  expect(bench.journal.ledger()).toMatchObject({ received: 4, stored: 0, pending: 4 });
});

test('a stop ends at its deadline, however much is left to write', async () => {
  let tooLate = 0;
  bench.hindered.before = () => {
    if (bench.hindered.writes.length > 0) tooLate++;
  };
  await bench.append(80, 1_000);
  const writer = await bench.startWriter();
  await until('the first batch', () => bench.hindered.writes.length > 0);
  await writer.stop(0);
  expect(tooLate).toBe(0);
  const { received, stored, pending } = bench.journal.ledger();
  expect({ received, stored, pending }).toEqual({ received: 80_000, stored: 50_000, pending: 30_000 });
});

test('a stop with grace writes what the journal holds', async () => {
  const writer = await bench.startWriter();
  await bench.append(30, 1_000);
  await writer.stop(20_000);
  expect(bench.journal.ledger()).toMatchObject({ received: 30_000, stored: 30_000 });
});

test('a journal that cannot be read stops the writer, not the process; it says so, and goes on when it can', async () => {
  await bench.append(1);
  let damaged = true;
  const journal = replaced(bench.journal, {
    read: (position: number) => {
      if (damaged) throw new MillraceError('journal_corrupt', 'damaged');
      return bench.journal.read(position);
    },
  });
  const writer = await bench.startWriter({ journal });
  await until('the fault', () => writer.status().state === 'failed');
  expect(writer.status().reason).toBe('damaged');
  damaged = false;
  await bench.settled();
  await until('it runs again', () => writer.status().state === 'running');
});
