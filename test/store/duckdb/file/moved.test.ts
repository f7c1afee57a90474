import { copyFileSync, renameSync, rmSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { DuckDbFolders } from '../duckdb-folder.ts';
import { BASE_NS, batchOf, shape } from '../../points.ts';

const HEAT = shape('heat', { x: 'float' });
const write = (second: number) =>
  [
    [batchOf(HEAT, [{ timeNs: BASE_NS + BigInt(second), device: 'd', fields: { x: second } }])],
    { epoch: 'e', position: second, refused: [] },
  ] as const;

describe('a database file that is not where it was', () => {
  const folders = new DuckDbFolders();

  test.each([
    ['deleted', (file: string) => rmSync(file)],
    ['moved away', (file: string) => renameSync(file, `${file}.away`)],
    [
      'replaced by a copy',
      (file: string) => {
        copyFileSync(file, `${file}.copy`);
        renameSync(`${file}.copy`, file);
      },
    ],
    ['gone with its folder', (file: string) => renameSync(path.dirname(file), `${path.dirname(file)}.away`)],
  ])('%s: the store says so by itself and takes nothing', async (_, change) => {
    const file = await folders.file();
    const store = await folders.open(file);
    await store.write(...write(1));
    change(file);
    expect(store.state()).toMatchObject({
      state: 'down',
      reason: expect.stringMatching(/was deleted or moved away|is another file/),
    });
    await expect(store.write(...write(2))).rejects.toMatchObject({ code: 'store_unavailable' });
    await expect(store.probe()).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(store.position()?.position).toBe(1);
    await store.close();
    const folder = path.dirname(file);
    await cp(`${folder}.away`, folder, { recursive: true }).catch(() => undefined);
    rmSync(`${folder}.away`, { recursive: true, force: true });
  });

  test('takes writes again when it is back', async () => {
    const file = await folders.file();
    const store = await folders.open(file);
    await store.write(...write(1));
    renameSync(file, `${file}.away`);
    await expect(store.write(...write(2))).rejects.toMatchObject({ code: 'store_unavailable' });
    renameSync(`${file}.away`, file);
    await store.write(...write(2));
    expect(store.state()).toEqual({ state: 'up', reason: null });
    expect(store.position()?.position).toBe(2);
  });

  test.each([
    ['was deleted', (log: string) => rmSync(log)],
    [
      'was replaced by a copy',
      (log: string) => {
        copyFileSync(log, `${log}.copy`);
        renameSync(`${log}.copy`, log);
      },
    ],
  ])('whose log %s has all that it reported, from the next write on', async (_, change) => {
    const file = await folders.file();
    const store = await folders.open(file);
    await store.write(...write(1));
    await store.write(...write(2));
    change(`${file}.wal`);
    await store.write(...write(3));
    // As after a crash: what is in the files, and nothing that closing would add.
    const copy = await folders.file();
    copyFileSync(file, copy);
    await cp(`${file}.wal`, `${copy}.wal`).catch(() => undefined);
    const again = await folders.open(copy);
    expect(again.position()?.position).toBe(3);
  });
});
