import { DuckDBInstance } from '@duckdb/node-api';
import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { MillraceError } from '../../src/core/index.ts';
import { isOfTheStore } from '../../src/store/duckdb/file/failure.ts';
import { Isolation } from '../../src/writer/isolation.ts';
import { until } from '../fixtures/until.ts';
import { Bench } from './harness.ts';

const bench = new Bench();

/** Lets the table hold each time once: what DuckDB then refuses, it refuses with all that comes along. */
async function allowEachTimeOnce(file: string): Promise<void> {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  await connection.run(`ATTACH '${file}' AS stored`);
  await connection.run('CREATE UNIQUE INDEX once ON stored.points.environment ("time")');
  connection.closeSync();
  instance.closeSync();
}

test('of a batch that DuckDB refuses as a whole only the frame at fault becomes a dead letter', async () => {
  const first = await bench.startWriter();
  await bench.append(1, 2);
  await bench.settled();
  await first.stop(0);
  await bench.reopenStoreAfter(allowEachTimeOnce);

  await bench.append(300, 2);
  await bench.append(1, 2, { device: 'b' });
  await bench.append(200, 2);
  await bench.append(2, 2, { device: 'c' });
  await bench.append(100, 2);
  const writer = await bench.startWriter();
  await bench.settled();

  const letters = bench.journal.deadLetters(10);
  expect(letters.map(({ device, readings }) => [device, readings])).toEqual([
    ['c', 2],
    ['c', 2],
    ['b', 2],
  ]);
  for (const letter of letters) {
    expect(letter).toMatchObject({ code: 'store_refused', kind: 'deadLettered' });
    expect(letter.message).toMatch(/once|unique|duplicate/i);
  }
  expect(bench.journal.ledger()).toMatchObject({ stored: 1202, deadLettered: 6, pending: 0 });
  expect(await bench.rows()).toHaveLength(1202);
  expect(bench.inner.position()?.position).toBe(bench.journal.head());
  // Searched by halves, and the store was not taken to be away.
  expect(bench.hindered.writes.length).toBeLessThan(3 * 40);
  expect(bench.failures.every((kind) => kind === 'store_refused')).toBe(true);
  expect(writer.status()).toMatchObject({ state: 'running', circuit: 'closed', reason: null });
});

test('no frame is given up to a store that refuses even a write without points', async () => {
  let refuses = true;
  bench.hindered.before = () => {
    if (refuses) throw new MillraceError('store_refused', 'whatever it is');
  };
  const writer = await bench.startWriter();
  await bench.append(1, 2);
  await until('many refusals', () => bench.failures.length > 5);
  expect(writer.status()).toMatchObject({ state: 'waiting', reason: 'whatever it is' });
  refuses = false;
  await bench.settled();
  expect(bench.journal.ledger()).toMatchObject({ stored: 2, deadLettered: 0 });
});

test('whatever frames are bad, the search for them gives up those alone, and writes little more than all', () => {
  const bad = fc.uniqueArray(fc.nat(4_999), { maxLength: 40 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5_000 }), bad, (frames, poison) => {
      const isolation = new Isolation();
      const found: number[] = [];
      let writes = 0;
      let written = 0;
      for (let at = 0; at < frames;) {
        const size = Math.min(isolation.maxFramesFrom(at), frames - at);
        const inBatch = poison.filter((frame) => frame >= at && frame < at + size);
        writes++;
        written += size;
        if (inBatch.length > 0 && size > 1) {
          isolation.failed(at, at + size);
          continue;
        }
        found.push(...inBatch);
        isolation.taken();
        at += size;
      }
      const met = poison.filter((frame) => frame < frames).toSorted((a, b) => a - b);
      expect(found).toEqual(met);
      expect(writes).toBeLessThanOrEqual(1 + met.length * 3 * 14);
      expect(written).toBeLessThanOrEqual(frames + met.length * 8 * frames);
    }),
  );
});

test.each([
  [
    'IO Error: Could not write all bytes to file "points.duckdb.wal": wanted=4096 wrote=0: No space left on device',
  ],
  ['Failed to append: Could not write file "points.duckdb": No space left on device'],
  ['Out of Memory Error: failed to pin block of size 256.0 KiB (953.6 MiB/953.6 MiB used)'],
  ['TransactionContext Error: Failed to commit: Could not fsync file'],
  ['FATAL Error: Failed: database has been invalidated because of a previous fatal error.'],
  ['INTERNAL Error: Attempted to access index 3 within vector of size 2'],
])('%s: the store is at fault, not the frames', (message) => {
  expect(isOfTheStore(new Error(message))).toBe(true);
});

test.each([
  ['Failed to append: NOT NULL constraint failed: m.a Error'],
  ['Constraint Error: Duplicate key "time: 1970-01-01 00:00:01" violates unique constraint'],
  ['Conversion Error: Could not convert string "x" to INT64'],
  ['Failed to append: Failed to cast value'],
  [
    'TransactionContext Error: Failed to commit: PRIMARY KEY or UNIQUE constraint violation: duplicate key "1"',
  ],
])('%s: the frames are at fault', (message) => {
  expect(isOfTheStore(new Error(message))).toBe(false);
});
