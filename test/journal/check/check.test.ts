import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { checkJournal, openLocalJournal, salvageFrames } from '../../../src/journal/index.ts';
import { LmdbFile } from '../../../src/journal/local/lmdb/lmdb-file.ts';
import { walkTree } from '../../../src/journal/local/lmdb/lmdb-tree.ts';
import { appendBlocks, DataFile, PAGE } from '../damage.ts';
import { Connection, folder, keptFolder, letter, open } from '../harness.ts';

/** Frames 1 to 40 of `big`, each a block over several pages; of `small`, each a block inside a page. */
let whole: DataFile;
const COUNT = 80;

beforeAll(async () => {
  whole = new DataFile(await keptFolder());
  const journal = await openLocalJournal({ dir: whole.dir, snapshotBytes: 100_000 });
  await appendBlocks(journal, new Connection('big'), 1, 40, 10_000);
  await appendBlocks(journal, new Connection('small'), 1, 40, 50);
  journal.reject(new Connection('bad'), 1, letter('bad'));
  await journal.flush();
  await journal.close();
});

function salvaged(dir: string): string[] {
  return [...salvageFrames(dir)].map(({ bytes }) => Buffer.from(bytes).toString().split('/', 2).join('/'));
}

const names = (device: string, from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, i) => `${device}/${from + i}`);
const all = [...names('big', 1, 40), ...names('small', 1, 40)];

/** Where the block at a position lies in the file. */
function blockOffset(data: DataFile, position: number): number {
  const bytes = data.bytes();
  for (let at = bytes.indexOf('MRJB'); at >= 0; at = bytes.indexOf('MRJB', at + 4)) {
    if (bytes.readDoubleLE(at + 16) === position) return at;
  }
  throw new Error('no block there');
}

const refused = (message: RegExp) => ({ code: 'journal_corrupt', message: expect.stringMatching(message) });

describe('a sound journal', () => {
  test('is told in full', () => {
    expect(checkJournal(whole.dir)).toMatchObject({
      sound: true,
      sizeBytes: whole.bytes().length,
      format: 4,
      epoch: expect.stringMatching(/^[\w-]{12}$/),
      head: COUNT,
      tail: 0,
      settled: 0,
      blocks: COUNT,
      frames: COUNT,
      readings: 2 * COUNT,
      ledger: { received: 2 * COUNT + 1, pending: 2 * COUNT, rejected: 1 },
      deadLetters: 1,
      deviceNumbers: { snapshot: 'readable', devices: 3 },
      problems: [],
      damaged: [],
      readable: [{ from: 0, to: COUNT }],
      salvaged: [],
      missing: [],
    });
  });

  test('gives all its frames, in order, as they came in', async () => {
    const journal = await open((await whole.copy()).dir);
    const expected = [];
    for (let at = 0; at < journal.head();) {
      const block = journal.read(at);
      if (block === undefined) throw new Error('a block');
      for (const frame of block.frames()) expected.push({ ...frame, bytes: Buffer.from(frame.bytes) });
      at = block.next;
    }
    const found = [...salvageFrames(whole.dir)].map((frame) => ({
      ...frame,
      bytes: Buffer.from(frame.bytes),
    }));
    expect(found).toEqual(expected);
    expect([...salvageFrames(whole.dir, { from: 10, to: 13 })].map(({ position }) => position)).toEqual([
      10, 11, 12,
    ]);
  });

  test('may be shorter than its meta page says when the last pages are not in use', async () => {
    const data = await whole.copy();
    const pages = expected(data) / PAGE;
    for (const page of [0, 1]) data.writeNumber(page * PAGE + 24 + 120, pages + 49);
    expect(checkJournal(data.dir)).toMatchObject({ sound: true, expectedBytes: (pages + 50) * PAGE });
    const journal = await open(data.dir);
    await appendBlocks(journal, new Connection('small'), 41, 45, 10_000);
    expect(journal.head()).toBe(COUNT + 5);
  });
});

describe('known-bad bytes', () => {
  test('a file cut in its middle is refused before lmdb maps it, and what is left is saved', async () => {
    const data = await whole.copy();
    const size = data.bytes().length;
    data.truncate(Math.floor(size / 2 / PAGE) * PAGE + 100);
    await expect(openLocalJournal({ dir: data.dir })).rejects.toMatchObject(
      refused(new RegExp(`has \\d+ bytes of the ${expected(data)} .*missing.*journal check.*journal export`)),
    );
    const report = checkJournal(data.dir);
    expect(report).toMatchObject({ sound: false, expectedBytes: expected(data) });
    const frames = salvaged(data.dir);
    expect(frames.length).toBeGreaterThan(10);
    expect(frames.length).toBeLessThan(COUNT);
    expect(all).toEqual(expect.arrayContaining(frames));
    const told = [...report.readable, ...report.salvaged].reduce((sum, { from, to }) => sum + to - from, 0);
    expect(told).toBe(frames.length);
  });

  test('a file cut at any page is refused or opens whole, and never ends the process', async () => {
    const size = whole.bytes().length;
    for (let pages = Math.floor(size / PAGE) - 1; pages >= 0; pages -= 7) {
      const data = await whole.copy();
      data.truncate(pages * PAGE);
      const opening = openLocalJournal({ dir: data.dir }).then(
        async (journal) => {
          const { length } = [...names('x', 1, journal.head())];
          for (let at = 0; at < length; at = journal.read(at)?.next ?? length);
          await journal.close();
          return 'whole';
        },
        (error: { code: string }) => error.code,
      );
      expect(['whole', 'journal_corrupt']).toContain(await opening);
      expect(all).toEqual(expect.arrayContaining(salvaged(data.dir)));
    }
  });

  test('a page that the disk does not read now is damage to the report, but a passing fault to who opens it', () => {
    const file = new LmdbFile(whole.path);
    const tree = file.metas[0]?.main ?? { depth: 0, entries: 0, root: null };
    file.close();
    const told = [...walkTree(file, tree)].map(({ fault }) => fault);
    expect(told).toEqual([expect.stringMatching(/cannot be read: .*EBADF/)]);
    expect(() => [...walkTree(file, tree, { throwReadErrors: true })]).toThrow(/EBADF/);
  });

  test('an empty file is no new journal', async () => {
    const dir = await folder();
    writeFileSync(join(dir, 'journal.lmdb'), '');
    await expect(openLocalJournal({ dir })).rejects.toMatchObject(refused(/is empty/));
    expect(checkJournal(dir)).toMatchObject({ sound: false, sizeBytes: 0, head: null, readable: [] });
    expect(salvaged(dir)).toEqual([]);
  });

  test('a foreign file is no journal', async () => {
    const dir = await folder();
    writeFileSync(join(dir, 'journal.lmdb'), Buffer.alloc(16_384, 'not a journal '));
    await expect(openLocalJournal({ dir })).rejects.toMatchObject(refused(/does not begin as an lmdb file/));
    expect(checkJournal(dir)).toMatchObject({ sound: false, head: null, problems: expect.any(Array) });
  });

  test('a zeroed newest meta page is not passed over for the older one, which would forget a commit', async () => {
    const data = await whole.copy();
    data.zero(data.metas().newest * PAGE, PAGE);
    await expect(openLocalJournal({ dir: data.dir })).rejects.toMatchObject(
      refused(/meta page \d: it has not the magic/),
    );
    const report = checkJournal(data.dir);
    expect(report).toMatchObject({ sound: false, problems: [expect.stringMatching(/^meta page \d/)] });
    expect(salvaged(data.dir)).toEqual(expect.arrayContaining(all.slice(0, -1)));
  });

  test('both meta pages zeroed: every frame is found by its block', async () => {
    const data = await whole.copy();
    data.zero(0, 2 * PAGE);
    await expect(openLocalJournal({ dir: data.dir })).rejects.toMatchObject(
      refused(/does not begin as an lmdb file/),
    );
    expect(checkJournal(data.dir)).toMatchObject({
      head: null,
      salvaged: [{ from: 0, to: COUNT }],
      missing: [],
    });
    expect(salvaged(data.dir)).toEqual(all);
  });

  test('a zeroed page of the tree of blocks costs no frame of a large block', async () => {
    const data = await whole.copy();
    const leaf = leafOfBlocks(data);
    data.zero(leaf * PAGE, PAGE);
    await expect(openLocalJournal({ dir: data.dir })).rejects.toMatchObject(
      refused(new RegExp(`in blocks, page ${leaf} is not a page of a tree`)),
    );
    const report = checkJournal(data.dir);
    expect(report).toMatchObject({ sound: false, head: COUNT, tail: 0 });
    expect(report.damaged).toContainEqual({ position: null, fault: `page ${leaf} is not a page of a tree` });
    expect(salvaged(data.dir)).toEqual(expect.arrayContaining(names('big', 1, 40)));
    expect(
      [...report.readable, ...report.salvaged, ...report.missing].reduce(
        (sum, { from, to }) => sum + to - from,
        0,
      ),
    ).toBe(COUNT);
  });

  test('a flipped bit in a block costs that block and names its position', async () => {
    const data = await whole.copy();
    data.flipBit(blockOffset(data, 7) + 5_000);
    const fault = expect.stringMatching(/position 7 is damaged: its checksum/);
    expect(checkJournal(data.dir)).toMatchObject({
      sound: false,
      blocks: COUNT - 1,
      damaged: [{ position: 7, fault }],
      readable: [
        { from: 0, to: 7 },
        { from: 8, to: COUNT },
      ],
      salvaged: [],
      missing: [{ from: 7, to: 8 }],
    });
    expect(salvaged(data.dir)).toEqual(all.filter((name) => name !== 'big/8'));
    const journal = await open(data.dir);
    expect(() => journal.read(7)).toThrow(expect.objectContaining({ code: 'journal_corrupt' }));
    expect(journal.read(8)).toBeDefined();
  });

  test('a flipped bit in the snapshot of device numbers is refused', async () => {
    const data = await whole.copy();
    data.flipBit(data.bytes().indexOf('MRJD', rootOf(data, 'devices') * PAGE) + 30);
    await expect(openLocalJournal({ dir: data.dir })).rejects.toMatchObject(
      refused(/record of device numbers/),
    );
    expect(checkJournal(data.dir)).toMatchObject({
      sound: false,
      deviceNumbers: { snapshot: 'damaged' },
      readable: [{ from: 0, to: COUNT }],
    });
    expect(salvaged(data.dir)).toEqual(all);
  });

  test('a flipped bit in the state record is refused, though it is still JSON with other numbers', async () => {
    const data = await whole.copy();
    data.flipBit(headOffset(data));
    await expect(openLocalJournal({ dir: data.dir })).rejects.toMatchObject(
      refused(/state record does not match/),
    );
    const report = checkJournal(data.dir);
    expect(report).toMatchObject({
      sound: false,
      head: null,
      ledger: null,
      readable: [{ from: 0, to: COUNT }],
    });
    expect(salvaged(data.dir)).toEqual(all);
  });

  test('a flipped bit in a page header of the tree is refused', async () => {
    const data = await whole.copy();
    const file = new LmdbFile(data.path);
    const root = file.metas[0]?.main.root ?? 0;
    file.close();
    data.flipBit(root * PAGE + 18);
    await expect(openLocalJournal({ dir: data.dir })).rejects.toMatchObject(
      refused(/is not a page of a tree/),
    );
    expect(salvaged(data.dir)).toEqual(expect.arrayContaining(all));
  });

  test('a journal that is missing is said to be', async () => {
    expect(() => checkJournal('nowhere')).toThrow(
      expect.objectContaining({ message: expect.stringContaining('missing') }),
    );
  });
});

test('bytes inside a frame that look like a block are not taken for one', async () => {
  const dir = await folder();
  const journal = await openLocalJournal({ dir });
  const inner = whole.bytes().subarray(blockOffset(whole, 50), blockOffset(whole, 50) + 300);
  journal.append(new Connection('a'), 1, inner, 1, 1, null);
  await journal.flush();
  await journal.close();
  const data = new DataFile(dir);
  data.zero(0, 2 * PAGE);
  expect(checkJournal(dir)).toMatchObject({ salvaged: [{ from: 0, to: 1 }] });
});

function expected(data: DataFile): number {
  const file = new LmdbFile(data.path);
  file.close();
  return (file.metas[0]?.pages ?? 0) * PAGE;
}

/** The root page of a database. */
function rootOf(data: DataFile, name: string): number {
  const file = new LmdbFile(data.path);
  const main = file.read((file.metas[0]?.main.root ?? 0) * PAGE, PAGE);
  file.close();
  return Number(main.readBigUInt64LE(main.indexOf(`${name}\0`) + name.length + 1 + 40));
}

/** The first leaf page of the tree of blocks. */
function leafOfBlocks(data: DataFile): number {
  const bytes = data.bytes();
  let page = rootOf(data, 'blocks');
  while ((bytes.readUInt16LE(page * PAGE + 18) & 1) === 1) {
    const node = page * PAGE + 24 + bytes.readUInt16LE(page * PAGE + 24);
    page = bytes.readUInt32LE(node);
  }
  return page;
}

/** Of the digit of `head` in the state record that counts. */
function headOffset(data: DataFile): number {
  const root = rootOf(data, 'meta');
  const at = data.bytes().indexOf('{"head":80', root * PAGE);
  if (at < 0 || at > (root + 1) * PAGE) throw new Error('no state record');
  return at + '{"head":'.length;
}
