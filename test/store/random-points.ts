import * as fc from 'fast-check';
import type { Cell } from '../../src/core/index.ts';
import { BASE_NS, SECOND_NS, type Point } from './points.ts';

/** The shape of random points. */
export const SAMPLE = {
  fields: { x: 'float', n: 'integer', ok: 'boolean', s: 'string' },
  tags: ['room', 'side'],
} as const;

const maybe = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(arbitrary, { freq: 3 });

/** Few devices, tags and times, so that they meet often. Every point has a field. */
const point: fc.Arbitrary<Point> = fc
  .record({
    second: fc.integer({ min: 0, max: 40 }),
    device: fc.constantFrom('random-a', 'random-b', 'random-B'),
    room: maybe(fc.constantFrom('hall', 'attic', 'Ünter', '\u{1f600}', '\uffee')),
    side: maybe(fc.constantFrom('l', 'r')),
    x: maybe(
      fc.oneof(
        fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e6, max: 1e6 }),
        fc.constantFrom(0.1, 21.3, Math.fround(21.3)),
      ),
    ),
    n: maybe(fc.bigInt({ min: -1_000_000_000_000n, max: 1_000_000_000_000n })),
    ok: maybe(fc.boolean()),
    s: maybe(fc.constantFrom('', 'a', 'b c')),
  })
  .map(({ second, device, room, side, x, n, ok, s }) => {
    const fields: Record<string, Cell> = { x, n, ok, s };
    if (x === null && n === null && ok === null && s === null) fields['n'] = 0n;
    return { timeNs: BASE_NS + BigInt(second) * SECOND_NS, device, tags: { room, side }, fields };
  });

/** Writes of batches of points. */
export const randomWrites: fc.Arbitrary<Point[][][]> = fc.array(
  fc.array(fc.array(point, { maxLength: 30 }), { minLength: 1, maxLength: 3 }),
  { minLength: 1, maxLength: 4 },
);

export const randomPoints: fc.Arbitrary<Point[]> = fc.array(point, { minLength: 1, maxLength: 80 });
