import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { MAX_TIME_NS, MillraceError } from '../../src/core/index.ts';
import {
  bindingOf,
  decodeKeyPage,
  decodeRowsPage,
  encodeKeyPage,
  encodeRowsPage,
} from '../../src/answers/index.ts';

const time = fc.bigInt({ min: 0n, max: MAX_TIME_NS });

describe('a page cursor', () => {
  test('brings back what was put in, and needs no escape in a URL', () => {
    fc.assert(
      fc.property(
        fc.record({
          fromNs: time,
          toNs: time,
          timeNs: time,
          skip: fc.nat(),
          tail: fc.string({ maxLength: 200 }),
          key: fc.option(fc.array(fc.tuple(fc.string(), fc.option(fc.string({ unit: 'grapheme' }))))),
        }),
        (page) => {
          const text = encodeRowsPage('b', page);
          expect(text).toMatch(/^[\w-]+$/);
          expect(decodeRowsPage('b', text)).toEqual(page);
        },
      ),
    );
    expect(decodeKeyPage('devices', encodeKeyPage('devices', 'pump-7'))).toBe('pump-7');
  });

  test('is bound to the parameters that it was made for', () => {
    const binding = bindingOf({ measurement: 'a', from: '-1h' });
    const text = encodeRowsPage(binding, { fromNs: 0n, toNs: 1n, timeNs: 0n, skip: 1, tail: 't', key: null });
    expect(decodeRowsPage(bindingOf({ measurement: 'a', from: '-1h' }), text).skip).toBe(1);
    expect(() => decodeRowsPage(bindingOf({ measurement: 'b', from: '-1h' }), text)).toThrow(
      expect.objectContaining({ code: 'cursor_invalid' }),
    );
    expect(() => decodeKeyPage('devices', text)).toThrow(expect.objectContaining({ code: 'cursor_invalid' }));
  });

  test('is refused, whatever else stands in its place', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json().map((text) => Buffer.from(text).toString('base64url')),
        ),
        (text) => {
          try {
            decodeRowsPage('b', text);
          } catch (error) {
            expect(error).toBeInstanceOf(MillraceError);
            expect(error).toMatchObject({ code: 'cursor_invalid' });
            return;
          }
          throw new Error(`taken: ${text}`);
        },
      ),
    );
  });

  test('is refused with times that no store can hold', () => {
    const text = Buffer.from(
      JSON.stringify(['r', 'b', '0', `${MAX_TIME_NS + 1n}`, '0', 0, '', null]),
    ).toString('base64url');
    expect(() => decodeRowsPage('b', text)).toThrow(expect.objectContaining({ code: 'cursor_invalid' }));
  });
});
