import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { shortestFloat32, type Cell } from '../../src/core/index.ts';
import { BASE_NS, float32Shape, shape, type Point, type Shape } from './points.ts';
import { cellsOf, expectRows, neverAborted, type Subject } from './subject.ts';

const MAX_INT64 = 2n ** 63n - 1n;
const MIN_INT64 = -(2n ** 63n);

/** One reading per value. */
function column(name: string, values: readonly (number | bigint | string)[]): Point[] {
  return values.map((value, i) => ({
    timeNs: BASE_NS + BigInt(i),
    device: 'values-a',
    fields: { [name]: value },
  }));
}

export function valueTests(subject: Subject): void {
  describe('values', () => {
    test('integers keep all 64 bits', async () => {
      const values = [0n, -1n, 2n ** 53n + 1n, MAX_INT64, MAX_INT64 - 1n, MIN_INT64, MIN_INT64 + 1n];
      const integers = shape('values_integers', { n: 'integer' });
      await subject.write(integers, column('n', values));
      expect((await subject.rows(integers.measurement)).map((row) => row[2])).toEqual(values);
    });

    test('floats keep every bit, subnormal ones and the negative zero included', async () => {
      const values = [
        0,
        -0,
        0.1,
        1 / 3,
        -1.5,
        2 ** 53 + 2,
        1e21,
        1e-7,
        Number.EPSILON,
        Number.MAX_VALUE,
        -Number.MAX_VALUE,
        Number.MIN_VALUE,
        -Number.MIN_VALUE,
        2 ** -1022 - 2 ** -1074,
        Math.fround(21.3),
      ];
      const floats = shape('values_floats', { x: 'float' });
      await subject.write(floats, column('x', values));
      expectRows(
        (await subject.rows(floats.measurement)).map((row) => [row[2] ?? null]),
        values.map((value) => [value]),
      );
    });

    test('any float reads back as itself', async () => {
      let run = 0;
      const double = fc.double({ noNaN: true, noDefaultInfinity: true });
      await fc.assert(
        fc.asyncProperty(fc.array(double, { minLength: 1, maxLength: 300 }), async (values) => {
          const floats = shape(`values_floats_${run++}`, { x: 'float' });
          await subject.write(floats, column('x', values));
          expectRows(
            (await subject.rows(floats.measurement)).map((row) => [row[2] ?? null]),
            values.map((value) => [value]),
          );
        }),
        { seed: 7, numRuns: 5 },
      );
    });

    test('what was written as float stays that float32 when a later schema says double, in every read', async () => {
      let run = 0;
      const float32 = fc.oneof(
        fc.float({ noNaN: true, noDefaultInfinity: true }),
        fc.integer({ min: -99_999, max: 99_999 }).map((n) => Math.fround(n / 1_000)),
      );
      await fc.assert(
        fc.asyncProperty(fc.array(float32, { minLength: 1, maxLength: 100 }), async (given) => {
          const doubles = shape(`values_widened_${run++}`, { x: 'float' });
          const floats = float32Shape(doubles);
          const old = [Math.fround(21.3), ...given];
          await subject.write(floats, column('x', old));
          const values = async ({ measurement }: Shape): Promise<Cell[][]> =>
            (await subject.rows(measurement)).map((row) => [row[2] ?? null]);
          const stored = old.map((value) => [value]);
          expectRows(await values(floats), stored);
          expectRows(await values(doubles), stored);
          // Doubles that no float32 is, though some print like one.
          const wide = [21.3, 0.1, 1 / 3, ...given.map(shortestFloat32)];
          await subject.write(
            doubles,
            wide.map((x, i) => ({
              timeNs: BASE_NS + BigInt(old.length + i),
              device: 'values-a',
              fields: { x },
            })),
          );
          const all = [...old, ...wide];
          expectRows(
            await values(doubles),
            all.map((value) => [value]),
          );
          const aggregates = (['first', 'last', 'min', 'max'] as const).map((fn) => ({
            field: 'x',
            fn,
            name: fn,
          }));
          const query = { aggregates, fromNs: BASE_NS };
          const [row] = await subject.aggregate(doubles.measurement, query);
          const [min, max] = [Math.min(...all), Math.max(...all)];
          expect(row?.slice(1)).toEqual([Math.fround(21.3), wide.at(-1), min, max]);
          const whole = { measurement: doubles.measurement, fields: [], devices: [], tags: {} };
          const newest = await cellsOf(await subject.store.latest(whole, neverAborted()));
          expect(newest.map((each) => each[2])).toEqual([wide.at(-1)]);
        }),
        { seed: 21, numRuns: 8 },
      );
    });

    test('times keep their nanoseconds', async () => {
      const times = [1n, BASE_NS + 123_456_789n, 9_223_372_036_000_000_001n];
      const early = shape('values_times', { x: 'float' });
      await subject.write(
        early,
        times.map((timeNs) => ({ timeNs, device: 'values-times', fields: { x: 1 } })),
      );
      const rows = await subject.rows(early.measurement, { fromNs: 0n, toNs: 9_223_372_036_854_775_806n });
      expect(rows.map(([timeNs]) => timeNs)).toEqual(times);
    });

    test.each([
      'values "quoted"',
      'values; DROP TABLE points',
      "values 'single'",
      'values, with = and space',
      'values ünï',
      '__proto__',
      'constructor',
      'Values_Case',
      'values_case',
      'select',
    ])('a measurement may be called %s', async (name) => {
      const hostile = shape(name, { x: 'integer' });
      await subject.write(hostile, column('x', [BigInt(name.length), 7n]));
      expect((await subject.rows(hostile.measurement)).map((row) => row[2])).toEqual([
        BigInt(name.length),
        7n,
      ]);
    });

    test('tags and fields may have hostile names, and names that differ in case alone are two', async () => {
      const names = [
        'a"b',
        'sp ace',
        "it's",
        'x,y',
        'x=y',
        '__proto__',
        'constructor',
        'toString',
        'ünï',
        'temp',
        'Temp',
        'TEMP',
        'select',
        'value',
        't',
        'd',
        'k0',
        'f0',
        'r',
        'rowid',
        '$1',
        '1',
      ];
      const hostile = shape('values_names', Object.fromEntries(names.map((name) => [name, 'integer'])), [
        'k1',
        'tag "q"',
        'tag sp',
        'Tag sp',
        'b',
      ]);
      const { measurement } = hostile;
      const fields = Object.fromEntries(measurement.fields.map(({ name }, i) => [name, BigInt(i)]));
      const tags = Object.fromEntries(measurement.tags.map(({ name }) => [name, `v ${name}`]));
      const timeNs = BASE_NS;
      await subject.write(hostile, [{ timeNs, device: 'values-a', tags, fields }]);
      await subject.write(hostile, [{ timeNs, device: 'values-a', tags, fields }]);
      const expected = [
        timeNs,
        'values-a',
        ...Object.values(tags),
        ...measurement.fields.map((_, i) => BigInt(i)),
      ];
      expectRows(await subject.rows(measurement), [expected]);
      const group = measurement.tags.map(({ name }) => name);
      const aggregates = measurement.fields.map(({ name }) => ({ field: name, fn: 'last' as const, name }));
      expectRows(await subject.aggregate(measurement, { aggregates, group, fromNs: timeNs }), [
        [timeNs, ...expected.slice(2)],
      ]);
    });
  });
}
