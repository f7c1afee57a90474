import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { FORMS, type AnswerForm, type AnswerWriter } from '../../src/answers/index.ts';
import { negotiate } from '../../src/api/negotiate.ts';
import { queryInput } from '../../src/api/plan.ts';
import { rowsOutputs } from '../../src/api/rows-answer.ts';
import {
  DEVICE_COLUMN,
  FORM_NAMES,
  TIME_COLUMN,
  batchOfRows,
  type AnswerColumn,
  type Cell,
  type StoredType,
} from '../../src/core/index.ts';

const column = (name: string, type: StoredType, float32 = false): AnswerColumn => ({
  name,
  role: 'field',
  type,
  float32,
  unit: null,
});
const columns = [
  TIME_COLUMN,
  DEVICE_COLUMN,
  column('site', 'string'),
  column('power', 'float', true),
  column('energy', 'integer'),
  column('on', 'boolean'),
];
/** Writes one row of the form. */
const writerOf =
  (form: AnswerForm) =>
  (row: readonly Cell[]): string => {
    const writer = form.open({ measurement: 'meter', columns });
    return String(writer.rows(batchOfRows(columns, [row]), 1, Infinity).part);
  };
const timeNs = 1_700_000_000_123_456_789n;

describe('a row as CSV', () => {
  const write = writerOf(FORMS.csv);

  test('ends with CRLF and writes each type plainly', () => {
    expect(write([timeNs, 'a', 'roof', Math.fround(21.3), -5n, false])).toBe(
      '2023-11-14T22:13:20.123456789Z,a,roof,21.3,-5,false\r\n',
    );
  });

  test('quotes what holds commas, quotes or line breaks', () => {
    expect(write([timeNs, 'a', 'x,"y"\r\nz', null, 2n ** 60n, null])).toBe(
      '2023-11-14T22:13:20.123456789Z,a,"x,""y""\r\nz",,1152921504606846976,\r\n',
    );
    expect(
      FORMS.csv.open({ measurement: 'meter', columns: [TIME_COLUMN, column('a,b', 'float')] }).head(),
    ).toBe('time,"a,b"\r\n');
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
    const text = writerOf(FORMS.json)([timeNs, 'a"b', null, Math.fround(0.1), 2n ** 53n + 1n, true]);
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

describe('every form', () => {
  test('is found by its name and by its media type, and is described to programs', () => {
    const outputs = Object.keys(rowsOutputs);
    for (const name of FORM_NAMES) {
      expect(negotiate(name, undefined)).toBe(name);
      expect(negotiate(undefined, FORMS[name].mediaType)).toBe(name);
      expect(FORMS[name].contentType.split(';')[0]).toBe(FORMS[name].mediaType);
      expect(outputs).toContain(FORMS[name].mediaType);
    }
    expect(outputs.length).toBe(FORM_NAMES.length);
    expect(queryInput.shape.format.meta()?.['enum']).toEqual(FORM_NAMES);
  });

  test.each(FORM_NAMES)('writes the same body in one batch and in several: %s', (name) => {
    const rows = Array.from({ length: 7 }, (_, i): Cell[] => [
      timeNs + BigInt(i),
      `d${i % 3}`,
      null,
      i,
      5n,
      true,
    ]);
    const body = (sizes: readonly number[]): string => {
      const writer: AnswerWriter = FORMS[name].open({ measurement: 'meter', columns });
      const parts = [writer.head()];
      let from = 0;
      for (const size of sizes) {
        const batch = batchOfRows(columns, rows.slice(from, from + size));
        parts.push(writer.rows(batch, size, Infinity).part);
        from += size;
      }
      return [...parts, writer.foot({ cursor: null, tail: 't' })].join('');
    };
    expect(body([1, 2, 4])).toBe(body([7]));
  });

  test.each(FORM_NAMES)('ends a part at the asked length, but writes at least one row: %s', (name) => {
    const batch = batchOfRows(
      columns,
      Array.from({ length: 5 }, (): Cell[] => [timeNs, 'a', null, 1, 5n, true]),
    );
    const open = (): AnswerWriter => FORMS[name].open({ measurement: 'meter', columns });
    expect(open().rows(batch, 5, 0).rows).toBe(1);
    const two = open().rows(batch, 2, Infinity);
    expect(open().rows(batch, 5, two.part.length).rows).toBe(2);
    expect(open().rows(batch, 3, Infinity).rows).toBe(3);
  });

  test('in JSON and CSV has sums beyond 64 bits as the nearest double', () => {
    const beyond: Cell[] = [timeNs, 'a', null, null, 2 ** 70, null];
    expect(writerOf(FORMS.csv)(beyond)).toContain(',1.1805916207174113e+21,');
    expect(JSON.parse(writerOf(FORMS.json)(beyond))).toContain(2 ** 70);
  });

  test('in JSON and CSV has every 64-bit integer whole', () => {
    const int64 = fc.oneof(fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n), fc.bigInt(-(2n ** 54n), 2n ** 54n));
    fc.assert(
      fc.property(int64, (value) => {
        const cells: Cell[] = [timeNs, 'a', null, null, value, null];
        expect(writerOf(FORMS.csv)(cells)).toContain(`,${value},`);
        const [, , , , text] = JSON.parse(writerOf(FORMS.json)(cells)) as unknown[];
        const isLong = value > 2n ** 53n || value < -(2n ** 53n);
        expect(text).toBe(isLong ? String(value) : Number(value));
      }),
    );
  });
});
