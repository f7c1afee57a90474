import { appendFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { compileSchema } from '../../src/codec/index.ts';
import { ColumnBatch, ERRORS, LIMITS, MillraceError } from '../../src/core/index.ts';
import { BODY_BYTES, BodyPool } from '../../src/store/influx/write/body.ts';
import { Encoder } from '../../src/store/influx/write/encoder.ts';
import { expectedPoints, isTimed } from './expected-points.ts';
import { parseLines, type Line } from './line-protocol.ts';
import { codeOf } from './refusals.ts';
import { avscType, NOW_MS, randomFrames, receiptNs, type Point } from './random-schemas.ts';

/** What fuzz.mjs asked for; without it the short form runs, with a seed of its own. */
const { CODEC_RUNS, CODEC_SEED, CODEC_RESULTS } = process.env;
const RUNS = Number(CODEC_RUNS ?? 200);
const seeded = CODEC_SEED === undefined ? {} : { seed: Number(CODEC_SEED) };

/** Writes down for fuzz.mjs how many frames were compared. */
function compared(what: string, cases: number): void {
  if (CODEC_RESULTS !== undefined) appendFileSync(CODEC_RESULTS, `${JSON.stringify({ what, cases })}\n`);
}

function isRefused(read: () => unknown): boolean {
  try {
    read();
    return false;
  } catch (error) {
    if (error instanceof MillraceError) return true;
    throw error;
  }
}

/** What is in a batch, row by row: time, device, position, then the columns. */
function rowsOf(batch: ColumnBatch): unknown[][] {
  return Array.from({ length: batch.rows }, (_, row) => [
    batch.timeNs[row],
    batch.device[row],
    batch.position[row],
    ...batch.columns.map((_column, index) => batch.cell(index, row)),
  ]);
}

/** Those of the points that have a field. */
function stored<P extends Point>(points: readonly P[], columns: ColumnBatch['mapping']['columns']): P[] {
  return points.filter(({ cells }) => {
    return columns.some(({ name, role }) => role === 'field' && (cells[name] ?? null) !== null);
  });
}

/** Whether the guard must refuse a record that is right otherwise: more than one of its points has no time. */
function lacksTimes(points: readonly Point[]): boolean {
  return points.filter(({ timeNs }) => timeNs === null).length > 1;
}

function rowsOfPoints(
  points: readonly Point[],
  { columns }: ColumnBatch['mapping'],
  position: number,
): unknown[][] {
  return stored(points, columns).map(({ timeNs, cells }) => [
    timeNs ?? receiptNs(position),
    'd1',
    position,
    ...columns.map(({ name }) => cells[name] ?? null),
  ]);
}

/** All lines that a batch is sent as, in bodies of a few points, and how many of its rows have none. */
function encoded(batch: ColumnBatch): { lines: Line[]; refused: number } {
  const pool = new BodyPool();
  const encoder = new Encoder([batch], pool);
  const lines: Line[] = [];
  for (let body = encoder.next(7, BODY_BYTES); body !== null; body = encoder.next(7, BODY_BYTES)) {
    lines.push(...parseLines(Buffer.from(body.bytes).toString()));
    pool.give(body);
  }
  return { lines, refused: encoder.refused.length };
}

/** The lines by the book: of each series and time the newest value of each field. */
function expectedLines(
  points: readonly (Point & { timeNs: bigint })[],
  { columns, measurement }: ColumnBatch['mapping'],
): Map<string, Map<string, unknown>> {
  const lines = new Map<string, Map<string, unknown>>();
  for (const { timeNs, cells } of stored(points, columns)) {
    const tags: [string, string][] = [['device', 'd1']];
    for (const { name, role } of columns) {
      const value = cells[name];
      if (role === 'tag' && typeof value === 'string') tags.push([name, value]);
    }
    const key = seriesKey(measurement, tags, timeNs);
    const fields = lines.get(key) ?? new Map<string, unknown>();
    lines.set(key, fields);
    for (const { name, role, float32 } of columns) {
      const value = cells[name] ?? null;
      if (role === 'field' && value !== null)
        fields.set(name, float32 ? new Float32(value as number) : value);
    }
  }
  return lines;
}

/** A value of a column that is printed as the shortest text of the same float32. */
class Float32 {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
}

function seriesKey(measurement: string, tags: Iterable<[string, string]>, timeNs: bigint): string {
  return JSON.stringify([measurement, [...tags].toSorted(([a], [b]) => (a < b ? -1 : 1)), String(timeNs)]);
}

/** Whether the text of a field says the value. */
function says(text: string, value: unknown): boolean {
  if (typeof value === 'string') return text === `"${value}"`;
  if (typeof value === 'bigint') return text === `${value}i`;
  if (typeof value === 'boolean') return text === String(value);
  if (value instanceof Float32) return Object.is(Math.fround(Number(text)), value.value);
  return Object.is(Number(text), value);
}

test('frames of random schemas that avsc encoded become exactly their points', () => {
  let cases = 0;
  fc.assert(
    fc.property(randomFrames, (frames) => {
      const schema = frames[0]?.schema ?? {};
      cases += frames.length;
      const type = avscType(schema);
      const compiled = compileSchema(JSON.stringify(schema), { minTimeMs: 0 });
      // Small, so that it grows in the middle of frames.
      const batch = new ColumnBatch(compiled.mapping, 2);
      // What other frames have left in its memory must not show.
      for (const { value } of frames.toReversed()) {
        const bytes = type.toBuffer(value);
        compiled.decode(bytes, 0, bytes.length, batch, 'other', NOW_MS, 7);
      }
      batch.clear();
      const expected: unknown[] = [];
      for (const [position, { value, points }] of frames.entries()) {
        const bytes = Buffer.concat([Buffer.from([1, 2, 3]), type.toBuffer(value)]);
        const check = (): number => compiled.check(bytes, 3, bytes.length, 'd1', NOW_MS);
        if (lacksTimes(points)) expect(codeOf(check)).toBe('time_missing');
        else expect(check()).toBe(points.length);
        const timed = isTimed(schema, value);
        expect(compiled.survey(bytes, 3, bytes.length)).toEqual({ readings: points.length, timed });
        compiled.decode(bytes, 3, bytes.length, batch, 'd1', NOW_MS, position);
        expected.push(...rowsOfPoints(points, compiled.mapping, position));
      }
      expect(rowsOf(batch)).toEqual(expected);
    }),
    { numRuns: RUNS, ...seeded },
  );
  compared('whole', cases);
});

test('frames of random schemas become exactly the lines of line protocol that their points are', () => {
  let cases = 0;
  fc.assert(
    fc.property(randomFrames, (frames) => {
      const schema = frames[0]?.schema ?? {};
      cases += frames.length;
      const type = avscType(schema);
      const compiled = compileSchema(JSON.stringify(schema), { minTimeMs: 0 });
      const batch = new ColumnBatch(compiled.mapping, 2);
      for (const [position, { value }] of frames.entries()) {
        const bytes = type.toBuffer(value);
        compiled.decode(bytes, 0, bytes.length, batch, 'd1', NOW_MS, position);
      }
      const points = frames.flatMap((frame, position) =>
        frame.points.map(({ timeNs, cells }) => ({ timeNs: timeNs ?? receiptNs(position), cells })),
      );
      expect(points.length).toBeLessThan(LIMITS.influxBodyPoints);
      const expected = expectedLines(points, compiled.mapping);
      const { lines, refused } = encoded(batch);
      expect(refused).toBe(0);
      const keys = lines.map(({ measurement, tags, timeNs }) => seriesKey(measurement, tags, timeNs));
      expect(new Set(keys)).toEqual(new Set(expected.keys()));
      expect(keys).toHaveLength(expected.size);
      for (const [n, { fields }] of lines.entries()) {
        const wanted = expected.get(keys[n] ?? '') ?? new Map<string, unknown>();
        expect([...fields.keys()].toSorted()).toEqual([...wanted.keys()].toSorted());
        const wrong = [...fields].filter(([name, text]) => !says(text, wanted.get(name)));
        expect(wrong).toEqual([]);
      }
    }),
    { numRuns: RUNS, ...seeded },
  );
  compared('lines', cases);
});

test('a frame that is cut anywhere, or has a byte more, is refused', () => {
  let cases = 0;
  fc.assert(
    fc.property(randomFrames, ([frame]) => {
      const { schema, value } = frame ?? { schema: {}, value: {} };
      const compiled = compileSchema(JSON.stringify(schema), { minTimeMs: 0 });
      const bytes = Buffer.concat([avscType(schema).toBuffer(value), Buffer.from([0])]);
      const taken: number[] = [];
      for (let end = 0; end <= bytes.length; end++) {
        if (end === bytes.length - 1) continue;
        cases++;
        if (!isRefused(() => compiled.check(bytes, 0, end, 'd1', NOW_MS))) taken.push(end);
        if (!isRefused(() => compiled.survey(bytes, 0, end))) taken.push(end);
      }
      expect(taken).toEqual([]);
    }),
    { numRuns: RUNS / 4, ...seeded },
  );
  compared('cut', cases);
});

test('of damaged frames the guard takes only those that avsc reads to the end, and they become what it reads', () => {
  const damage = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), {
    minLength: 1,
    maxLength: 4,
  });
  let taken = 0;
  let cases = 0;
  fc.assert(
    fc.property(randomFrames, fc.array(damage, { minLength: 20, maxLength: 20 }), ([frame], damages) => {
      const { schema, value } = frame ?? { schema: {}, value: {} };
      const type = avscType(schema);
      const compiled = compileSchema(JSON.stringify(schema), { minTimeMs: 0 });
      for (const changes of damages) {
        cases++;
        const bytes = Buffer.from(type.toBuffer(value));
        for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
        let readings: number;
        try {
          readings = compiled.check(bytes, 0, bytes.length, 'd1', NOW_MS);
        } catch (error) {
          expect(error).toBeInstanceOf(MillraceError);
          if (error instanceof MillraceError) expect(ERRORS[error.code].status).toBe(400);
          continue;
        }
        taken++;
        const record: unknown = type.fromBuffer(bytes);
        const points = expectedPoints(schema, record);
        const timed = isTimed(schema, record);
        expect(compiled.survey(bytes, 0, bytes.length)).toEqual({ readings: points.length, timed });
        expect(readings).toBe(points.length);
        const batch = new ColumnBatch(compiled.mapping, 2);
        compiled.decode(bytes, 0, bytes.length, batch, 'd1', NOW_MS, 0);
        expect(rowsOf(batch)).toEqual(rowsOfPoints(points, compiled.mapping, 0));
      }
    }),
    { numRuns: RUNS / 4, ...seeded },
  );
  compared('damaged', cases);
  // Flipped bits of numbers and text are still numbers and text.
  expect(taken).toBeGreaterThan(RUNS / 4);
});
