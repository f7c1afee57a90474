import { describe, test } from '@jest/globals';
import * as fc from 'fast-check';
import type { Cell } from '../../src/core/index.ts';
import type { Store } from '../../src/store/index.ts';
import { DuckDbFolders } from './duckdb-folder.ts';
import { BASE_NS, batchOf, shape, type Point, type Shape } from './points.ts';
import { cellsOf, expectRows, neverAborted, rowsQuery } from './subject.ts';

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
  const sorted = shown.toSorted((a, b) => (a.timeNs < b.timeNs ? -1 : 1));
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

  test('any mix of rows in and out of order is stored whole', async () => {
    const store = await folders.open(await folders.file());
    let run = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(3), fc.nat(40), fc.nat(1_000)), { minLength: 1, maxLength: 300 }),
        async (rows) => {
          const of = shape(`mix_${run++}`, { n: 'integer', x: 'float' }, ['room']);
          const times = new Set<bigint>();
          const points = rows.flatMap(([device, back, i]): Point[] => {
            // Mostly forward, and never the same time twice.
            const timeNs = BASE_NS + BigInt((times.size * 20 - back) * 1_000 + i);
            if (times.has(timeNs)) return [];
            times.add(timeNs);
            const room = back % 3 === 0 ? null : `room ${back % 3}`;
            return [{ timeNs, device: `d${device}`, tags: { room }, fields: { n: BigInt(i), x: back } }];
          });
          const middle = points.length >> 1;
          await store.write([batchOf(of, points.slice(0, middle)), batchOf(of, points.slice(middle))], {
            epoch: 'e',
            position: run,
            refused: [],
          });
          await expectStored(store, of, points);
        },
      ),
      { numRuns: 40 },
    );
  });
});
