import { expect, test } from '@jest/globals';
import avsc from 'avsc';
import fc from 'fast-check';
import { checkTime } from '../../src/codec/check-values.ts';
import { REFUSED } from '../../src/codec/refusal.ts';

const LONG = avsc.Type.forSchema('long');

function check(
  value: number,
  perMs: number,
  [earliestMs, latestMs]: [number, number],
  behind: number,
): number {
  const encoded = LONG.toBuffer(value);
  const bytes = Buffer.concat([Buffer.alloc(3, 0xff), encoded, Buffer.alloc(behind, 0x80)]);
  const next = checkTime(bytes, 3, bytes.length, perMs, earliestMs, latestMs);
  return next < 0 ? next : next - 3 - encoded.length;
}

const time = fc.oneof(
  fc.integer({ min: -(2 ** 42), max: 2 ** 42 }),
  // Where the bytes that a time takes become more.
  fc.tuple(fc.integer({ min: 0, max: 45 }), fc.integer({ min: -2, max: 2 })).map(([n, by]) => 2 ** n + by),
);

test('a time is taken from the earliest to the latest allowed, however many bytes it has', () => {
  fc.assert(
    fc.property(
      time,
      fc.constantFrom(1, 1_000),
      fc.integer({ min: -1, max: 1 }),
      fc.integer({ min: -1, max: 1 }),
      fc.nat(8),
      (value, perMs, by, earlier, behind) => {
        const latestMs = Math.trunc(value / perMs) + by;
        const earliestMs = Math.max(0, Math.trunc(value / perMs) + earlier);
        const expected = value < earliestMs * perMs || value > latestMs * perMs ? REFUSED.time : 0;
        expect(check(value, perMs, [earliestMs, latestMs], behind)).toBe(expected);
      },
    ),
    { numRuns: 3_000 },
  );
});

test('a time of six bytes that ends in an empty one is not in its shortest form', () => {
  const bytes = Uint8Array.of(0x80, 0x80, 0x80, 0x80, 0x80, 0x00);
  expect(checkTime(bytes, 0, bytes.length, 1, 0, 2 ** 41)).toBe(REFUSED.varint);
});

test('a time that is cut off is refused at any byte', () => {
  const bytes = LONG.toBuffer(1_764_000_000_000);
  for (let end = 0; end < bytes.length; end++) {
    expect(checkTime(bytes, 0, end, 1, 0, 2 ** 41)).toBe(REFUSED.truncated);
  }
});
