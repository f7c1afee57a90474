import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  MillraceError,
  encodeCell,
  encodeRow,
  selectColumns,
  shortestFloat32,
  type ColumnDef,
  type Measurement,
} from '../../src/core/index.ts';

const column = (name: string, role: 'tag' | 'field', extra: Partial<ColumnDef> = {}): ColumnDef => ({
  name,
  role,
  type: role === 'tag' ? 'string' : 'float',
  float32: false,
  unit: null,
  doc: null,
  ...extra,
});

const measurement: Measurement = {
  name: 'climate',
  doc: null,
  tags: [column('room', 'tag')],
  fields: [column('a', 'field', { float32: true }), column('b', 'field'), column('c', 'field')],
  subjects: [],
};

describe('the columns of raw rows', () => {
  test('are time, device, all tags and all fields when none is named', () => {
    expect(selectColumns(measurement, []).names).toEqual(['time', 'device', 'room', 'a', 'b', 'c']);
  });

  test('keep the measurement’s order and come once, however they are asked for', () => {
    expect(selectColumns(measurement, ['c', 'a', 'c']).names).toEqual(['time', 'device', 'room', 'a', 'c']);
  });

  test.each(['room', 'time', 'nothing'])('refuse "%s", which is no field', (name) => {
    let code = 'none';
    try {
      selectColumns(measurement, [name]);
    } catch (error) {
      if (error instanceof MillraceError) code = error.code;
    }
    expect(code).toBe('field_unknown');
  });
});

describe('a row as JSON', () => {
  test('has the time in RFC 3339 and null where a value is missing', () => {
    const selected = selectColumns(measurement, ['a', 'b']);
    const row = [1_767_225_600_000_000_001n, 'd"1', null, Math.fround(21.3), Number.NaN];
    expect(encodeRow(row, selected)).toBe('["2026-01-01T00:00:00.000000001Z","d\\"1",null,21.3,null]');
  });

  test.each([
    [2n ** 53n, '9007199254740992'],
    [-(2n ** 53n), '-9007199254740992'],
    [2n ** 53n + 1n, '"9007199254740993"'],
    [-(2n ** 63n), '"-9223372036854775808"'],
    [0n, '0'],
  ])('writes the integer %s as %s', (value, json) => {
    expect(encodeCell(value, { float32: false })).toBe(json);
  });

  test('writes any float32 as the shortest decimal that reads back as the same float32', () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (value) => {
        const json = encodeCell(value, { float32: true });
        expect(Math.fround(Number(json))).toBe(value === 0 ? 0 : value);
        const digits = json
          .replace(/e.*/, '')
          .replace(/[-.]/g, '')
          .replace(/^0+/, '')
          .replace(/0+$/, '').length;
        for (let shorter = 1; shorter < digits; shorter++) {
          expect(Math.fround(Number(value.toPrecision(shorter)))).not.toBe(value);
        }
      }),
    );
    expect(shortestFloat32(Math.fround(1e20))).toBe(1e20);
  });

  test('writes any double so that it reads back as itself', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        expect(Number(encodeCell(value, { float32: false }))).toBe(value === 0 ? 0 : value);
      }),
    );
  });
});
