import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import {
  MAX_NUMBER_BYTES,
  putDouble,
  putFloat32,
  putInteger,
  putTime,
} from '../../../../src/store/influx/write/digits.ts';

const AT = 8;
const ALL_ONES = 0xff;

/** What `put` wrote at some place; it must spoil nothing in front and stay within its room. */
function written(put: (bytes: Uint8Array, view: DataView, at: number) => number): string {
  const bytes = Buffer.alloc(AT + MAX_NUMBER_BYTES + AT, ALL_ONES);
  const end = put(bytes, new DataView(bytes.buffer, bytes.byteOffset, bytes.length), AT);
  expect(bytes.subarray(0, AT).every((byte) => byte === ALL_ONES)).toBe(true);
  expect(bytes.subarray(AT + MAX_NUMBER_BYTES).every((byte) => byte === ALL_ONES)).toBe(true);
  return bytes.toString('latin1', AT, end);
}

const double = (value: number): string => written((bytes, view, at) => putDouble(bytes, view, at, value));
const float32 = (value: number): string => written((bytes, view, at) => putFloat32(bytes, view, at, value));
const text = (value: number): string => (Object.is(value, -0) ? '-0' : String(value));

const floats = new Float32Array(1);
const words = new Uint32Array(floats.buffer);
function floatOfBits(bits: number): number {
  words[0] = bits;
  return floats[0] ?? 0;
}
const doubles = new Float64Array(1);
const longs = new BigUint64Array(doubles.buffer);
function doubleOfBits(bits: bigint): number {
  longs[0] = bits;
  return doubles[0] ?? 0;
}

const manyRuns = { numRuns: 3_000 };

describe('a float32 is printed so that it reads back as its own double', () => {
  const check = (value: number): void => {
    const printed = float32(value);
    expect([printed, Number(printed)]).toEqual([printed, value]);
    expect(printed).toMatch(/^-?\d+(\.\d*[1-9])?(e[+-]\d+)?$/);
    expect(printed.length).toBeLessThanOrEqual(26);
  };

  test('whatever its bits', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), (bits) => {
        const value = floatOfBits(bits);
        if (Number.isFinite(value)) check(value);
      }),
      manyRuns,
    );
  });

  test('around every power of two and of ten, where neighbours are unevenly far', () => {
    for (let exponent = 0; exponent < 255; exponent++) {
      for (let step = -4; step <= 4; step++) {
        const bits = (exponent << 23) + step;
        if (bits < 0) continue;
        check(floatOfBits(bits));
        check(-floatOfBits(bits));
      }
    }
    for (let power = -45; power <= 38; power++) {
      floats[0] = Number(`1e${power}`);
      const bits = words[0] ?? 0;
      for (let step = -4; step <= 4; step++) check(floatOfBits(Math.max(0, bits + step)));
    }
  });

  test('as sensors send them, with up to nine digits', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -999_999_999, max: 999_999_999 }),
        fc.integer({ min: 0, max: 15 }),
        (n, k) => check(Math.fround(n / 10 ** k)),
      ),
      manyRuns,
    );
  });

  test('zeros, subnormals and the largest', () => {
    for (const bits of [0, 0x8000_0000, 1, 2, 3, 0x007f_ffff, 0x0080_0000, 0x7f7f_ffff, 0xff7f_ffff]) {
      check(floatOfBits(bits));
    }
    expect(float32(-0)).toBe('-0');
    expect(float32(floatOfBits(1))).toBe('1.401298464324817e-45');
    expect(float32(21.5)).toBe('21.5');
    expect(float32(Math.fround(21.3))).toBe('21.2999992370605469');
  });
});

describe('a double is printed as JavaScript prints it', () => {
  const check = (value: number): void => expect(double(value)).toBe(text(value));

  test('whatever its bits', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (bits) => {
        const value = doubleOfBits(bits);
        if (Number.isFinite(value)) check(value);
      }),
      manyRuns,
    );
  });

  test('decimals of up to 17 digits, and their neighbours', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: -(10n ** 17n), max: 10n ** 17n }),
        fc.integer({ min: 0, max: 24 }),
        fc.integer({ min: -1, max: 1 }),
        (n, k, step) => {
          const value = Number(`${n}e-${k}`);
          doubles[0] = value;
          check(value);
          check(doubleOfBits(BigInt.asUintN(64, (longs[0] ?? 0n) + BigInt(step))));
        },
      ),
      manyRuns,
    );
  });

  test('where a form of notation ends', () => {
    for (const edge of [1e-7, 1e-6, 1e15, 1e16, 1e21, 2 ** 31, 2 ** 32, 2 ** 53, 5e-324, Number.MAX_VALUE]) {
      doubles[0] = edge;
      const bits = longs[0] ?? 0n;
      for (let step = -4n; step <= 4n; step++) {
        const value = doubleOfBits(bits + step < 0n ? 0n : bits + step);
        if (!Number.isFinite(value)) continue;
        check(value);
        check(-value);
      }
    }
    check(0);
    check(-0);
  });
});

test('64-bit integers and times are printed with all their digits', () => {
  const halves = (value: bigint): [number, number] => [
    Number(BigInt.asIntN(32, value)),
    Number(BigInt.asIntN(32, value >> 32n)),
  ];
  const integer = (value: bigint): void => {
    expect(written((bytes, _, at) => putInteger(bytes, at, ...halves(value)))).toBe(String(value));
  };
  const time = (value: bigint): void => {
    expect(written((bytes, view, at) => putTime(bytes, view, at, ...halves(value)))).toBe(String(value));
  };
  const MAX = 2n ** 63n - 1n;
  for (let bits = 0n; bits <= 63n; bits++) {
    for (let step = -3n; step <= 3n; step++) {
      const value = 2n ** bits + step;
      if (value > MAX) continue;
      integer(value);
      integer(-value);
      if (value >= 0n) time(value);
    }
  }
  for (let power = 0n; power <= 18n; power++) {
    for (let step = -3n; step <= 3n; step++) {
      const value = 10n ** power + step;
      integer(value);
      integer(-value);
      if (value >= 0n) time(value);
    }
  }
  integer(-MAX - 1n);
  fc.assert(fc.property(fc.bigInt({ min: -MAX - 1n, max: MAX }), integer), manyRuns);
  fc.assert(fc.property(fc.bigInt({ min: 0n, max: MAX }), time), manyRuns);
  // Just below and at whole seconds, where the estimated quotient may be off by one.
  fc.assert(
    fc.property(
      fc.bigInt({ min: 0n, max: MAX / 10n ** 9n - 1n }),
      fc.bigInt({ min: -400n, max: 400n }),
      (s, n) => {
        if (s * 10n ** 9n + n >= 0n) time(s * 10n ** 9n + n);
      },
    ),
    manyRuns,
  );
});
