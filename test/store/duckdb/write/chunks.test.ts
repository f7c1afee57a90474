import { describe, test } from '@jest/globals';
import * as fc from 'fast-check';
import type { Cell } from '../../../../src/core/index.ts';
import type { Store } from '../../../../src/store/index.ts';
import { DuckDbFolders } from '../duckdb-folder.ts';
import { BASE_NS, batchOf, shape, type Point, type Shape } from '../../points.ts';
import { cellsOf, expectRows, neverAborted, rowsQuery } from '../../subject.ts';

const TYPES = { x: 'float', n: 'integer', ok: 'boolean', s: 'string' } as const;
const ROWS = 2 * 2048 + 3;

/** Around every length at which a text is kept in another way: in its cell, remembered, or by itself. */
const TEXTS = [0, 1, 11, 12, 13, 63, 64, 65, 400].flatMap((length) => [
  'x'.repeat(length),
  'é'.repeat(length >> 1),
  `${'€'.repeat(Math.floor(length / 3))}|`,
  `${'𝄞'.repeat(length >> 2)}\0end`,
]);

/** The row's points in the order of the schema, after time and device. */
function expectedRow({ mapping }: Shape, { timeNs, device, tags = {}, fields }: Point): Cell[] {
  const cells = mapping.columns.map(({ name, role }) =>
    role === 'tag' ? tags[name] || null : (fields[name] ?? null),
  );
  return [timeNs, device, ...cells];
}

async function expectStored(store: Store, of: Shape, points: readonly Point[]): Promise<void> {
  const rows = await cellsOf(await store.rows(rowsQuery(of.measurement), neverAborted()));
  // A row without any field is left out of answers.
  const shown = points.filter(({ fields }) => Object.values(fields).some((value) => value !== null));
  const keyOf = ({ timeNs, device, tags }: Point): string => `${timeNs} ${device} ${tags?.['room'] ?? ''}`;
  const sorted = shown.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  expectRows(
    rows,
    sorted.map((point) => expectedRow(of, point)),
  );
}

function textOf(row: number): string {
  return TEXTS[row % TEXTS.length] ?? '';
}

describe('chunks of rows', () => {
  const folders = new DuckDbFolders();

  test('values and missing ones keep their places across the borders of chunks', async () => {
    const store = await folders.open(await folders.file());
    const of = shape('borders', TYPES, ['room', 'rack']);
    // Each column misses its values with a period of its own; the last has none at all.
    const points = Array.from({ length: ROWS }, (_, i): Point => ({
      timeNs: BASE_NS + BigInt(i),
      device: `device-${Math.floor(i / 100)}`,
      tags: { room: i % 7 === 0 ? null : textOf(Math.floor(i / 50)), rack: i % 2 === 0 ? '' : 'r' },
      fields: {
        x: i % 3 === 0 ? null : i + 0.5,
        n: i % 5 === 0 ? null : -(2n ** 62n) - BigInt(i),
        ok: i % 11 === 0 ? null : i % 2 === 0,
        s: i % 13 === 0 ? null : textOf(i),
      },
    }));
    await store.write([batchOf(of, points)], { epoch: 'e', position: 1, refused: [] });
    await expectStored(store, of, points);
  });

  test('what one chunk lacked, the next one has', async () => {
    const store = await folders.open(await folders.file());
    const of = shape('again', TYPES, ['room']);
    const all: Point[] = [];
    for (let write = 0; write < 6; write++) {
      const points = Array.from({ length: 65 }, (_, i): Point => ({
        timeNs: BASE_NS + BigInt(all.length + i),
        device: textOf(write) || 'd',
        tags: { room: write % 2 === 0 ? textOf(i + 4) : null },
        fields: write % 2 === 0 ? { x: i, n: BigInt(i), ok: true, s: textOf(i) } : { n: 0n },
      }));
      all.push(...points);
      await store.write([batchOf(of, points)], { epoch: 'e', position: write, refused: [] });
    }
    await expectStored(store, of, all);
  });

  test('a table lacks nothing that a batch of a narrower or wider schema brings', async () => {
    const store = await folders.open(await folders.file());
    const narrow = shape('widths', { x: 'float' });
    const wide = shape('widths', { x: 'float', n: 'integer', s: 'string' });
    const at = (i: number, fields: Point['fields']): Point => ({
      timeNs: BASE_NS + BigInt(i),
      device: 'd',
      fields,
    });
    const points = [
      at(1, { x: 1 }),
      at(2, { x: 2, n: 2n, s: 'two' }),
      at(3, { x: 3 }),
      at(4, { n: 4n, s: '' }),
    ];
    for (const [i, point] of points.entries())
      await store.write([batchOf(i % 2 === 0 ? narrow : wide, [point])], {
        epoch: 'e',
        position: i,
        refused: [],
      });
    await expectStored(store, wide, points);
  });

  test('more devices than are remembered keep their own names', async () => {
    const store = await folders.open(await folders.file());
    const of = shape('many', { n: 'integer' }, ['room']);
    const all: Point[] = [];
    for (let write = 0; write < 4; write++) {
      const points = Array.from({ length: 20_000 }, (_, i): Point => {
        const name = `${write}-${i}`;
        const device = i % 2 === 0 ? name : `a-device-with-a-long-name-${name}`;
        return {
          timeNs: BASE_NS + BigInt(all.length + i),
          device,
          tags: { room: `of-${name}` },
          fields: { n: BigInt(i) },
        };
      });
      all.push(...points);
      await store.write([batchOf(of, points)], { epoch: 'e', position: write, refused: [] });
    }
    await expectStored(store, of, all);
  });

  test('any mix of rows in and out of order, some of one series and time, is stored as the last write has it', async () => {
    const store = await folders.open(await folders.file());
    const row = fc.record({
      device: fc.nat(2),
      /** Steps back from where the row would be in order. */
      back: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(30) }),
      x: fc.option(fc.nat(9)),
      n: fc.option(fc.nat(9)),
    });
    const writes = fc.array(fc.array(fc.array(row, { maxLength: 30 }), { minLength: 1, maxLength: 3 }), {
      minLength: 1,
      maxLength: 4,
    });
    let run = 0;
    await fc.assert(
      fc.asyncProperty(writes, async (all) => {
        const of = shape(`mix_${run++}`, { n: 'integer', x: 'float', all: 'boolean' }, ['room']);
        const expected = new Map<string, Point>();
        let step = 100;
        for (const [position, batches] of all.entries()) {
          const columns = batches.map((rows) =>
            batchOf(
              of,
              rows.map(({ device, back, x, n }): Point => {
                const timeNs = BASE_NS + BigInt(step++ - back);
                const room = back % 3 === 0 ? null : 'hall';
                const known = { n: n === null ? null : BigInt(n), x };
                const point = {
                  timeNs,
                  device: `d${device}`,
                  tags: { room },
                  fields: { ...known, all: true },
                };
                const id = `${timeNs} ${device} ${room}`;
                const before = expected.get(id)?.fields ?? {};
                const present = Object.entries(point.fields).filter(([, value]) => value !== null);
                expected.set(id, { ...point, fields: { ...before, ...Object.fromEntries(present) } });
                return point;
              }),
            ),
          );
          await store.write(columns, { epoch: 'e', position, refused: [] });
        }
        await expectStored(store, of, [...expected.values()]);
      }),
      { numRuns: 60 },
    );
  });
});
