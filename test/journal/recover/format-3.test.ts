import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { open as openLmdb } from 'lmdb';
import { checkJournal } from '../../../src/journal/index.ts';
import { FORMAT } from '../../../src/journal/local/lmdb/format.ts';
import { Connection, folder, framesFrom, open, text } from '../harness.ts';

/** A block of version 2 as format 3 had it: frame "one" (3 readings) of a, and "two" (4) of b. */
const BLOCK = Buffer.from(
  '4d524a4202004000d84dec9d5c000000000000000000000000008056febc78420000000000001c4002000000020000004e00' +
    '0000000000000000000000000000000003036f6e650202040374776f0001000103016100010001040162',
  'hex',
);
/** The snapshot of version 1 that a clean end left behind that block. */
const SNAPSHOT = Buffer.from(
  '4d524a4401000000396bb5cc0200000000000000000000400161000000000000f03f0162000000000000f03f',
  'hex',
);
const NONE = { ws: 0, http: 0, mqtt: 0 };
/** The checksum is over these members in this order. */
const STATE = {
  ...{ head: 2, tail: 0, settled: 0, blockBytes: 92, pendingBytes: 92 },
  snapshot: { position: 0, bytes: 0, blockBytesSince: 92 },
  letters: {
    ...{ count: 0, oldestMs: null, dropped: 0, droppedAcked: 0, rejected: { oldest: 0, count: 0 } },
    ...{ oldest: 0, next: 0, bytes: 0 },
  },
  contents: { oldest: 0, next: 0, frames: 0 },
  counts: {
    ...{ received: { ws: 7, http: 0, mqtt: 0 }, stored: NONE, duplicates: NONE },
    ...{ rejected: NONE, deadLettered: NONE, expired: NONE },
  },
  crc: 2_016_887_240,
};

async function format3(snapshot: Buffer | null): Promise<string> {
  const dir = await folder();
  const root = openLmdb({ path: join(dir, 'journal.lmdb'), overlappingSync: false });
  const meta = root.openDB({ name: 'meta', encoding: 'json', useVersions: true });
  await meta.put('format', { version: 3, epoch: 'of-format-3', createdMs: 1 });
  await meta.put('state', STATE);
  await meta.put('writer', { pid: 1, sinceMs: 1 }, 1);
  await root.openDB({ name: 'blocks', encoding: 'binary' }).put(0, BLOCK);
  const devices = root.openDB({ name: 'devices', encoding: 'binary' });
  if (snapshot !== null) await devices.put('snapshot', snapshot);
  await root.openDB({ name: 'cursors', encoding: 'json' }).put('c', 7);
  await root.openDB('letters', {}).put(0, {});
  await root.openDB('letters', {}).remove(0);
  await root.close();
  return dir;
}

test.each([
  ['that was killed', null],
  ['that ended cleanly', SNAPSHOT],
])('a journal of format 3 %s goes on with its numbers, and with outboxes', async (_how, snapshot) => {
  const dir = await format3(snapshot);
  expect(checkJournal(dir)).toMatchObject({ sound: true, format: 3, frames: 2 });
  const journal = await open(dir);
  expect(['a', 'b', 'c'].map((device) => journal.deviceSeq(device))).toEqual([1, 1, 7]);
  const outbox = journal.outbox('a', 'outbox-of-a-unit');
  expect(outbox.epoch).toMatch(/^of-format-3\../);
  journal.append(Object.assign(new Connection('a'), { outbox }), 1, text('three'), 1, 1);
  journal.append(new Connection('a'), 2, text('four'), 1, 1);
  await journal.close();
  expect(checkJournal(dir)).toMatchObject({ sound: true, format: FORMAT, frames: 4 });
  const again = await open(dir);
  expect(framesFrom(again).map((frame) => frame.text)).toEqual(['one', 'two', 'three', 'four']);
  expect(again.deviceSeq('a')).toBe(2);
  expect(again.outbox('a', 'outbox-of-a-unit')).toEqual(outbox);
  expect(again.deviceSeq('a', outbox)).toBe(1);
});
