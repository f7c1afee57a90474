import { describe, expect, test } from '@jest/globals';
import { csvHeader, csvRowWriter, describeColumns, jsonRowWriter } from '../../src/api/rows-text.ts';

const columns = describeColumns(
  ['time', 'device', 'site', 'power', 'energy', 'on'],
  [{ name: 'power', float32: true }],
);
const timeNs = 1_700_000_000_123_456_789n;

describe('a row as CSV', () => {
  const write = csvRowWriter(columns);

  test('ends with CRLF and writes each type plainly', () => {
    expect(write([timeNs, 'a', 'roof', Math.fround(21.3), -5n, false])).toBe(
      '2023-11-14T22:13:20.123456789Z,a,roof,21.3,-5,false\r\n',
    );
  });

  test('quotes what holds commas, quotes or line breaks', () => {
    expect(write([timeNs, 'a', 'x,"y"\r\nz', null, 2n ** 60n, null])).toBe(
      '2023-11-14T22:13:20.123456789Z,a,"x,""y""\r\nz",,1152921504606846976,\r\n',
    );
    expect(csvHeader(describeColumns(['time', 'a,b'], []))).toBe('time,"a,b"\r\n');
  });

  test('tells an empty text from a missing value', () => {
    expect(write([timeNs, 'a', '', null, null, null])).toBe('2023-11-14T22:13:20.123456789Z,a,"",,,\r\n');
    expect(write([timeNs, 'a', null, Number.NaN, null, null])).toBe(
      '2023-11-14T22:13:20.123456789Z,a,,,,\r\n',
    );
  });
});

describe('a row as JSON', () => {
  test('has RFC 3339 times, short floats, and integers beyond 2^53 as text', () => {
    const text = jsonRowWriter(columns)([timeNs, 'a"b', null, Math.fround(0.1), 2n ** 53n + 1n, true]);
    expect(JSON.parse(text)).toEqual([
      '2023-11-14T22:13:20.123456789Z',
      'a"b',
      null,
      0.1,
      '9007199254740993',
      true,
    ]);
  });
});
