import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { LIMITS, type Cell, type ColumnBatch } from '../../../../src/core/index.ts';
import { BODY_BYTES, BodyPool, type BodyPoint } from '../../../../src/store/influx/write/body.ts';
import { Encoder } from '../../../../src/store/influx/write/encoder.ts';
import { BASE_NS, batchOf, shape, type Point } from '../../points.ts';

const room = shape('room', { t: 'float', n: 'integer', ok: 'boolean', note: 'string' }, ['zone']);
const MAX_NS = 2n ** 63n - 1n;

interface Encoded {
  bodies: string[][];
  lines: string[];
  refused: [ColumnBatch, number][];
  points: BodyPoint[];
}

function encode(
  batches: readonly ColumnBatch[],
  maxPoints: number = LIMITS.influxBodyMaxPoints,
  maxBytes = BODY_BYTES,
): Encoded {
  const pool = new BodyPool();
  const encoder = new Encoder(batches, pool);
  const bodies: string[][] = [];
  const points: BodyPoint[] = [];
  for (
    let body = encoder.next(maxPoints, maxBytes);
    body !== null;
    body = encoder.next(maxPoints, maxBytes)
  ) {
    const text = Buffer.from(body.bytes).toString();
    expect(text.endsWith('\n')).toBe(true);
    bodies.push(text.slice(0, -1).split('\n'));
    for (const point of encoder.points(body)) points.push({ ...point, bytes: Uint8Array.from(point.bytes) });
    pool.give(body);
  }
  return {
    bodies,
    lines: bodies.flat(),
    refused: encoder.refused.map(({ batch, row }) => [batch, row]),
    points,
  };
}

/** A field as line protocol has it; '' where it is missing, null where it has no form. */
function fieldText(value: Cell | undefined): string | null {
  if (value === null || value === undefined || Number.isNaN(value)) return '';
  if (typeof value === 'bigint') return `${value}i`;
  if (typeof value === 'string') return `"${value.replace(/["\\]/g, '\\$&')}"`;
  if (typeof value === 'number' && !Number.isFinite(value)) return null;
  return Object.is(value, -0) ? '-0' : String(value);
}

/** The same by the book: a map of series, a map of times in each, later rows over earlier ones. */
function reference(batches: readonly (readonly Point[])[]): { lines: string[]; refused: [number, number][] } {
  const series = new Map<string, Map<bigint, Map<string, string>>>();
  const refused: [number, number][] = [];
  batches.forEach((points, b) =>
    points.forEach(({ timeNs, device, tags, fields }, row) => {
      const zone = tags?.['zone'] ?? '';
      const texts = ['t', 'n', 'ok', 'note'].map((key) => [key, fieldText(fields[key])] as const);
      const infinite = texts.some(([, text]) => text === null);
      const empty = texts.every(([, text]) => text === '');
      if (/\\$|[\n\0]/.test(zone)) return refused.push([b, row]);
      // A series stands where its first row came, even if that one is no point.
      const key = `room,device=${device}${zone === '' ? '' : `,zone=${zone.replace(/[, =]/g, '\\$&')}`}`;
      const times = series.get(key) ?? new Map<bigint, Map<string, string>>();
      series.set(key, times);
      if (infinite || (!empty && timeNs === MAX_NS)) return refused.push([b, row]);
      if (empty) return 0;
      const point = times.get(timeNs) ?? new Map<string, string>();
      times.set(timeNs, point);
      for (const [field, text] of texts) if (text !== null && text !== '') point.set(field, text);
      return 0;
    }),
  );
  const lines = [...series].flatMap(([key, times]) =>
    [...times]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([timeNs, point]) => `${key} ${[...point].map((each) => each.join('=')).join(',')} ${timeNs}`),
  );
  return { lines, refused };
}

/** A line whose fields are in order of name, as their order says nothing. */
function normal(line: string): string {
  const [, prefix = '', fields = '', time = ''] = /^((?:[^\\ ]|\\.)*) (.*) (\d+)$/s.exec(line) ?? [];
  return `${prefix} ${fields
    .split(/,(?=(?:t|n|ok|note)=)/)
    .toSorted()
    .join(',')} ${time}`;
}

const text = fc.string({
  unit: fc.constantFrom('a', 'é', '€', '\u{1F600}', ' ', '"', '\\', '='),
  maxLength: 6,
});
const point: fc.Arbitrary<Point> = fc.record({
  timeNs: fc.oneof(
    { weight: 8, arbitrary: fc.bigInt({ min: 0n, max: 12n }).map((n) => BASE_NS + n) },
    fc.bigInt({ min: 0n, max: MAX_NS }),
    fc.constant(MAX_NS),
  ),
  device: fc.constantFrom('a', 'b', 'c'),
  tags: fc.record({
    zone: fc.oneof(fc.constantFrom(null, '', 'x', 'y=z', 'a b,c', 'é', 'end\\', 'li\nne'), text),
  }),
  fields: fc.record({
    t: fc.oneof(fc.constant(null), fc.double({ noNaN: true }), fc.constantFrom(-0, 21.5, Infinity)),
    n: fc.option(fc.bigInt({ min: -(2n ** 63n), max: MAX_NS }), { nil: null }),
    ok: fc.option(fc.boolean(), { nil: null }),
    note: fc.option(text, { nil: null }),
  }),
});

describe('batches as line protocol', () => {
  test('are what one would write by hand: one line per series and time, grouped and in order', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(point, { maxLength: 30 }), { minLength: 1, maxLength: 3 }),
        fc.integer({ min: 1, max: 20 }),
        (points, maxPoints) => {
          const batches = points.map((each) => batchOf(room, each));
          const expected = reference(points);
          const { lines, bodies, refused } = encode(batches, maxPoints);
          expect(lines.map(normal)).toEqual(expected.lines.map(normal));
          expect(bodies.every((body) => body.length <= maxPoints)).toBe(true);
          const places = refused.map(([batch, row]) => batches.indexOf(batch) * 1_000 + row);
          expect(places.toSorted((a, b) => a - b)).toEqual(
            expected.refused.map(([b, row]) => b * 1_000 + row),
          );
        },
      ),
      { numRuns: 500 },
    );
  });

  test('a point knows its rows, its own line, and what it is without some of them', () => {
    const points: Point[] = [
      { timeNs: BASE_NS, device: 'a', fields: { t: 1 } },
      { timeNs: BASE_NS + 1n, device: 'a', fields: { t: 2, n: 2n } },
      { timeNs: BASE_NS, device: 'b', fields: { ok: true } },
      { timeNs: BASE_NS + 1n, device: 'a', fields: { t: 3 } },
      { timeNs: BASE_NS + 1n, device: 'a', fields: { note: 'x' } },
    ];
    const batch = batchOf(room, points);
    const sent = encode([batch]).points;
    expect(sent.map(({ refs }) => refs.map(({ row }) => row))).toEqual([[0], [1, 3, 4], [2]]);
    const line = (of: BodyPoint | null | undefined): string => Buffer.from(of?.bytes ?? []).toString();
    expect(line(sent[1])).toBe(`room,device=a t=3,n=2i,note="x" ${BASE_NS + 1n}\n`);
    const without = sent[1]?.without([false, true, false]);
    expect(line(without)).toBe(`room,device=a t=2,n=2i,note="x" ${BASE_NS + 1n}\n`);
    expect(without?.refs.map(({ row }) => row)).toEqual([1, 4]);
    expect(line(without?.without([true, false]))).toBe(`room,device=a note="x" ${BASE_NS + 1n}\n`);
    expect(sent[0]?.without([true])).toBeNull();
  });

  test('long texts end a body early, and a line longer than any body still goes', () => {
    const long = 'é'.repeat(BODY_BYTES / 4);
    const notes = ['a', long, 'b', `${long}${long}${long}`, 'c', long, long, long];
    const batch = batchOf(
      room,
      notes.map((note, i) => ({ timeNs: BASE_NS + BigInt(i), device: 'a', fields: { note } })),
    );
    const { lines, bodies } = encode([batch]);
    expect(lines).toEqual(notes.map((note, i) => `room,device=a note="${note}" ${BASE_NS + BigInt(i)}`));
    expect(bodies.length).toBeGreaterThan(3);
  });

  test('a body ends where it has as many bytes as asked, even if every row is of one time', () => {
    const of = (sameTime: boolean): ColumnBatch =>
      batchOf(
        room,
        Array.from({ length: 500 }, (_, i) => ({
          timeNs: BASE_NS + (sameTime ? 0n : BigInt(i)),
          device: 'a',
          fields: { n: BigInt(i) },
        })),
      );
    const bodies = encode([of(false)], LIMITS.influxBodyMaxPoints, 1_000).bodies;
    expect(bodies.flat()).toHaveLength(500);
    expect(Math.max(...bodies.map((lines) => lines.join('\n').length))).toBeLessThan(1_100);
    expect(encode([of(true)]).lines).toEqual([`room,device=a n=499i ${BASE_NS}`]);
  });

  test('no rows, and rows without a field, are no body', () => {
    expect(encode([]).bodies).toEqual([]);
    expect(encode([batchOf(room, [])]).bodies).toEqual([]);
    const empty = { timeNs: BASE_NS, device: 'a', fields: {} };
    expect(encode([batchOf(room, [empty, empty])]).bodies).toEqual([]);
  });
});
