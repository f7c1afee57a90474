import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { describe, expect, test } from '@jest/globals';
import { DuckDbFolders } from './duckdb-folder.ts';

/** Opens the file in its first argument, says so, and keeps it until it is killed. */
const HOLDER = `
  const { DuckDBInstance } = await import('@duckdb/node-api');
  const instance = await DuckDBInstance.create(process.argv[1]);
  globalThis.kept = await instance.connect();
  console.log('open');
  setInterval(() => {}, 1000);
`;

describe('opening a DuckDB file', () => {
  const folders = new DuckDbFolders();

  test('is refused while this process has it open', async () => {
    const file = await folders.file();
    const store = await folders.open(file);
    await expect(folders.open(file)).rejects.toMatchObject({ code: 'data_dir_in_use' });
    await store.close();
    await folders.open(file);
  });

  test('is refused while another process has it open', async () => {
    const file = await folders.file();
    const child = spawn(process.execPath, ['--input-type=module', '-e', HOLDER, file], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      await once(child.stdout, 'data');
      await expect(folders.open(file)).rejects.toMatchObject({ code: 'data_dir_in_use' });
    } finally {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    await folders.open(file);
  });

  test('is refused when a newer version wrote it', async () => {
    const file = await folders.file();
    await (await folders.open(file)).close();
    const instance = await DuckDBInstance.create(file);
    const connection = await instance.connect();
    await connection.run('UPDATE format SET version = version + 1');
    await connection.run('CHECKPOINT');
    connection.closeSync();
    instance.closeSync();
    await expect(folders.open(file)).rejects.toMatchObject({ code: 'data_dir_version' });
  });

  test('is refused when the file is something else, which stays as it is', async () => {
    const file = await folders.file();
    const text = 'no database at all\n'.repeat(1_000);
    await writeFile(file, text);
    await expect(folders.open(file)).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(await readFile(file, 'utf8')).toBe(text);
  });

  test('makes its folder, and says when it cannot', async () => {
    const file = await folders.file();
    await folders.open(path.join(path.dirname(file), 'deep', 'er', "it's.duckdb"));
    await writeFile(file, 'in the way');
    const below = folders.open(path.join(file, 'points.duckdb'));
    await expect(below).rejects.toMatchObject({ code: 'data_dir_unwritable' });
  });
});
