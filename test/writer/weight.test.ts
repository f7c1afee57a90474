import { beforeEach, expect, test } from '@jest/globals';
import { LIMITS } from '../../src/core/index.ts';
import { WriteBatch } from '../../src/writer/batch.ts';
import { vehicleFrame } from '../fixtures/vehicle-frames.ts';
import { Bench } from './harness.ts';

const bench = new Bench();

const READINGS = 1_000;
const TAGS = 5;
/** The longest tags with which the guard takes so many readings. */
const MOST_BYTES = Math.floor(LIMITS.maxRepeatedTextBytes / READINGS / TAGS);

let seq = 0;
beforeEach(() => {
  seq = 0;
});
async function append(tagBytes: number, device = 'truck'): Promise<number> {
  const readings = Array.from({ length: READINGS }, (_, i) => ({
    timeMs: 1_700_000_000_000 + seq * READINGS + i,
    value: i,
  }));
  const origin = { device, transport: 'ws', onDurable: () => {}, onFailed: () => {} } as const;
  bench.journal.append(origin, ++seq, vehicleFrame(readings, tagBytes), READINGS, Date.now());
  await bench.journal.flush();
  return bench.journal.head() - 1;
}

test('a batch is full when its frames repeat as much text as is meant for one, however few their bytes and rows', async () => {
  const frames = 10;
  for (let i = 0; i < frames; i++) await append(MOST_BYTES);
  const batch = new WriteBatch(bench.registry, 0);
  let taken = 0;
  for (let at = 0; at < frames; at++) {
    for (const frame of bench.journal.read(at)?.frames(at) ?? []) {
      if (batch.full(LIMITS.storeBatchRows)) break;
      expect(batch.add({ ...frame, start: 0, end: frame.bytes.length })).toBe(true);
      taken++;
      break;
    }
  }
  expect(taken).toBeLessThan(frames);
  expect(batch.textBytes).toBe(taken * MOST_BYTES * READINGS * TAGS);
  expect(batch.textBytes).toBeLessThan(LIMITS.storeBatchTextBytes + LIMITS.maxRepeatedTextBytes);
  expect(batch.readings).toBe(taken * READINGS);
});

test('a frame that the journal has, although the guard would refuse it by now, becomes a dead letter without being stored', async () => {
  await append(MOST_BYTES);
  const heavy = await append(2 * MOST_BYTES);
  await append(MOST_BYTES);
  await bench.startWriter();
  await bench.settled();
  expect(bench.journal.deadLetters(10).map(({ position, code }) => [position, code])).toEqual([
    [heavy, 'frame_too_heavy'],
  ]);
  expect(bench.journal.ledger()).toMatchObject({
    received: 3 * READINGS,
    stored: 2 * READINGS,
    deadLettered: READINGS,
    pending: 0,
  });
});
