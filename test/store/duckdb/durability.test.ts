import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { MillraceError, type Cell } from '../../../src/core/index.ts';
import { Database } from '../../../src/store/duckdb/database.ts';
import { DuckDbStore } from '../../../src/store/duckdb/store.ts';
import type { Store } from '../../../src/store/index.ts';
import { DuckDbFolders } from './duckdb-folder.ts';
import { BASE_NS, batchOf, shape, type Point, type Shape } from '../points.ts';
import { cellsOf, neverAborted, rowsQuery } from '../subject.ts';

const CLIMATE = shape('climate', { x: 'float', n: 'integer' }, ['room']);

function point(second: number, x: number, room: string | null = null): Point {
  return { timeNs: BASE_NS + BigInt(second), device: 'd', tags: { room }, fields: { x } };
}

function rowsOf(store: Store, { measurement }: Shape): Promise<Cell[][]> {
  return store.rows(rowsQuery(measurement), neverAborted()).then(cellsOf);
}

async function values(store: Store): Promise<(Cell | undefined)[]> {
  return (await rowsOf(store, CLIMATE)).map((row) => row[3]);
}

describe('what DuckDB keeps', () => {
  const folders = new DuckDbFolders();
  const position = { epoch: 'e', position: 1, refused: [] };

  test('there is no position before the first write, and every write moves it, an empty one too', async () => {
    const store = await folders.open(await folders.file());
    expect(store.position()).toBeNull();
    await store.write([batchOf(CLIMATE, [point(1, 1)])], position);
    expect(store.position()).toEqual(position);
    await store.write([], { ...position, epoch: 'f', position: 2 });
    expect(store.position()).toEqual({ ...position, epoch: 'f', position: 2 });
    const answer = await store.rows(rowsQuery(CLIMATE.measurement), neverAborted());
    expect(answer.view()).toEqual({ position: 2, epoch: expect.any(String), exact: true });
  });

  test('rows, columns, devices and the position are there after closing and opening again', async () => {
    const file = await folders.file();
    const first = await folders.open(file);
    await first.write([batchOf(CLIMATE, [point(1, 1), point(2, 2, 'hall')])], position);
    await first.close();

    const second = await folders.open(file);
    expect(second.position()).toEqual(position);
    expect(await values(second)).toEqual([1, 2]);
    expect(
      await second.device({ measurements: [CLIMATE.measurement], device: 'd' }, neverAborted()),
    ).toMatchObject({ measurements: ['climate'] });
    // the series are known again: the same points overwrite, older ones find their place
    const again = [point(1, 10), point(2, 20, 'hall'), point(0, 0), point(3, 3)];
    await second.write([batchOf(CLIMATE, again)], { ...position, position: 2 });
    expect(await values(second)).toEqual([0, 10, 20, 3]);
  });

  test('what a write resolved with is on disk, as a crash would leave it', async () => {
    const file = await folders.file();
    const store = await folders.open(file);
    await store.write([batchOf(CLIMATE, [point(1, 1)])], position);
    await store.write([batchOf(CLIMATE, [point(1, 5), point(2, 2)])], { ...position, position: 9 });

    const crashed = await mkdtemp(path.join(tmpdir(), 'millrace-crashed-'));
    const copy = path.join(crashed, 'other-name.duckdb');
    await copyFile(file, copy);
    await copyFile(`${file}.wal`, `${copy}.wal`);
    const survivor = await folders.open(copy);
    expect(survivor.position()).toEqual({ ...position, position: 9 });
    expect(await values(survivor)).toEqual([5, 2]);
    await survivor.close();
    await rm(crashed, { recursive: true });
  });

  test('a write that is refused leaves neither rows nor position, says so, and the store goes on', async () => {
    const store = await folders.open(await folders.file());
    await store.write([batchOf(CLIMATE, [point(1, 1)])], position);
    const impossible = { ...position, epoch: null as unknown as string, position: 2 };
    const points = [point(1, 100), point(2, 2), point(2, 3, 'hall')];
    await expect(store.write([batchOf(CLIMATE, points)], impossible)).rejects.toMatchObject({
      code: 'store_refused',
    });
    expect(store.state()).toEqual({ state: 'up', reason: null });
    expect(store.position()).toEqual(position);
    expect(await values(store)).toEqual([1]);

    await store.write([batchOf(CLIMATE, points)], { ...position, position: 2 });
    expect(store.state()).toEqual({ state: 'up', reason: null });
    expect(await values(store)).toEqual([100, 2, 3]);
  });

  test('a file that was put back while the database was down is not written to, and told', async () => {
    const [file, older] = [await folders.file(), await folders.file()];
    const database = await Database.open(file, {});
    let next = older;
    const store = new DuckDbStore(
      database,
      () => Database.open(next, {}),
      () => undefined,
    );
    try {
      await store.write([batchOf(CLIMATE, [point(1, 1)])], { ...position, position: 5 });
      await database.abandon(new MillraceError('store_unavailable', 'gone'));
      const write = () => store.write([batchOf(CLIMATE, [point(2, 2)])], { ...position, position: 6 });
      await expect(write()).rejects.toMatchObject({ code: 'store_unavailable' });
      await expect(write()).rejects.toThrow(/another one: it has frames up to 0, and had them up to 5/);
      expect(store.state()).toMatchObject({ state: 'down', reason: expect.stringContaining('another one') });
      next = file;
      await write();
      expect(store.position()).toMatchObject({ position: 6 });
      expect(await values(store)).toEqual([1, 2]);
    } finally {
      await store.close();
    }
  });

  test('with more series than are remembered, points still overwrite and nothing is doubled', async () => {
    const file = await folders.file();
    const points = Array.from({ length: 40 }, (_, i) => point(i % 4, i, `room ${i % 10}`));
    for (const round of [1, 2, 3]) {
      const store = await folders.open(file, { maxSeriesTracked: 3 });
      await store.write([batchOf(CLIMATE, points)], { ...position, position: round });
      const rows = await rowsOf(store, CLIMATE);
      expect(new Set(rows.map((row) => `${row[0]} ${row[2]}`)).size).toBe(rows.length);
      expect(rows.length).toBe(20);
      await store.close();
    }
  });

  test('a point whose field is stored as another type, or whose time has no form, is refused alone', async () => {
    const store = await folders.open(await folders.file());
    await store.write([batchOf(CLIMATE, [point(1, 1)])], position);
    const other = shape('climate', { x: 'integer', y: 'float' });
    const batch = batchOf(
      other,
      [{ x: 2n }, { y: 3 }, { x: 4n, y: 4 }].map((fields, i) => ({ ...point(2 + i, 0), fields })),
    );
    const refused = await store.write([batch], { ...position, position: 2 });
    expect(refused.map(({ row }) => row)).toEqual([0, 2]);
    expect(refused[0]?.message).toContain('x is stored as field of type float');
    const endOfTime = batchOf(CLIMATE, [{ ...point(0, 1), timeNs: 2n ** 63n - 1n }, point(5, 5)]);
    expect(await store.write([endOfTime], { ...position, position: 3 })).toMatchObject([{ row: 0 }]);
    const answer = await store.rows(rowsQuery(other.measurement, { fields: ['y'] }), neverAborted());
    expect(await cellsOf(answer)).toEqual([[BASE_NS + 3n, 'd', 3]]);
    expect(await values(store)).toEqual([1, 5]);
  });

  test('fields may have the names that the tables use themselves', async () => {
    const file = await folders.file();
    const own = shape('device', {
      time: 'integer',
      device: 'string',
      Time: 'float',
      time_2: 'float',
      '': 'float',
    });
    const fields = { time: 1n, device: 'x', Time: 2, time_2: 3, '': 4 };
    const store = await folders.open(file);
    await store.write([batchOf(own, [{ timeNs: BASE_NS, device: 'd', fields }])], position);
    await store.close();
    const reopened = await folders.open(file);
    expect(await rowsOf(reopened, own)).toEqual([[BASE_NS, 'd', 1n, 'x', 2, 3, 4]]);
  });
});
