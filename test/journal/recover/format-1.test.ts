import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { open as openLmdb } from 'lmdb';
import { NO_READINGS } from '../../../src/core/index.ts';
import { openBlock } from '../../../src/journal/local/format/block.ts';
import { FORMAT } from '../../../src/journal/local/lmdb/format.ts';
import { Connection, folder, framesFrom, letter, open, stored, text } from '../harness.ts';

/**
 * A block of version 1 as the first release wrote it: frames "one" (3 readings) and "three" (5) of a by
 * WebSocket, with numbers 1 and 3, and "two" (4) of b by HTTP between them.
 */
const BLOCK = Buffer.from(
  '4d524a4201004000f6816a8564000000000000000000000000008056febc7842000000000000284003000000020000005800' +
    '0000000000000000000000000000000003036f6e650202040374776f01010605057468726565000102020161010100010162',
  'hex',
);

/** The rest of that journal; its last three counts had no transports at first. */
const COUNTS = {
  received: { ws: 109, http: 4, mqtt: 0 },
  duplicates: { ws: 10, http: 0, mqtt: 0 },
  rejected: { ws: 1, http: 0, mqtt: 0 },
};
const NONE = NO_READINGS;
const STATE = {
  head: 3,
  tail: 0,
  settled: 0,
  blockBytes: 100,
  pendingBytes: 100,
  snapshot: { position: 0, bytes: 0, blockBytesSince: 0 },
  letters: { oldest: 4, next: 6, bytes: 290 },
};

function letterOf(kind: string): object {
  const words = { code: 'frame_truncated', message: 'it ends early', kind };
  return { device: 'a', transport: 'ws', atMs: Date.now(), ...words, bytes: text('bad'), size: 145 };
}

async function format1(counts: object): Promise<string> {
  const dir = await folder();
  const root = openLmdb({ path: join(dir, 'journal.lmdb'), overlappingSync: false });
  const meta = root.openDB({ name: 'meta', encoding: 'json', useVersions: true });
  await meta.put('format', { version: 1, epoch: 'of-format-1', createdMs: 1 });
  await meta.put('state', { ...STATE, counts });
  await meta.put('writer', { pid: 1, sinceMs: 1 }, 1);
  await root.openDB({ name: 'blocks', encoding: 'binary' }).put(0, BLOCK);
  await root.openDB('letters', {}).put(4, letterOf('rejected'));
  await root.openDB('letters', {}).put(5, letterOf('deadLettered'));
  await root.close();
  return dir;
}

describe('a journal of format 1', () => {
  test('is read whole: frames, numbers, books and dead letters', async () => {
    const counts = { ...COUNTS, stored: 88, deadLettered: 2, expired: 0 };
    const journal = await open(await format1(counts));
    expect(journal.epoch).toBe('of-format-1');
    expect(framesFrom(journal)).toMatchObject([
      { device: 'a', seq: 1, transport: 'ws', readings: 3, text: 'one' },
      { device: 'b', seq: 1, transport: 'http', readings: 4, text: 'two' },
      { device: 'a', seq: 3, transport: 'ws', readings: 5, text: 'three' },
    ]);
    expect(journal.deviceSeq('a')).toBe(3);
    expect(journal.read(0)?.readingsByTransport()).toEqual({ ws: 8, http: 4, mqtt: 0 });
    expect(journal.ledger()).toMatchObject({ received: 113, stored: 88, deadLettered: 2, pending: 12 });
    expect(journal.ledger().byTransport).toMatchObject({
      ws: { stored: 88, deadLettered: 2, pending: 8 },
      http: { pending: 4 },
    });
    expect(journal.deadLetters(10)).toMatchObject([
      { id: '5', kind: 'deadLettered', readings: 0, seq: null, position: null },
      { id: '4', kind: 'rejected', readings: 1, seq: null, position: null },
    ]);
  });

  test('is read with counts by transport too, and goes on as the present format', async () => {
    const dir = await format1({ ...COUNTS, stored: { ...NONE, ws: 90 }, deadLettered: NONE, expired: NONE });
    const journal = await open(dir);
    journal.append(new Connection('a'), 4, text('four'), 6, 1);
    await journal.flush();
    await journal.settle(stored(3, 0));
    await journal.close();
    const copy = await folder();
    await cp(dir, copy, { recursive: true, filter: (path) => !path.endsWith('-lock') });
    const root = openLmdb({ path: join(copy, 'journal.lmdb') });
    const meta = root.openDB({ name: 'meta', encoding: 'json', useVersions: true });
    expect(meta.get('format')).toMatchObject({ version: FORMAT, epoch: 'of-format-1' });
    await root.close();
    const again = await open(dir);
    expect(again.ledger()).toMatchObject({ received: 119, stored: 90, pending: 18 });
    expect(framesFrom(again).at(-1)).toMatchObject({ position: 3, seq: 4 });
  });

  test('knows which of its dead letters were never acknowledged: they go first', async () => {
    const counts = { ...COUNTS, stored: 88, deadLettered: 2, expired: 0 };
    const journal = await open(await format1(counts), { maxDeadLetters: 2 });
    journal.append(new Connection('a'), 4, text('four'), 6, 1);
    await journal.flush();
    const refused = { ...letter('a', text('four')), position: 3 };
    await journal.settle({ ...stored(4, 0), deadLetters: [refused] });
    expect(journal.deadLetters(10)).toMatchObject([
      { id: '6', kind: 'deadLettered' },
      { id: '5', kind: 'deadLettered' },
    ]);
  });

  test('its blocks are of their own version', () => {
    expect(openBlock(BLOCK, 0).devices()).toMatchObject([
      { device: 'a', lastSeq: 3, frames: 2, replayed: false },
      { device: 'b', lastSeq: 1, frames: 1, replayed: false },
    ]);
  });
});
