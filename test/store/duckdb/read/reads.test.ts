import { describe, expect, test } from '@jest/globals';
import { FUNCTIONS, type Store } from '../../../../src/store/index.ts';
import { DuckDbFolders } from '../duckdb-folder.ts';
import { BASE_NS, batchOf, shape } from '../../points.ts';
import { cellsOf, neverAborted, rowsQuery } from '../../subject.ts';

const LONG = shape('long', { n: 'integer' });
const ALL = rowsQuery(LONG.measurement);

/** Rows `from` … `to - 1`; the position says how many there are. */
function write(store: Store, from: number, to: number): Promise<unknown> {
  const points = Array.from({ length: to - from }, (_, i) => ({
    timeNs: BASE_NS + BigInt(from + i),
    device: 'd',
    fields: { n: BigInt(from + i) },
  }));
  return store.write([batchOf(LONG, points)], { epoch: 'e', position: to, refused: [] });
}

describe('reads beside writes', () => {
  const folders = new DuckDbFolders();

  test('a read sees exactly the rows up to the position that it states', async () => {
    const store = await folders.open(await folders.file());
    const writing = (async () => {
      for (let i = 0; i < 40; i++) await write(store, i * 250, (i + 1) * 250);
    })();
    const positions = new Set<number>();
    for (let position = 0; position < 10_000;) {
      const answer = await store.rows(ALL, neverAborted());
      position = answer.view().position;
      positions.add(position);
      expect((await cellsOf(answer)).length).toBe(position);
    }
    await writing;
    expect(positions.size).toBeGreaterThan(3);
  });

  test('a read that is not read on holds up neither writes nor other reads', async () => {
    const store = await folders.open(await folders.file());
    await write(store, 0, 20_000);
    const slow = await store.rows(ALL, neverAborted());
    const rows = slow.chunks[Symbol.asyncIterator]();
    await rows.next();
    for (let i = 20_000; i < 20_010; i++) await write(store, i, i + 1);
    expect((await cellsOf(await store.rows(ALL, neverAborted()))).length).toBe(20_010);
    let rest = 0;
    for (let next = await rows.next(); next.done !== true; next = await rows.next()) rest += next.value.rows;
    expect(rest).toBeLessThan(20_000);
    expect(slow.view().position).toBe(20_000);
  });

  test('reads beyond the limit wait in order, and beyond those that may wait are refused', async () => {
    const store = await folders.open(await folders.file(), { maxOpenReads: 1, maxReadsWaiting: 1 });
    await write(store, 0, 20_000);
    const first = await store.rows(ALL, neverAborted());
    let secondCame = false;
    const second = store.rows({ ...ALL, limit: 1 }, neverAborted()).then((answer) => {
      secondCame = true;
      return cellsOf(answer);
    });
    await expect(store.rows(ALL, neverAborted())).rejects.toMatchObject({ code: 'too_many_queries' });
    expect(secondCame).toBe(false);
    for await (const chunk of first.chunks) {
      expect(chunk.rows).toBeGreaterThan(0);
      break;
    }
    expect((await second).length).toBe(1);
  });

  test('a read that gives up while it waits makes room for the next', async () => {
    const store = await folders.open(await folders.file(), { maxOpenReads: 1, maxReadsWaiting: 1 });
    await write(store, 0, 20_000);
    const running = new AbortController();
    await store.rows(ALL, running.signal);
    const waiting = new AbortController();
    const second = store.rows(ALL, waiting.signal);
    waiting.abort();
    await expect(second).rejects.toMatchObject({ code: 'query_timeout' });
    const third = store.rows({ ...ALL, limit: 1 }, neverAborted());
    running.abort();
    expect((await cellsOf(await third)).length).toBe(1);
  });

  test('an abort stops a statement at work', async () => {
    const store = await folders.open(await folders.file());
    for (let i = 0; i < 20; i++) await write(store, i * 20_000, (i + 1) * 20_000);
    const aggregates = FUNCTIONS.map((fn) => ({ field: 'n', fn, name: fn }));
    const query = { ...ALL, aggregates, everyNs: 7n, group: [] };
    const started = performance.now();
    await cellsOf(await store.aggregate({ ...query, limit: 1 }, neverAborted()));
    const wholeMs = performance.now() - started;

    const ends: string[] = [];
    const third = { ...query, toNs: BASE_NS + 130_000n, limit: 1 };
    const other = store
      .aggregate(third, neverAborted())
      .then(cellsOf)
      .then(() => ends.push('a third of it'));
    const controller = new AbortController();
    const reading = store.aggregate(query, controller.signal);
    const stopped = reading.catch(({ code }: { code: string }) => ends.push(code));
    // Some moment at which it is at work.
    setTimeout(() => controller.abort(), wholeMs / 10);
    await Promise.all([other, stopped]);
    expect(ends).toEqual(['query_timeout', 'a third of it']);
  });

  test('closing waits for writes, ends reads, and refuses what comes after', async () => {
    const file = await folders.file();
    const store = await folders.open(file, { maxOpenReads: 1 });
    await write(store, 0, 20_000);
    const open = await store.rows(ALL, neverAborted());
    const writing = write(store, 20_000, 20_100);
    const waiting = Promise.allSettled([1, 2, 3].map(() => store.rows(ALL, neverAborted())));
    const closing = store.close();
    await writing;
    await closing;
    for (const read of await waiting) {
      expect(read).toMatchObject({ status: 'rejected', reason: { code: 'store_unavailable' } });
    }
    await expect(cellsOf(open)).rejects.toMatchObject({ code: 'draining' });
    await expect(store.rows(ALL, neverAborted())).rejects.toMatchObject({ code: 'store_unavailable' });
    await expect(write(store, 0, 1)).rejects.toMatchObject({ code: 'store_unavailable' });
    const reopened = await folders.open(file);
    expect(reopened.position()?.position).toBe(20_100);
  });
});
