import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { describe, expect, test } from '@jest/globals';
import { DuckDbFolders } from '../duckdb-folder.ts';
import { BASE_NS, batchOf, shape, type Point } from '../../points.ts';
import { cellsOf, neverAborted, rowsQuery } from '../../subject.ts';

const HEAT = shape('heat', { x: 'float' });
const at = (second: number): Point => ({
  timeNs: BASE_NS + BigInt(second),
  device: 'd',
  fields: { x: second },
});

/** Turns a database file into what format 1 was: the ledger's sums beside the position, no refused frames. */
async function asFormat1(file: string): Promise<void> {
  const instance = await DuckDBInstance.create(file);
  const connection = await instance.connect();
  await connection.run(`
    DROP TABLE refused;
    CREATE TABLE old (
      epoch VARCHAR NOT NULL, position BIGINT NOT NULL, stored BIGINT NOT NULL, dead_lettered BIGINT NOT NULL);
    INSERT INTO old SELECT epoch, position, 12, 1 FROM position;
    DROP TABLE position;
    ALTER TABLE old RENAME TO position;
    UPDATE format SET version = 1;
    CHECKPOINT;
  `);
  connection.closeSync();
  instance.closeSync();
}

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

  test('brings a file of format 1 up to date, and keeps what is in it', async () => {
    const file = await folders.file();
    const before = await folders.open(file);
    await before.write([batchOf(HEAT, [at(1), at(2)])], { epoch: 'e', position: 7, refused: [] });
    await before.close();
    await asFormat1(file);

    const store = await folders.open(file);
    expect(store.position()).toEqual({ epoch: 'e', position: 7, refused: [] });
    const refused = [{ position: 7, readings: 2, code: 'schema_unknown', message: "it's gone" }];
    await store.write([batchOf(HEAT, [at(2), at(3)])], { epoch: 'e', position: 9, refused });
    expect(await cellsOf(await store.rows(rowsQuery(HEAT.measurement), neverAborted()))).toHaveLength(3);
    await store.close();
    const again = await folders.open(file);
    expect(again.position()).toEqual({ epoch: 'e', position: 9, refused });
  });

  test('remembers many refused frames, those of the last write alone', async () => {
    const file = await folders.file();
    const store = await folders.open(file);
    const refused = Array.from({ length: 5_000 }, (_, i) => ({
      position: i,
      readings: i,
      code: 'internal',
      message: `frame ${i}`,
    }));
    await store.write([], { epoch: 'e', position: 3, refused: refused.slice(10, 12) });
    await store.write([], { epoch: 'e', position: 5_000, refused });
    await store.close();
    expect((await folders.open(file)).position()).toEqual({ epoch: 'e', position: 5_000, refused });
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
