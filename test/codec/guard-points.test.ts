import { describe, expect, test } from '@jest/globals';
import { compileSchema } from '../../src/codec/index.ts';
import { LIMITS } from '../../src/core/index.ts';
import { refusalOf } from './refusals.ts';
import { NOW_MS, TIME, compile, dayAhead, field, items, timed, verdict, zigzag } from './verdict.ts';

describe('the tags of one point', () => {
  const string = (value: string): string =>
    `${zigzag(BigInt(Buffer.byteLength(value)))}${Buffer.from(value).toString('hex')}`;
  const most = LIMITS.maxTagBytes;

  test('are together no longer than InfluxDB has room for', () => {
    const two = compile([field('a', 'string'), field('b', ['null', 'string']), field('x', 'int')]);
    const half = most / 2;
    const at = (a: string, b: string) => verdict(two, `${string(a)}02${string(b)}00`);
    expect(at('a'.repeat(half), 'b'.repeat(half))).toBe(1);
    expect(at('a'.repeat(half), 'b'.repeat(half + 1))).toBe('value_unusable');
    expect(at('é'.repeat(half / 2), 'ü'.repeat(half / 2))).toBe(1);
    expect(verdict(two, `${string('a'.repeat(half))}0000`)).toBe(1);
  });

  test.each([' ', ',', '='])('count "%s" twice, as line protocol does', (sign) => {
    const one = compile([field('a', 'string'), field('x', 'int')]);
    expect(verdict(one, `${string(sign.repeat(most / 2))}00`)).toBe(1);
    expect(verdict(one, `${string(sign.repeat(most / 2 + 1))}00`)).toBe('value_unusable');
  });

  test("are the frame's and the reading's, wherever they stand; the reading is named", () => {
    const schema = compile([
      field('r', items([field('t', TIME), field('tag', 'string'), field('x', 'int')])),
      field('site', 'string'),
    ]);
    const reading = (tag: string): string => `${zigzag(BigInt(NOW_MS))}${string(tag)}00`;
    const site = string('s'.repeat(most / 2));
    const half = 'r'.repeat(most / 2);
    expect(verdict(schema, `06${reading(half)}${reading('')}${reading(half)}00${site}`)).toBe(3);
    expect(verdict(schema, `06${reading(half)}${reading(`${half}r`)}${reading(half)}00${site}`)).toBe(
      'value_unusable r[1]',
    );
  });

  test('leave room for their names', () => {
    const names = Array.from({ length: 200 }, (_, n) => `${'n'.repeat(90)}${n}`);
    const many = compile([
      field('a', 'string'),
      field('b', 'string'),
      ...names.map((name) => field(name, 'boolean', { role: 'tag' })),
      field('x', 'int'),
    ]);
    const half = string('a'.repeat(most / 2));
    expect(verdict(many, `${half}${half}${'00'.repeat(200)}00`)).toBe('value_unusable');
    expect(verdict(many, `${half}00${'00'.repeat(200)}00`)).toBe(1);
  });
});

describe('times', () => {
  test.each([
    ['millis', 1n],
    ['micros', 1_000n],
    ['nanos', 1_000_000n],
  ])('in %s lie from 2000 to a day ahead', (unit, perMs) => {
    const schema = timed(unit);
    const at = (time: bigint) => verdict(schema, `${zigzag(time)}00`);
    const first = BigInt(Date.UTC(2000, 0, 1));
    expect(at(first * perMs)).toBe(1);
    expect(at((first - 1n) * perMs)).toBe('time_out_of_range t');
    expect(at(0n)).toBe('time_out_of_range t');
    expect(at(-1n)).toBe('time_out_of_range t');
    expect(at(dayAhead * perMs)).toBe(1);
    expect(at((dayAhead + 1n) * perMs)).toBe('time_out_of_range t');
    expect(at(2n ** 63n - 1n)).toBe('time_out_of_range t');
    expect(at(-(2n ** 63n))).toBe('time_out_of_range t');
  });

  test('begin in 1970 where the setting says so', () => {
    const schema = timed('millis', { minTimeMs: 0 });
    expect(verdict(schema, `${zigzag(0n)}00`)).toBe(1);
    expect(verdict(schema, `${zigzag(-1n)}00`)).toBe('time_out_of_range t');
  });

  const earliest = 'before 2000-01-01T00:00:00Z, the earliest time that is taken';
  const latest = 'after 2026-01-02T00:00:00Z, the latest time that is taken by now';
  test.each([
    [
      'millis',
      1_760_000_000n,
      `the time 1970-01-21T08:53:20Z, 1760000000 milliseconds since 1970, is ${earliest}; as seconds it would be 2025-10-09T08:53:20Z`,
    ],
    [
      'micros',
      1_760_000_000_000n,
      `the time 1970-01-21T08:53:20Z, 1760000000000 microseconds since 1970, is ${earliest}; as milliseconds it would be 2025-10-09T08:53:20Z`,
    ],
    [
      'millis',
      1_760_000_000_000_001n,
      `the time, 1760000000000001 milliseconds since 1970, is ${latest}; as microseconds it would be 2025-10-09T08:53:20.000001Z`,
    ],
    [
      'nanos',
      1_760_000_000n,
      `the time 1970-01-01T00:00:01.760Z, 1760000000 nanoseconds since 1970, is ${earliest}; as seconds it would be 2025-10-09T08:53:20Z`,
    ],
    ['millis', 0n, `the time 1970-01-01T00:00:00Z, 0 milliseconds since 1970, is ${earliest}`],
    ['millis', -1n, `the time 1969-12-31T23:59:59.999Z, -1 milliseconds since 1970, is ${earliest}`],
    [
      'nanos',
      -(2n ** 63n),
      `the time 1677-09-21T00:12:43.145224192Z, ${-(2n ** 63n)} nanoseconds since 1970, is ${earliest}`,
    ],
    ['millis', 2n ** 63n - 1n, `the time, ${2n ** 63n - 1n} milliseconds since 1970, is ${latest}`],
    [
      'millis',
      1_800_000_000_000n,
      `the time 2027-01-15T08:00:00Z, 1800000000000 milliseconds since 1970, is ${latest}`,
    ],
  ])(
    'in %s that are outside are told as times, with the limit and the unit that was meant: %s',
    (unit, time, message) => {
      const bytes = Buffer.from(`${zigzag(time)}00`, 'hex');
      const error = refusalOf(() => timed(unit).check(bytes, 0, bytes.length, 'd1', NOW_MS));
      expect(error.message).toBe(`t: ${message}`);
    },
  );

  test('end in 2262 however far ahead they may lie, and never overflow', () => {
    for (const [unit, perMs] of [
      ['millis', 1n],
      ['micros', 1_000n],
      ['nanos', 1_000_000n],
    ] as const) {
      const text = JSON.stringify({
        type: 'record',
        name: 'T',
        fields: [field('t', { type: 'long', logicalType: `timestamp-${unit}` }), field('x', 'int')],
      });
      const schema = compileSchema(text, { maxTimeAheadMs: 1e15 });
      expect(verdict(schema, `${zigzag(9_223_372_036_854n * perMs)}00`)).toBe(1);
      expect(
        verdict(
          schema,
          `${zigzag(9_223_372_036_855n * perMs > 2n ** 63n - 1n ? -1n : 9_223_372_036_855n * perMs)}00`,
        ),
      ).toBe('time_out_of_range t');
    }
  });

  test('of the wrong reading are named', () => {
    const schema = compile([
      field(
        'readings',
        items([field('t', { type: 'long', logicalType: 'timestamp-millis' }), field('x', 'int')]),
      ),
    ]);
    expect(verdict(schema, `04 ${zigzag(BigInt(NOW_MS))} 00 01 00 00`)).toBe(
      'time_out_of_range readings[1].t',
    );
  });
});

describe('readings without a time', () => {
  const optional = ['null', TIME];
  const now = zigzag(BigInt(NOW_MS));

  test('are refused where a frame has more than one: they would have the same', () => {
    const schema = compile([
      field('r', items([field('t', optional), field('x', 'int')])),
      field('sent', optional),
    ]);
    expect(verdict(schema, '02 00 00 00 00')).toBe(1);
    expect(verdict(schema, '04 00 00 00 02 00 00')).toBe('time_missing r');
    expect(verdict(schema, `04 00 00 02 ${now} 02 00 00`)).toBe(2);
    expect(verdict(schema, `04 00 00 00 02 00 02 ${now}`)).toBe(2);
  });

  test('of a schema from before that has no time at all are refused too', () => {
    const schema = compile([field('r', items([field('x', 'int')]))]);
    expect(verdict(schema, '02 00 00')).toBe(1);
    expect(verdict(schema, '02 00 02 00 00')).toBe('time_missing r');
  });
});
