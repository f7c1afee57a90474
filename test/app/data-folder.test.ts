import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { lockDataFolder, lockForWriter, openDataFolder } from '../../src/app/data-folder.ts';
import { bundled } from '../fixtures/bundled.ts';
import { temporaryFolder } from '../fixtures/folder.ts';

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder.remove());

const inUse = expect.objectContaining({ code: 'data_dir_in_use' });
const unwritable = expect.objectContaining({ code: 'data_dir_unwritable' });

test('is created, locked while it is open, and free again afterwards', () => {
  const dir = join(folder.path, 'a', 'b');
  const data = openDataFolder(dir);
  expect(() => openDataFolder(dir)).toThrow(inUse);
  expect(() => lockDataFolder(dir)).toThrow(
    expect.objectContaining({ message: expect.stringContaining(`${process.pid}`) }),
  );
  data.release();
  openDataFolder(dir).release();
  expect(readdirSync(dir).sort()).toEqual(['format', 'lock']);
});

test('opening and closing the lock many times leaves no file open', () => {
  const openFiles = (): number => readdirSync('/proc/self/fd').length;
  openDataFolder(folder.path).release();
  const before = openFiles();
  for (let i = 0; i < 20; i++) openDataFolder(folder.path).release();
  expect(openFiles()).toBe(before);
});

test("a lock file that names a process stands in nobody's way unless that process holds it", () => {
  writeFileSync(join(folder.path, 'lock'), `${process.ppid}\n`);
  const data = openDataFolder(folder.path);
  expect(readFileSync(join(folder.path, 'lock'), 'utf8')).toBe(`${process.pid}\n`);
  data.release();
});

test('a second start writes nothing into the folder', () => {
  openDataFolder(folder.path).release();
  const before = statSync(join(folder.path, 'format'), { bigint: true }).mtimeNs;
  openDataFolder(folder.path).release();
  expect(statSync(join(folder.path, 'format'), { bigint: true }).mtimeNs).toBe(before);
});

test('a copy of a folder in use is free', () => {
  const root = join(folder.path, 'original');
  const original = openDataFolder(root);
  const copy = join(folder.path, 'copy');
  cpSync(root, copy, { recursive: true });
  openDataFolder(copy).release();
  expect(() => openDataFolder(root)).toThrow(expect.objectContaining({ code: 'data_dir_in_use' }));
  original.release();
});

test('a lock that cannot be opened is named', () => {
  mkdirSync(join(folder.path, 'lock'));
  expect(() => openDataFolder(folder.path)).toThrow(unwritable);
  expect(() => openDataFolder(folder.path)).toThrow(/EISDIR/);
});

test('of a newer version is refused', () => {
  writeFileSync(join(folder.path, 'format'), '2\n');
  expect(() => openDataFolder(folder.path)).toThrow(expect.objectContaining({ code: 'data_dir_version' }));
  expect(readdirSync(folder.path)).toEqual(['format']);
});

test('below a folder in which nothing can be made it is refused, and the start does not hang', () => {
  expect(() => openDataFolder('/proc/x')).toThrow(unwritable);
  expect(() => openDataFolder('/proc/x/y/z')).toThrow(unwritable);
});

test('a folder that a file stands in the way of is refused', () => {
  writeFileSync(join(folder.path, 'file'), '');
  expect(() => openDataFolder(join(folder.path, 'file'))).toThrow(unwritable);
  expect(() => openDataFolder(join(folder.path, 'file', 'below', 'it'))).toThrow(unwritable);
});

test('the second lock keeps others out where the file of the first was deleted', async () => {
  const first = openDataFolder(folder.path);
  const lock = await lockForWriter(first, 0);
  rmSync(join(folder.path, 'lock'));
  const second = openDataFolder(folder.path);
  await expect(lockForWriter(second, 0)).rejects.toMatchObject({ code: 'data_dir_in_use' });
  expect(() => first.look()).toThrow(expect.objectContaining({ code: 'data_dir_gone' }));
  lock.release();
  (await lockForWriter(second, 0)).release();
  second.release();
  first.release();
});

test('only to look into it, a folder is not made', () => {
  expect(() => lockDataFolder(join(folder.path, 'none'))).toThrow(unwritable);
  expect(readdirSync(folder.path)).toEqual([]);
});

describe('of many processes that start at once', () => {
  beforeAll(async () => {
    program = await bundled('test/app/take-folder.ts');
  });
  afterAll(() => program.remove());

  test('exactly one gets the folder, again and again', async () => {
    const starters = await Promise.all(Array.from({ length: 8 }, () => starter(folder.path)));
    try {
      for (let round = 0; round < 20; round++) {
        // One signal for all, as near to the same instant as it gets.
        const atMs = Date.now() + 20;
        const answers = await Promise.all(starters.map((process) => process.ask(`take ${atMs}`)));
        const others = Array.from({ length: starters.length - 1 }, () => 'data_dir_in_use');
        expect(answers.toSorted()).toEqual([...others, 'taken']);
        await Promise.all(starters.map((process) => process.ask('release')));
      }
    } finally {
      await Promise.all(starters.map((process) => process.kill()));
    }
  }, 60_000);

  test('after kill -9 of the owner the next one gets it', async () => {
    const owner = await starter(folder.path);
    expect(await owner.ask('take 0')).toBe('taken');
    expect(() => openDataFolder(folder.path)).toThrow(inUse);
    await owner.kill();
    openDataFolder(folder.path).release();
  });
});

let program: Awaited<ReturnType<typeof bundled>>;

interface Starter {
  ask(line: string): Promise<string>;
  kill(): Promise<void>;
}

async function starter(dir: string): Promise<Starter> {
  const child = spawn(process.execPath, [program.path, dir], { stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const next = async (): Promise<string> => {
    const { value, done } = await lines.next();
    if (done === true) throw new Error('the process has ended');
    return value;
  };
  await next();
  return {
    ask: (line) => {
      child.stdin.write(`${line}\n`);
      return next();
    },
    kill: async () => {
      child.kill('SIGKILL');
      await exited;
    },
  };
}
