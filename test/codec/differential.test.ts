import { appendFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { compileSchema } from '../../src/codec/index.ts';
import { ColumnBatch, ERRORS, MillraceError } from '../../src/core/index.ts';
import { avscType, NOW_MS, randomFrames } from './random-schemas.ts';

/** What fuzz.mjs asked for; without it the short form runs, with a seed of its own. */
const { CODEC_RUNS, CODEC_SEED, CODEC_RESULTS } = process.env;
const RUNS = Number(CODEC_RUNS ?? 200);
const seeded = CODEC_SEED === undefined ? {} : { seed: Number(CODEC_SEED) };

/** Writes down for fuzz.mjs how many frames were compared. */
function compared(what: string, cases: number): void {
  if (CODEC_RESULTS !== undefined) appendFileSync(CODEC_RESULTS, `${JSON.stringify({ what, cases })}\n`);
}

test('frames of random schemas that avsc encoded become exactly their points', () => {
  let cases = 0;
  fc.assert(
    fc.property(randomFrames, (frames) => {
      const schema = frames[0]?.schema ?? {};
      cases += frames.length;
      const type = avscType(schema);
      const compiled = compileSchema(JSON.stringify(schema));
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
        expect(compiled.check(bytes, 3, bytes.length, 'd1', NOW_MS)).toBe(points.length);
        compiled.decode(bytes, 3, bytes.length, batch, 'd1', NOW_MS, position);
        for (const { timeNs, cells } of points) {
          const columns = compiled.mapping.columns.map(({ name }) => cells[name]);
          expected.push([timeNs, 'd1', position, ...columns]);
        }
      }
      const found = Array.from({ length: batch.rows }, (_, row) => [
        batch.timeNs[row],
        batch.device[row],
        batch.position[row],
        ...compiled.mapping.columns.map((_column, index) => batch.cell(index, row)),
      ]);
      expect(found).toEqual(expected);
    }),
    { numRuns: RUNS, ...seeded },
  );
  compared('whole', cases);
});

test('a frame that is cut anywhere, or has a byte more, is refused', () => {
  let cases = 0;
  fc.assert(
    fc.property(randomFrames, ([frame]) => {
      const { schema, value } = frame ?? { schema: {}, value: {} };
      const compiled = compileSchema(JSON.stringify(schema));
      const bytes = Buffer.concat([avscType(schema).toBuffer(value), Buffer.from([0])]);
      for (let end = 0; end <= bytes.length; end++) {
        if (end === bytes.length - 1) continue;
        cases++;
        expect(() => compiled.check(bytes, 0, end, 'd1', NOW_MS)).toThrow(MillraceError);
      }
    }),
    { numRuns: RUNS / 4, ...seeded },
  );
  compared('cut', cases);
});

test('of damaged frames the guard takes only those that avsc reads to the end', () => {
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
      const compiled = compileSchema(JSON.stringify(schema));
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
        const record = type.fromBuffer(bytes) as { readings?: unknown[] };
        expect(readings).toBe(record.readings?.length ?? 1);
        const batch = new ColumnBatch(compiled.mapping, 2);
        compiled.decode(bytes, 0, bytes.length, batch, 'd1', NOW_MS, 0);
        expect(batch.rows).toBe(readings);
      }
    }),
    { numRuns: RUNS / 4, ...seeded },
  );
  compared('damaged', cases);
  // Flipped bits of numbers and text are still numbers and text.
  expect(taken).toBeGreaterThan(RUNS / 4);
});
