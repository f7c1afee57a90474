import { describe, expect, test } from '@jest/globals';
import avsc from 'avsc';
import fc from 'fast-check';
import { compileSchema } from '../../src/codec/index.ts';
import { ColumnBatch } from '../../src/core/index.ts';
import { codeOf } from './refusals.ts';

const NOW_MS = 1_700_000_000_123;
const NOW_NS = BigInt(NOW_MS) * 1_000_000n;
const TIME = { type: 'long', logicalType: 'timestamp-micros' };

function decodeAll(schema: object, values: readonly object[]) {
  const text = JSON.stringify(schema);
  const compiled = compileSchema(text, { minTimeMs: 0 });
  const type = avsc.Type.forSchema(schema as avsc.Schema);
  const batch = new ColumnBatch(compiled.mapping, 1);
  for (const [position, value] of values.entries()) {
    const bytes = type.toBuffer(value);
    compiled.check(bytes, 0, bytes.length, 'd1', NOW_MS);
    compiled.decode(bytes, 0, bytes.length, batch, 'd1', NOW_MS, position);
  }
  return { batch, compiled };
}

const rowsOf = (batch: ColumnBatch): unknown[][] =>
  Array.from({ length: batch.rows }, (_, row) =>
    batch.columns.map((_column, index) => batch.cell(index, row)),
  );

describe('points of a frame', () => {
  const schema = {
    type: 'record',
    name: 'F',
    fields: [
      {
        name: 'readings',
        type: {
          type: 'array',
          items: {
            type: 'record',
            name: 'R',
            fields: [
              { name: 't', type: ['null', TIME] },
              { name: 'x', type: ['null', 'int'] },
            ],
          },
        },
      },
      { name: 'sent', type: ['null', TIME] },
      { name: 'site', type: ['null', 'string'] },
      { name: 'total', type: 'long' },
    ],
  };

  test("repeat the frame's values, also those that stand behind the readings", () => {
    const { batch } = decodeAll(schema, [
      {
        readings: [
          { t: 1, x: 5 },
          { t: 2, x: null },
          { t: 3, x: -7 },
        ],
        sent: null,
        site: 'a',
        total: 2 ** 40,
      },
      { readings: [], sent: null, site: 'never seen', total: 1 },
      { readings: [{ t: 4, x: 1 }], sent: null, site: null, total: -1 },
    ]);
    expect(rowsOf(batch)).toEqual([
      ['a', 2n ** 40n, 5n],
      ['a', 2n ** 40n, null],
      ['a', 2n ** 40n, -7n],
      [null, -1n, 1n],
    ]);
    expect([...batch.position.subarray(0, batch.rows)]).toEqual([0, 0, 0, 2]);
    expect(batch.device.slice(0, batch.rows)).toEqual(['d1', 'd1', 'd1', 'd1']);
  });

  test("take the reading's time, else the frame's, else that of receipt", () => {
    const { batch } = decodeAll(schema, [
      {
        readings: [
          { t: 1, x: 0 },
          { t: null, x: 0 },
        ],
        sent: 9,
        site: null,
        total: 0,
      },
      {
        readings: [
          { t: null, x: 0 },
          { t: 2, x: 0 },
        ],
        sent: null,
        site: null,
        total: 0,
      },
    ]);
    expect([...batch.timeNs.subarray(0, batch.rows)]).toEqual([1_000n, 9_000n, NOW_NS + 1n, 2_000n]);
  });
});

test('a point without any field is none, and the others keep their values', () => {
  const schema = {
    type: 'record',
    name: 'Sparse',
    fields: [
      {
        name: 'r',
        type: {
          type: 'array',
          items: {
            type: 'record',
            name: 'R',
            fields: [
              { name: 't', type: TIME },
              { name: 'tag', type: 'string' },
              { name: 'f', type: 'double' },
              { name: 'i', type: ['null', 'long'] },
              { name: 'b', type: ['null', 'boolean'] },
              { name: 's', type: ['null', 'string'], role: 'field' },
            ],
          },
        },
      },
    ],
  };
  const none = { f: Number.NaN, i: null, b: null, s: null };
  const readings = [
    { t: 1, tag: 'a', ...none },
    { t: 2, tag: 'b', ...none, f: 1.5 },
    { t: 3, tag: 'c', ...none },
    { t: 4, tag: 'd', ...none, i: 2 ** 40 },
    { t: 5, tag: 'e', ...none, b: false },
    { t: 6, tag: 'f', ...none, s: '' },
    { t: 7, tag: 'g', ...none },
  ];
  const { batch } = decodeAll(schema, [
    { r: readings },
    { r: readings.slice(0, 1) },
    { r: readings.slice(1, 2) },
  ]);
  expect(rowsOf(batch)).toEqual([
    ['b', 1.5, null, null, null],
    ['d', null, 2n ** 40n, null, null],
    ['e', null, null, false, null],
    ['f', null, null, null, ''],
    ['b', 1.5, null, null, null],
  ]);
  expect([...batch.timeNs.subarray(0, batch.rows)]).toEqual([2_000n, 4_000n, 5_000n, 6_000n, 2_000n]);
  expect([...batch.position.subarray(0, batch.rows)]).toEqual([0, 0, 0, 0, 2]);
});

describe('without a time of its own a frame has that of its receipt', () => {
  const schema = { type: 'record', name: 'Pulse', fields: [{ name: 'n', type: 'int' }] };
  const compiled = compileSchema(JSON.stringify(schema), { minTimeMs: 0 });
  const timeOf = (arrivalMs: number, position: number): bigint => {
    const batch = new ColumnBatch(compiled.mapping, 1);
    compiled.decode(Buffer.from([2]), 0, 1, batch, 'd1', arrivalMs, position);
    return batch.timeNs[0] ?? -1n;
  };

  test('in whose millisecond its place in the journal counts the nanoseconds', () => {
    expect(timeOf(NOW_MS, 0)).toBe(NOW_NS);
    expect(timeOf(NOW_MS, 17)).toBe(NOW_NS + 17n);
    expect(timeOf(NOW_MS, 999_999)).toBe(NOW_NS + 999_999n);
    expect(timeOf(NOW_MS + 0.75, 5)).toBe(NOW_NS + 5n);
  });

  test('however many frames the journal has had', () => {
    expect(timeOf(NOW_MS, 1_000_000)).toBe(NOW_NS);
    expect(timeOf(NOW_MS, 2 ** 53 - 1)).toBe(NOW_NS + BigInt((2 ** 53 - 1) % 1_000_000));
  });

  test('so that a million frames of one millisecond have a time each, in the order of the journal, and none beyond it', () => {
    fc.assert(
      fc.property(
        fc.nat(2 ** 42),
        fc.integer({ min: 1, max: 999_999 }),
        fc.nat(2 ** 32),
        (ms, by, million) => {
          const first = million * 1_000_000;
          expect(timeOf(ms, first + by)).toBe(timeOf(ms, first) + BigInt(by));
          expect(timeOf(ms, first + by)).toBeLessThan(timeOf(ms + 1, first));
        },
      ),
    );
  });
});

test('a string that is longer than the memory of the last one is read anew each time', () => {
  const long = 'x'.repeat(200);
  const schema = {
    type: 'record',
    name: 'F',
    fields: [
      { name: 's', type: 'string' },
      { name: 'n', type: 'int' },
    ],
  };
  const values = ['a', 'a', 'b', long, long, `${long}y`, '', 'ü', 'ü', 'b'];
  const { batch } = decodeAll(
    schema,
    values.map((s, n) => ({ s, n })),
  );
  expect(rowsOf(batch).map(([s]) => s)).toEqual(values.map((s) => (s === '' ? null : s)));
});

test('names that mean something in JavaScript are only names', () => {
  const names = [
    'constructor',
    'prototype',
    'toString',
    'arguments',
    'columns',
    'base',
    'a0',
    'while',
    'eval',
  ];
  const schema = {
    type: 'record',
    name: 'Names',
    fields: names.map((name) => ({ name, type: 'int' })),
  };
  const { batch, compiled } = decodeAll(schema, [Object.fromEntries(names.map((name, n) => [name, n]))]);
  expect(compiled.mapping.columns.map(({ name }) => name)).toEqual(names);
  expect(rowsOf(batch)).toEqual([names.map((_, n) => BigInt(n))]);
});

test('texts of a schema never get into the generated code', () => {
  const evil = '`${process.exit(1)}`"\'\\\n*/;process.exit(1);//';
  const schema = {
    type: 'record',
    name: 'Evil',
    doc: evil,
    fields: [
      { name: 'x', type: { type: 'long', logicalType: evil }, doc: evil, unit: evil, aliases: [evil] },
    ],
  };
  const { batch } = decodeAll(schema, [{ x: 3 }]);
  expect(rowsOf(batch)).toEqual([[3n]]);
});

test('the widest schema that is allowed is compiled and read', () => {
  const names = Array.from({ length: 2_000 }, (_, n) => `f${n}`);
  const schema = {
    type: 'record',
    name: 'Wide',
    fields: names.map((name) => ({ name, type: ['null', 'double'] })),
  };
  const { batch } = decodeAll(schema, [
    Object.fromEntries(names.map((name, n) => [name, n % 3 === 0 ? null : n])),
  ]);
  expect(batch.cell(1_999, 0)).toBe(1_999);
  expect(batch.cell(3, 0)).toBeNull();
});

test('a batch of another schema is refused before anything is written', () => {
  const schema = { type: 'record', name: 'F', fields: [{ name: 'x', type: 'int' }] };
  const compiled = compileSchema(JSON.stringify(schema), { minTimeMs: 0 });
  const other = new ColumnBatch({ ...compiled.mapping });
  expect(codeOf(() => compiled.decode(Buffer.from([2]), 0, 1, other, 'd1', NOW_MS, 0))).toBe('internal');
  expect(other.rows).toBe(0);
});
