import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { decodeCursor, encodeCursor } from '../../src/core/index.ts';

const history = fc.record({ timeNs: fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n), skip: fc.nat() });
const cursor = fc.record({
  epoch: fc.stringMatching(/^[a-z0-9]{1,40}$/),
  position: fc.maxSafeNat(),
  history: fc.option(history),
});

test('a cursor reads back as what it was made of, and fits into a URL', () => {
  fc.assert(
    fc.property(cursor, (value) => {
      const text = encodeCursor(value);
      expect(text).toMatch(/^[A-Za-z0-9_-]+$/);
      expect(decodeCursor(text)).toEqual(value);
    }),
  );
});

test.each([
  '',
  '%',
  'null',
  'e30',
  encodeCursor({ epoch: 'a', position: 1, history: null }).slice(0, -3),
  'A'.repeat(600),
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
