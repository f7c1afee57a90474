import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { LIMITS, ROW_DIGEST_CHARS, decodeCursor, encodeCursor, rowKeyBytes } from '../../src/core/index.ts';

const text = fc.string({ unit: 'binary', maxLength: 120 });
const key = fc
  .array(fc.tuple(text, fc.option(text)), { maxLength: 6 })
  .filter((each) => rowKeyBytes(each) <= LIMITS.tailCursorKeyBytes);
const row = fc.oneof(
  fc.record({ by: fc.constant('key' as const), key }),
  fc.record({
    by: fc.constant('digest' as const),
    digest: fc.base64String({ minLength: 24, maxLength: 24 }).map((each) => {
      return Buffer.from(each, 'base64')
        .toString('base64url')
        .padEnd(ROW_DIGEST_CHARS, 'A')
        .slice(0, ROW_DIGEST_CHARS);
    }),
  }),
  fc.record({ by: fc.constant('count' as const), count: fc.integer({ min: 1 }) }),
);
const history = fc.record({ timeNs: fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n), row: fc.option(row) });
const cursor = fc.record({
  epoch: fc.stringMatching(/^[a-z0-9]{1,64}$/),
  position: fc.maxSafeNat(),
  history: fc.option(history),
});

test('a cursor reads back as what it was made of, and fits into a parameter', () => {
  fc.assert(
    fc.property(cursor, (value) => {
      const text = encodeCursor(value);
      expect(text).toMatch(/^[A-Za-z0-9_-]+$/);
      expect(text.length).toBeLessThanOrEqual(LIMITS.maxParameterLength);
      expect(decodeCursor(text)).toEqual(value);
    }),
  );
});

test('a cursor of an earlier version, which counted the rows of one time, reads back too', () => {
  const old = (history: unknown): string =>
    Buffer.from(JSON.stringify(['e', 7, history])).toString('base64url');
  expect(decodeCursor(old(['12', 0])).history).toEqual({ timeNs: 12n, row: null });
  const counted = decodeCursor(old(['12', 34]));
  expect(counted.history).toEqual({ timeNs: 12n, row: { by: 'count', count: 34 } });
  expect(encodeCursor(counted)).toBe(old(['12', 34]));
});

test.each([
  '',
  '%',
  'null',
  'e30',
  encodeCursor({ epoch: 'a', position: 1, history: null }).slice(0, -3),
  'A'.repeat(1_200),
])('refuses %p, which no server made', (text) => {
  expect(() => decodeCursor(text)).toThrow(expect.objectContaining({ code: 'cursor_invalid' }));
});

test('refuses any text without failing otherwise', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      try {
        decodeCursor(Buffer.from(text).toString('base64url'));
      } catch (error) {
        expect(error).toMatchObject({ code: 'cursor_invalid' });
      }
    }),
  );
});
