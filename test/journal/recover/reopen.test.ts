import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { open as openLmdb, type Database } from 'lmdb';
import { openLocalJournal } from '../../../src/journal/index.ts';
import { FORMAT } from '../../../src/journal/local/lmdb/format.ts';
import { Connection, folder, framesFrom, letter, open, text } from '../harness.ts';

/** Changes a closed journal's files behind its back. */
async function tamper(
  dir: string,
  change: (openDB: (name: string, encoding: 'json' | 'binary') => Database) => Promise<unknown>,
) {
  const root = openLmdb({ path: join(dir, 'journal.lmdb'), overlappingSync: false });
  await change((name, encoding) => root.openDB({ name, encoding, useVersions: name === 'meta' }));
  await root.close();
}

async function filled(): Promise<string> {
  const dir = await folder();
  const journal = await open(dir, { blockBytes: 100 });
  const device = new Connection('a');
  for (let seq = 1; seq <= 20; seq++) journal.append(device, seq, text(`frame ${seq}`), 1, seq);
  await journal.flush();
  await journal.close();
  return dir;
}

describe('opening again', () => {
  test('goes on where it was: epoch, positions, frames, numbers, books', async () => {
    const dir = await filled();
    const first = await open(dir);
    const { epoch } = first;
    expect(first.head()).toBe(20);
    const device = new Connection('a');
    first.append(device, 21, text('frame 21'), 1, 21);
    await first.close();
    const second = await open(dir);
    expect(second.epoch).toBe(epoch);
    expect(framesFrom(second).map((frame) => frame.text)).toEqual(
      Array.from({ length: 21 }, (_, i) => `frame ${i + 1}`),
    );
    expect(second.ledger()).toMatchObject({ received: 21, pending: 21 });
    expect(second.deviceSeq('a')).toBe(21);
    const { epoch: other } = await open(await folder());
    expect(other).not.toBe(epoch);
  });

  test('a copy of the files taken between commits is a whole journal, without its close', async () => {
    const dir = await folder();
    const journal = await open(dir, { snapshotBytes: 300 });
    const [a, b, c] = [new Connection('a'), new Connection('b'), new Connection('c')];
    for (let seq = 1; seq <= 10; seq++) {
      for (const device of [a, b]) journal.append(device, seq, text(`${device.device}${seq}`), 1, 1);
      journal.reject(c, seq, letter('c'));
      await journal.flush();
    }
    journal.reject(c, 11, letter('c'));
    await journal.flush();
    const copy = await folder();
    await cp(dir, copy, { recursive: true, filter: (path) => !path.endsWith('-lock') });
    const again = await open(copy);
    expect(again.epoch).toBe(journal.epoch);
    expect(['a', 'b', 'c', 'd'].map((device) => again.deviceSeq(device))).toEqual([10, 10, 11, 0]);
    expect(framesFrom(again)).toEqual(framesFrom(journal));
    expect(again.ledger()).toEqual(journal.ledger());
    expect(again.deadLetters(100)).toEqual(journal.deadLetters(100));
  });

  test('a damaged block is reported with its position when it is read; the others stay readable', async () => {
    const dir = await filled();
    let position = -1;
    await tamper(dir, async (openDB) => {
      const blocks = openDB('blocks', 'binary');
      const keys = [...blocks.getKeys()] as number[];
      position = keys[1] ?? -1;
      const bytes = Buffer.from(blocks.get(position) as Buffer);
      bytes[80] = (bytes[80] ?? 0) ^ 1;
      await blocks.put(position, bytes);
    });
    const journal = await open(dir);
    expect(() => journal.read(position)).toThrow(
      expect.objectContaining({
        code: 'journal_corrupt',
        message: expect.stringContaining(`position ${position}`),
      }),
    );
    expect([...(journal.read(0)?.frames() ?? [])]).toHaveLength(position);
    expect(journal.read(19)).toBeDefined();
    expect(journal.head()).toBe(20);
  });

  test('a lost block that device numbers depend on refuses to open and names its position', async () => {
    const dir = await folder();
    const journal = await open(dir);
    journal.append(new Connection('a'), 1, text('one'), 1, 1);
    await journal.flush();
    const copy = await folder();
    await cp(dir, copy, { recursive: true, filter: (path) => !path.endsWith('-lock') });
    await tamper(copy, (openDB) => openDB('blocks', 'binary').remove(0));
    await expect(openLocalJournal({ dir: copy })).rejects.toMatchObject({
      code: 'journal_corrupt',
      message: expect.stringContaining('position 0'),
    });
  });

  test('a journal of a newer version is refused and left as it was', async () => {
    const dir = await filled();
    let before: unknown;
    await tamper(dir, async (openDB) => {
      const meta = openDB('meta', 'json');
      await meta.put('format', { ...meta.get('format'), version: FORMAT + 1 });
      before = [...meta.getRange({ versions: true })];
    });
    await expect(openLocalJournal({ dir })).rejects.toMatchObject({ code: 'data_dir_version' });
    await tamper(dir, async (openDB) => {
      expect([...openDB('meta', 'json').getRange({ versions: true })]).toEqual(before);
    });
  });

  test('a file that is no journal is refused', async () => {
    const dir = await folder();
    await writeFile(join(dir, 'journal.lmdb'), Buffer.alloc(16_384, 'not a journal '));
    await expect(openLocalJournal({ dir })).rejects.toMatchObject({ code: 'journal_corrupt' });
  });

  test('a folder where the file should be is refused', async () => {
    const dir = await folder();
    await mkdir(join(dir, 'journal.lmdb'));
    await expect(openLocalJournal({ dir })).rejects.toMatchObject({ code: 'data_dir_unwritable' });
  });

  test('a folder that cannot be made is named', async () => {
    const file = join(await folder(), 'file');
    await writeFile(file, '');
    await expect(openLocalJournal({ dir: join(file, 'journal') })).rejects.toMatchObject({
      code: 'data_dir_unwritable',
      message: expect.stringContaining(file),
    });
  });
});
