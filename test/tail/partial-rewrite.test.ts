import { describe, expect, test } from '@jest/globals';
import type { Store } from '../../src/store/index.ts';
import { BASE_MS, openBench, withoutSnapshots, type Bench } from './harness.ts';
import { serveTail } from './tail-socket.ts';

const at = (seconds: number): number => BASE_MS + seconds * 1_000;
const iso = (seconds: number): string => new Date(at(seconds)).toISOString().replace('.000Z', 'Z');

/** Both kinds of store views, and how a frame that is not settled for the one, or is for the other, gets into them. */
const views: { view: string; storeOf: (bench: Bench) => Store; write: (bench: Bench) => Promise<void> }[] = [
  { view: 'a snapshot', storeOf: (bench) => bench.store, write: (bench) => bench.settle() },
  {
    view: 'a view without a position',
    storeOf: (bench) => withoutSnapshots(bench.store, () => bench.writeOnly(bench.journal.head())),
    write: () => Promise.resolve(),
  },
];

/** Reads a history of three stored rows up to the first, lets `rewrite` come between, and goes on from the cursor. */
async function resumedRows(
  { storeOf, write }: (typeof views)[number],
  rewrite: (bench: Bench) => void,
  filter = '',
): Promise<unknown[]> {
  const bench = await openBench();
  const { connect } = await serveTail(bench, { store: storeOf(bench), limits: { messageRows: 1 } });
  for (const second of [1, 2, 3]) {
    bench.appendClimate('d1', 'hall', [{ time: at(second), temperature: second, count: second }]);
  }
  await bench.commit();
  await bench.settle();
  const client = connect(`?measurement=climate&from=${iso(0)}${filter}`);
  await client.expect('live');
  const [first] = client.of('data');
  rewrite(bench);
  await bench.commit();
  await write(bench);
  const again = connect(`?measurement=climate&cursor=${first?.cursor}${filter}`);
  await again.expect('live');
  return again.rows().map(([time, , , ...fields]) => [time, ...fields]);
}

describe.each(views)('a stored row that is written again during history, on $view,', (view) => {
  test('comes from history too when the later write brings only some of its fields', async () => {
    const rows = await resumedRows(view, (bench) =>
      bench.appendClimate('d1', 'hall', [{ time: at(3), count: 33 }]),
    );
    expect(rows).toEqual([
      [iso(2), 2, 2],
      [iso(3), 3, 33],
      [iso(3), null, 33],
    ]);
  });

  test('comes once when the later write brings all of its fields', async () => {
    const rows = await resumedRows(view, (bench) =>
      bench.appendClimate('d1', 'hall', [{ time: at(3), temperature: 30, count: 33 }]),
    );
    expect(rows).toEqual([
      [iso(2), 2, 2],
      [iso(3), 30, 33],
    ]);
  });

  test('comes by its later writes alone when those bring all of its fields together', async () => {
    const rows = await resumedRows(view, (bench) => {
      bench.appendClimate('d1', 'hall', [{ time: at(3), count: 33 }]);
      bench.appendClimate('d1', 'hall', [{ time: at(3), temperature: 30 }]);
    });
    expect(rows).toEqual([
      [iso(2), 2, 2],
      [iso(3), null, 33],
      [iso(3), 30, null],
    ]);
  });

  test('comes once when the fields that the later write lacks were not asked for', async () => {
    const rows = await resumedRows(
      view,
      (bench) => bench.appendClimate('d1', 'hall', [{ time: at(3), count: 33 }]),
      '&field=count',
    );
    expect(rows).toEqual([
      [iso(2), 2],
      [iso(3), 33],
    ]);
  });

  test('comes from history alone when the later write brings none of the fields asked for', async () => {
    const rows = await resumedRows(
      view,
      (bench) => bench.appendClimate('d1', 'hall', [{ time: at(3), count: 33 }]),
      '&field=temperature',
    );
    expect(rows).toEqual([
      [iso(2), 2],
      [iso(3), 3],
    ]);
  });
});
