import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { openDataFolder } from '../../src/app/data-folder.ts';
import { temporaryFolder } from '../fixtures/folder.ts';

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder.remove());

test('is created, locked while it is open, and free again afterwards', () => {
  const dir = join(folder.path, 'a', 'b');
  const data = openDataFolder(dir);
  expect(existsSync(data.path('lock'))).toBe(true);
  expect(() => openDataFolder(dir)).toThrow(expect.objectContaining({ code: 'data_dir_in_use' }));
  data.release();
  openDataFolder(dir).release();
  expect(readdirSync(dir)).toEqual(['format']);
});

test.each([
  ['a process that is gone', '999999999 1'],
  ['an earlier process with an id that is in use again', `${process.pid} 1`],
  ['nothing readable', 'garbage'],
])('a lock of %s does not stand in the way', (_, text) => {
  writeFileSync(join(folder.path, 'lock'), text);
  openDataFolder(folder.path).release();
});

test('of a newer version is refused', () => {
  writeFileSync(join(folder.path, 'format'), '2\n');
  expect(() => openDataFolder(folder.path)).toThrow(expect.objectContaining({ code: 'data_dir_version' }));
  expect(readdirSync(folder.path)).toEqual(['format']);
});
