import { describe, expect, test } from '@jest/globals';
import avsc from 'avsc';
import { compileSchema } from '../../src/codec/index.ts';
import { ColumnBatch, LIMITS } from '../../src/core/index.ts';
import { refusalOf } from './refusals.ts';

const NOW_MS = Date.parse('2026-01-01T00:00:00Z');
const field = (name: string, type: unknown, more: object = {}): object => ({ name, type, ...more });
const record = (fields: object[], more: object = {}): object => ({
  type: 'record',
  name: 'Thing',
  fields: [field('x', 'int'), ...fields],
  ...more,
});
const many = <T>(count: number, make: (n: number) => T): T[] =>
  Array.from({ length: count }, (_, n) => make(n));
const symbols = (count: number): string[] => many(count, (n) => `s${n}`);
const compile = (schema: object | string) =>
  compileSchema(typeof schema === 'string' ? schema : JSON.stringify(schema));

/** The schema's generated code, used on one frame: the batch that it fills. */
function use(schema: object | string, bytes: Buffer): ColumnBatch {
  const compiled = compile(schema);
  expect(compiled.survey(bytes, 0, bytes.length).readings).toBe(1);
  expect(compiled.check(bytes, 0, bytes.length, 'd', NOW_MS)).toBe(1);
  const batch = new ColumnBatch(compiled.mapping, 1);
  compiled.decode(bytes, 0, bytes.length, batch, 'd', NOW_MS, 0);
  return batch;
}

const node = { type: 'record', name: 'Node', fields: [field('next', ['Node', 'null'])] };
/** Text, since it is deeper than JSON.stringify goes. */
const deepDefault = JSON.stringify(record([field('n', node, { default: 'HERE' })])).replace(
  '"HERE"',
  `${'{"next":'.repeat(100_000)}null${'}'.repeat(100_000)}`,
);
const wide = {
  type: 'record',
  name: 'Wide',
  fields: many(15_000, (n) => field(`f${n}`, 'int', { default: 1 })),
};
/** Each level holds the one below 21 times. */
const laughs = many(15, (n) => n).reduce<object>(
  (inner, n) => ({
    type: 'record',
    name: `L${n + 1}`,
    fields: [field('p', inner), ...many(20, (k) => field(`q${k}`, `L${n}`))],
  }),
  { type: 'record', name: 'L0', fields: [field('x', 'int')] },
);

describe('a hostile schema is refused with its code', () => {
  test.each<[string, object | string, string]>([
    ['of 10,000 fields', record(many(10_000, (n) => field(`f${n}`, 'int'))), 'schema_unmappable'],
    ['of a few records that stand for 10^18 fields', record([field('l', laughs)]), 'schema_unmappable'],
    ['nested 400,000 deep', '['.repeat(400_000) + ']'.repeat(400_000), 'schema_invalid'],
    ['with a default that is nested 100,000 deep', deepDefault, 'schema_invalid'],
    [
      'with a default of 100,000 records of 15,000 fields each',
      record([
        field('w', { type: 'array', items: wide }, { role: 'ignore', default: many(100_000, () => ({})) }),
      ]),
      'schema_invalid',
    ],
    [
      'whose paths repeat a name of 900,000 characters',
      record([
        field(
          'n'.repeat(900_000),
          { type: 'record', name: 'I', fields: many(1_900, (n) => field(`f${n}`, 'int')) },
          { role: 'ignore' },
        ),
      ]),
      'schema_unmappable',
    ],
    ['named with 900,000 characters', record([], { name: 'R'.repeat(900_000) }), 'schema_unmappable'],
    [
      'with a symbol that no tag can hold',
      record([field('e', { type: 'enum', name: 'E', symbols: ['a'.repeat(LIMITS.maxStringBytes + 1)] })]),
      'schema_unmappable',
    ],
    ['over the limit in bytes', record([], { doc: 'x'.repeat(LIMITS.maxSchemaBytes) }), 'schema_invalid'],
    ...['a\nb', 'a"b', "a'b", 'a`b', 'a\u2028b', 'a\u2029', 'a\\', '${a}', 'a\0', ''].map(
      (name): [string, object, string] => [
        `with a field named ${JSON.stringify(name)}`,
        record([field(name, 'int')]),
        'schema_invalid',
      ],
    ),
    ['with a field named __proto__', record([field('__proto__', 'int')]), 'schema_unmappable'],
  ])('%s', (_, schema, code) => {
    const error = refusalOf(() => compile(schema));
    expect(error.code).toBe(code);
    expect(error.message.length).toBeLessThan(600);
    expect((error.path ?? '').length).toBeLessThan(300);
  });
});

describe('a large schema works', () => {
  test('with 65,536 symbols that 1,900 fields share', () => {
    const shared = { type: 'enum', name: 'E', symbols: symbols(65_536) };
    const schema = record([field('e', shared), ...many(1_899, (n) => field(`g${n}`, 'E'))]);
    const last = Buffer.from([0xfe, 0xff, 0x07]);
    const batch = use(schema, Buffer.concat([Buffer.from([2]), last, Buffer.alloc(1_899)]));
    expect(batch.cell(0, 0)).toBe('s65535');
    expect(batch.cell(1_899, 0)).toBe('s0');
    expect(compile(schema).shape.length).toBeLessThan(LIMITS.maxSchemaBytes);
  });

  test('with a default of 70,000 of 32,000 symbols', () => {
    const items = { type: 'enum', name: 'E', symbols: symbols(32_000) };
    const more = { role: 'ignore', default: many(70_000, () => 's31999') };
    expect(use(record([field('a', { type: 'array', items }, more)]), Buffer.from([2, 0])).rows).toBe(1);
  });

  test('with an ignored union of 1,900 records', () => {
    const union = many(1_900, (n) => ({ type: 'record', name: `U${n}`, fields: [] }));
    const last = Buffer.from([2, 0xd6, 0x1d]);
    expect(use(record([field('u', union, { role: 'ignore' })]), last).rows).toBe(1);
    const beyond = Buffer.from([2, 0xd8, 0x1d]);
    const compiled = compile(record([field('u', union, { role: 'ignore' })]));
    expect(refusalOf(() => compiled.check(beyond, 0, 3, 'd', NOW_MS)).code).toBe('frame_index');
  });
});

test.each(['constructor', '__proto__', 'toString', 'hasOwnProperty', 'valueOf'])(
  'a logical type %s is unknown, and its long a number as any other',
  (logicalType) => {
    const batch = use(record([field('t', { type: 'long', logicalType })]), Buffer.from([2, 4]));
    expect(batch.mapping.columns.map(({ name }) => name)).toEqual(['x', 't']);
    expect(batch.cell(1, 0)).toBe(2n);
    expect(batch.timeNs[0]).toBe(BigInt(NOW_MS) * 1_000_000n);
  },
);

test("a small frame cannot claim as many rows as its schema's columns make dear", () => {
  const columns = 1_900;
  const schema = record([
    field('t', { type: 'long', logicalType: 'timestamp-millis' }),
    ...many(columns - 1, (n) => field(`f${n}`, ['null', 'int'])),
    field('r', { type: 'array', items: { type: 'record', name: 'Item', fields: [field('n', 'null')] } }),
  ]);
  const compiled = compile(schema);
  const most = Math.floor(LIMITS.maxCellsPerFrame / columns);
  const frame = (readings: number): Buffer => {
    const count = readings * 2;
    const time = Buffer.from('80f0b5cbc766', 'hex');
    return Buffer.concat([
      Buffer.alloc(1),
      time,
      Buffer.alloc(columns - 1),
      Buffer.from([(count & 127) | 128, count >> 7, 0]),
    ]);
  };
  const checked = (bytes: Buffer): number => compiled.check(bytes, 0, bytes.length, 'd', NOW_MS);
  expect(checked(frame(most))).toBe(most);
  expect(refusalOf(() => checked(frame(most + 1))).code).toBe('frame_too_many_readings');
});

describe('texts that a frame has once and a store with each reading', () => {
  const SYMBOL = 's'.repeat(100);
  const symbols = { type: 'enum', name: 'Side', symbols: ['a', SYMBOL] };
  const array = (of: object): object => ({
    type: 'array',
    items: { type: 'record', name: 'Item', fields: [field('n', 'int'), of] },
  });
  const timed = (fields: object[]): object =>
    record([field('at', { type: 'long', logicalType: 'timestamp-millis' }), ...fields]);
  const shapes: [string, object, (textBytes: number, readings: number) => object][] = [
    [
      'a tag of the frame',
      timed([field('t', 'string'), field('r', array(field('y', 'int')))]),
      (textBytes, readings) => ({
        x: 0,
        at: NOW_MS,
        t: 't'.repeat(textBytes),
        r: many(readings, () => ({ n: 0, y: 0 })),
      }),
    ],
    [
      'several strings of the frame, one of them a field and one behind the readings',
      timed([
        field('t', 'string'),
        field('r', array(field('y', 'int'))),
        field('f', 'string', { role: 'field' }),
      ]),
      (textBytes, readings) => ({
        x: 0,
        at: NOW_MS,
        t: 'é'.repeat(Math.floor(textBytes / 4)),
        r: many(readings, () => ({ n: 0, y: 0 })),
        f: 'f'.repeat(textBytes - Math.floor(textBytes / 4) * 2),
      }),
    ],
    [
      'a symbol of the frame',
      timed([field('t', 'string'), field('s', symbols), field('r', array(field('y', 'int')))]),
      (textBytes, readings) => ({
        x: 0,
        at: NOW_MS,
        t: 't'.repeat(textBytes - SYMBOL.length),
        s: SYMBOL,
        r: many(readings, () => ({ n: 0, y: 0 })),
      }),
    ],
    [
      'symbols of the readings',
      timed([field('t', 'string'), field('r', array(field('s', symbols)))]),
      (textBytes, readings) => ({
        x: 0,
        at: NOW_MS,
        t: 't'.repeat(textBytes - SYMBOL.length),
        r: many(readings, () => ({ n: 0, s: SYMBOL })),
      }),
    ],
  ];

  test.each(shapes)('are bounded: %s', (_, schema, value) => {
    const compiled = compile(schema);
    const encoder = avsc.Type.forSchema(schema as avsc.Schema);
    const readings = 4_096;
    const most = LIMITS.maxRepeatedTextBytes / readings;
    const light = encoder.toBuffer(value(most, readings));
    expect(compiled.check(light, 0, light.length, 'd', NOW_MS)).toBe(readings);
    const heavy = encoder.toBuffer(value(most + 1, readings));
    expect(refusalOf(() => compiled.check(heavy, 0, heavy.length, 'd', NOW_MS)).code).toBe('frame_too_heavy');
    expect(heavy.length - light.length).toBeLessThan(3);
    // What is decoded tells the same weight.
    const batch = new ColumnBatch(compiled.mapping);
    expect(compiled.decode(light, 0, light.length, batch, 'd', NOW_MS, 0)).toBe(most * readings);
    expect(compiled.decode(heavy, 0, heavy.length, batch, 'd', NOW_MS, 1)).toBe((most + 1) * readings);
  });

  test('do not bound strings of the readings, which the frame has as often as the store', () => {
    const schema = timed([field('r', array(field('t', 'string')))]);
    const compiled = compile(schema);
    const bytes = avsc.Type.forSchema(schema as avsc.Schema).toBuffer({
      x: 0,
      at: NOW_MS,
      r: many(300, () => ({ n: 0, t: 't'.repeat(20_000) })),
    });
    expect(bytes.length).toBeGreaterThan(LIMITS.maxRepeatedTextBytes);
    expect(compiled.check(bytes, 0, bytes.length, 'd', NOW_MS)).toBe(300);
  });
});

test('no text of a schema gets into the source of the generated code', () => {
  const sources: string[] = [];
  const original = globalThis.Function;
  globalThis.Function = new Proxy(original, {
    construct: (target, parts: string[]) => {
      sources.push(parts.join('\n'));
      return Reflect.construct(target, parts) as object;
    },
  });
  try {
    const mark = 'zqx';
    const schema = {
      type: 'record',
      name: `${mark}Name`,
      namespace: `${mark}.space`,
      doc: mark,
      measurement: `${mark}_m`,
      fields: [
        field(`${mark}_x`, 'int', { doc: mark, unit: mark, aliases: [mark], default: 7_654_321 }),
        field(
          `${mark}_e`,
          { type: 'enum', name: `${mark}E`, symbols: [`${mark}_s`] },
          { default: `${mark}_s` },
        ),
        field(`${mark}_l`, { type: 'long', logicalType: mark }),
        field(`${mark}_o`, { type: 'fixed', name: `${mark}F`, size: 1 }, { role: 'ignore' }),
      ],
    };
    expect(use(schema, Buffer.from([2, 0, 4, 9])).rows).toBe(1);
    expect(sources.length).toBe(3);
    for (const source of sources) expect(source).not.toMatch(/zqx|7654321/i);
  } finally {
    globalThis.Function = original;
  }
});
