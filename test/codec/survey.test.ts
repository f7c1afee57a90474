import avsc from 'avsc';
import fc from 'fast-check';
import { expect, test } from '@jest/globals';
import { compileSchema } from '../../src/codec/index.ts';
import { MillraceError } from '../../src/core/index.ts';
import { rootSchema } from './survey-schemas.ts';

const NOW_MS = 1_700_000_000_000;

function codeOf(call: () => unknown): string | null {
  try {
    call();
    return null;
  } catch (error) {
    if (error instanceof MillraceError) return error.code;
    throw error;
  }
}

test('a frame that is refused for a value is still counted by its readings', () => {
  const schema = compileSchema(rootSchema('time'));
  const type = avsc.Type.forSchema(JSON.parse(rootSchema('time')) as avsc.Schema);
  const bytes = type.toBuffer({
    device: 'b',
    readings: [
      { time: NOW_MS, x: 1 },
      { time: -1, x: Infinity },
    ],
  });
  expect(codeOf(() => schema.check(bytes, 0, bytes.length, 'a', NOW_MS))).toBe('device_mismatch');
  expect(codeOf(() => schema.check(bytes, 0, bytes.length, 'b', NOW_MS))).toBe('time_out_of_range');
  expect(schema.survey(bytes, 0, bytes.length)).toEqual({ readings: 2, timed: true });
});

test('bytes that are no record of the schema have no count', () => {
  const schema = compileSchema(rootSchema('time'));
  const type = avsc.Type.forSchema(JSON.parse(rootSchema('time')) as avsc.Schema);
  const bytes = type.toBuffer({ device: null, readings: [{ time: NOW_MS, x: 1 }] });
  for (let end = 0; end < bytes.length; end++) {
    expect(codeOf(() => schema.survey(bytes, 0, end))).toMatch(/^frame_/);
  }
  expect(codeOf(() => schema.survey(Buffer.concat([bytes, Buffer.of(0)]), 0, bytes.length + 1))).toBe(
    'frame_trailing',
  );
});

test('a record is timed only when each of its points takes its time from it', () => {
  const schema = compileSchema(rootSchema('optional'));
  const type = avsc.Type.forSchema(JSON.parse(rootSchema('optional')) as avsc.Schema);
  const times = fc.array(fc.option(fc.constant(NOW_MS)), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(times, fc.option(fc.constant(NOW_MS)), (readings, frameTime) => {
      const items = readings.map((time) => ({ time, x: 1 }));
      const bytes = type.toBuffer({ sent: frameTime, readings: items });
      const check = (): number => schema.check(bytes, 0, bytes.length, 'a', NOW_MS);
      const lacking = frameTime === null ? readings.filter((time) => time === null).length : 0;
      if (lacking > 1) expect(codeOf(check)).toBe('time_missing');
      else expect(check()).toBe(items.length);
      expect(schema.survey(bytes, 0, bytes.length)).toEqual({
        readings: items.length,
        timed: frameTime !== null || readings.every((time) => time !== null),
      });
    }),
  );
  const empty = type.toBuffer({ sent: null, readings: [] });
  expect(schema.survey(empty, 0, empty.length)).toEqual({ readings: 0, timed: false });
});
