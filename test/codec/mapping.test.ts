import { describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { compileSchema } from '../../src/codec/index.ts';
import { LIMITS } from '../../src/core/index.ts';
import { refusalOf } from './refusals.ts';

const TIME = { type: 'long', logicalType: 'timestamp-millis' };
const field = (name: string, type: unknown, more: object = {}): object => ({ name, type, ...more });
const record = (fields: object[], more: object = {}): object => ({
  type: 'record',
  name: 'Thing',
  fields,
  ...more,
});
const items = (fields: object[], name = 'Item'): object => ({
  type: 'array',
  items: { type: 'record', name, fields },
});
const mappingOf = (schema: object) => compileSchema(JSON.stringify(schema)).mapping;
const columnsOf = (schema: object): string[] =>
  mappingOf(schema).columns.map(({ name, role, type }) => `${role} ${name} ${type}`);
const refused = (schema: object): string => {
  const error = refusalOf(() => compileSchema(JSON.stringify(schema)));
  return `${error.code}: ${error.message}`;
};

describe('what becomes of a record', () => {
  test('the measurement is the name in snake_case, without its namespace', () => {
    const named = (name: string): string => mappingOf(record([field('x', 'int')], { name })).measurement;
    expect(named('EnvironmentReading')).toBe('environment_reading');
    expect(named('org.example.HTTPServer2')).toBe('http_server2');
    expect(named('already_so')).toBe('already_so');
    expect(mappingOf(record([field('x', 'int')], { measurement: 'air' })).measurement).toBe('air');
  });

  test("tags come before fields, each the frame's before the readings', in schema order", () => {
    const schema = record([
      field('a', 'int'),
      field('readings', items([field('b', 'double'), field('c', 'string'), field('time', TIME)])),
      field('d', 'string'),
      field('e', 'boolean'),
    ]);
    expect(columnsOf(schema)).toEqual([
      'tag d string',
      'tag c string',
      'field a integer',
      'field e boolean',
      'field b float',
    ]);
  });

  test('strings and enums are tags, numbers and booleans fields, a union with null is optional', () => {
    const schema = record([
      field('s', ['null', 'string']),
      field('u', { type: 'string', logicalType: 'uuid' }),
      field('e', { type: 'enum', name: 'E', symbols: ['A', 'B'] }),
      field('i', ['int', 'null']),
      field('l', ['long']),
      field('f', 'float'),
      field('d', ['null', 'double']),
      field('b', 'boolean'),
      field('day', { type: 'int', logicalType: 'date' }),
    ]);
    expect(columnsOf(schema)).toEqual([
      'tag s string',
      'tag u string',
      'tag e string',
      'field i integer',
      'field l integer',
      'field f float',
      'field d float',
      'field b boolean',
      'field day integer',
    ]);
    expect(
      mappingOf(schema)
        .columns.map(({ float32 }) => float32)
        .indexOf(true),
    ).toBe(5);
  });

  test('roles override what a type would be', () => {
    const schema = record([
      field('note', 'string', { role: 'field' }),
      field('slot', 'int', { role: 'tag' }),
      field('sent', TIME, { role: 'field' }),
      field('raw', 'bytes', { role: 'ignore' }),
      field('extra', { type: 'map', values: 'string' }, { role: 'ignore' }),
      field('at', { type: 'long', logicalType: 'timestamp-nanos' }, { role: 'time' }),
    ]);
    expect(columnsOf(schema)).toEqual(['tag slot string', 'field note string', 'field sent integer']);
  });

  test('a nested record flattens, also one that is used again by name', () => {
    const inner = {
      type: 'record',
      name: 'Axis',
      fields: [field('x', 'float', { unit: 'g', doc: 'Along.' })],
    };
    const schema = record([field('left', inner), field('right', ['null', 'Axis'])]);
    expect(mappingOf(schema).columns).toEqual([
      { name: 'left_x', role: 'field', type: 'float', float32: true, unit: 'g', doc: 'Along.' },
      { name: 'right_x', role: 'field', type: 'float', float32: true, unit: 'g', doc: 'Along.' },
    ]);
  });

  test("the frame's own device is no column", () => {
    expect(columnsOf(record([field('device', ['null', 'string']), field('x', 'int')]))).toEqual([
      'field x integer',
    ]);
    expect(columnsOf(record([field('device_id', 'string'), field('x', 'int')]))).toEqual(['field x integer']);
  });

  test.each(['environment', 'vehicle', 'power'])(
    'the schema %s that is shipped maps, with units and docs',
    (name) => {
      const text = readFileSync(new URL(`../../schemas/${name}.avsc`, import.meta.url), 'utf8');
      const { mapping } = compileSchema(text);
      expect(mapping.measurement).toBe(name);
      expect(mapping.doc).not.toBeNull();
      for (const column of mapping.columns) expect(column.doc).not.toBeNull();
      for (const column of mapping.columns.filter(({ type }) => type === 'float'))
        expect(column.unit).not.toBeNull();
    },
  );

  test('the example in docs/schemas.md becomes the columns of its table', () => {
    const page = readFileSync(new URL('../../docs/schemas.md', import.meta.url), 'utf8');
    const example = /```json\n([^]*?)```/.exec(page)?.[1] ?? '';
    const { mapping } = compileSchema(example);
    expect(page.replace(/ +/g, ' ')).toContain(
      `| time | device | ${mapping.columns.map(({ name }) => name).join(' | ')} |`,
    );
    expect(mapping.measurement).toBe('green_house');
  });

  test("the meter's phases are flattened", () => {
    const text = readFileSync(new URL('../../schemas/power.avsc', import.meta.url), 'utf8');
    const names = compileSchema(text).mapping.columns.map(({ name }) => name);
    expect(names).toEqual(
      expect.arrayContaining(['l1_voltage', 'l2_current', 'l3_power_factor', 'energy_import']),
    );
  });
});

describe('what is refused with the path and the reason', () => {
  const x = field('x', 'int');
  const linked = { type: 'record', name: 'Node', fields: [x, field('next', ['null', 'Node'])] };

  test.each<[string, object, string]>([
    ['bytes', record([x, field('raw', 'bytes')]), 'raw: bytes'],
    ['fixed', record([x, field('raw', { type: 'fixed', name: 'F', size: 4 })]), 'raw: fixed'],
    [
      'decimals',
      record([x, field('price', { type: 'bytes', logicalType: 'decimal', precision: 4, scale: 2 })]),
      'price: bytes',
    ],
    ['maps', record([x, field('m', { type: 'map', values: 'int' })]), 'm: a map'],
    ['arrays of scalars', record([x, field('a', { type: 'array', items: 'int' })]), 'a: an array of int'],
    [
      'two arrays of records',
      record([field('a', items([x])), field('b', items([x], 'Other'))]),
      'b: two arrays',
    ],
    [
      'arrays in readings',
      record([field('a', items([field('b', items([x], 'Other'))]))]),
      'a[].b: two arrays',
    ],
    ['unions of several types', record([field('u', ['null', 'int', 'string'])]), 'u: a union of several'],
    ['recursion', record([field('n', linked)]), 'n.next: Node contains itself'],
    ['two times at one level', record([x, field('t', TIME), field('s', TIME)]), 's: two times'],
    [
      'two names that flatten to the same',
      record([field('a_b', 'int'), field('a', { type: 'record', name: 'A', fields: [field('b', 'int')] })]),
      'a.b: flattens to the same name as a_b',
    ],
    ['names apart only in case', record([x, field('X', 'int')]), 'X: flattens to the same name as x'],
    [
      "the frame's and the readings' same name",
      record([x, field('r', items([x]))]),
      'r[].x: flattens to the same',
    ],
    ['a column named time', record([field('time', 'long')]), 'time: the column "time"'],
    [
      'a device in the readings',
      record([field('r', items([x, field('device', 'string')]))]),
      'r[].device: the tag',
    ],
    ['a device that is no string', record([x, field('device', 'int')]), 'device: the tag'],
    ['names with a leading underscore', record([field('_value', 'int')]), '_value: a name'],
    ['an unknown role', record([field('x', 'int', { role: 'metric' })]), 'x: the attribute "role"'],
    ['a time that is no timestamp', record([field('x', 'long', { role: 'time' })]), 'x: a time is a long'],
    ['nothing to store', record([field('s', 'string')]), 'the record has no number'],
    ['a measurement that stores cannot name', record([x], { measurement: 'a b' }), 'the measurement "a b"'],
    ['what is no record', { type: 'array', items: 'int' }, 'a frame is a record, not an array'],
  ])('%s', (_, schema, message) => {
    expect(refused(schema)).toContain(`schema_unmappable: ${message}`);
  });

  test('records nested deeper than the limit', () => {
    let schema: object = record([x], { name: 'R0' });
    for (let depth = 1; depth <= LIMITS.maxSchemaDepth; depth++) {
      schema = record([field('n', schema)], { name: `R${depth}` });
    }
    expect(refused(schema)).toMatch(/^schema_unmappable: n\.n.*nested more than 16 deep/);
  });

  test('a few named records that stand for millions of fields, without expanding them all', () => {
    let schema: object = record([x], { name: 'R0' });
    for (let level = 1; level < 12; level++) {
      const again = Array.from({ length: 9 }, (_, n) => field(`f${n}`, `R${level - 1}`));
      schema = record([field('f', schema), ...again], { name: `R${level}` });
    }
    expect(refused(schema)).toContain('more than 2000 fields');
    expect(refused(record([x, field('big', schema, { role: 'ignore' })]))).toContain('more than 2000 fields');
  });
});

describe('what is no valid Avro', () => {
  const x = field('x', 'int');
  test.each<[string, string, string]>([
    ['text that is no JSON', '{', 'not JSON'],
    [
      'a type that is not defined',
      JSON.stringify(record([field('x', 'Foo')])),
      'x: the type "Foo" is not defined',
    ],
    ['a field twice', JSON.stringify(record([x, x])), 'x: the record has two fields'],
    [
      'a type twice',
      JSON.stringify(record([field('r', record([x]))])),
      'r: the type "Thing" is defined twice',
    ],
    ['a name that is none', JSON.stringify(record([field('a-b', 'int')])), 'a field needs a name'],
    ['a union in a union', JSON.stringify(record([field('u', [['int']])])), 'u: a union may not hold'],
    [
      'a type twice in a union',
      JSON.stringify(record([field('u', ['int', 'int'])])),
      'u: the union holds "int" twice',
    ],
    [
      'a wrong default',
      JSON.stringify(record([field('x', 'int', { default: 'a' })])),
      'x: the default value',
    ],
    [
      'null as default of [int, null]',
      JSON.stringify(record([field('x', ['int', 'null'], { default: null })])),
      'x:',
    ],
    [
      'a symbol twice',
      JSON.stringify(record([field('e', { type: 'enum', name: 'E', symbols: ['A', 'A'] })])),
      'e:',
    ],
    ['endless nesting', `${'['.repeat(5_000)}"int"${']'.repeat(5_000)}`, 'nested too deeply'],
  ])('%s', (_, text, message) => {
    const error = refusalOf(() => compileSchema(text));
    expect(error.code).toBe('schema_invalid');
    expect(error.message).toContain(message);
  });
});

describe('what a new schema may not be, though frames of an old one are read', () => {
  const objection = (schema: object): string =>
    compileSchema(JSON.stringify(schema)).objection?.message ?? 'none';
  const beside = (type: unknown, more: object = {}): object =>
    record([field('t', type, { logicalType: 'timestamp-millis', ...more }), field('x', 'int')]);

  test('the shipped schemas, and others with a time, are fine', () => {
    for (const name of ['environment', 'vehicle', 'power']) {
      expect(compileSchema(readFileSync(`schemas/${name}.avsc`, 'utf8')).objection).toBeNull();
    }
    expect(objection(record([field('r', items([field('t', ['null', TIME]), field('x', 'int')]))]))).toBe(
      'none',
    );
    expect(objection(record([field('r', items([field('x', 'int')])), field('t', TIME)]))).toBe('none');
    expect(objection(record([field('x', 'int')]))).toBe('none');
    expect(objection(record([field('day', { type: 'int', logicalType: 'date' }), field('x', 'int')]))).toBe(
      'none',
    );
  });

  test('readings without a time of their own or of the frame', () => {
    const schema = record([field('r', items([field('x', 'int')]))]);
    expect(objection(schema)).toMatch(/^r: neither the readings nor the frame have a time/);
    expect(compileSchema(JSON.stringify(schema)).objection?.code).toBe('schema_unmappable');
  });

  test('readings that take no bytes', () => {
    const schema = record([field('r', items([field('n', 'null')])), field('t', TIME), field('x', 'int')]);
    expect(objection(schema)).toMatch(/^r: a reading takes no bytes/);
    expect(objection(record([field('r', items([])), field('t', TIME), field('x', 'int')]))).toMatch(
      /no bytes/,
    );
  });

  test.each([
    ['long', beside('long')],
    ['an optional long', beside(['null', 'long'])],
    ['an object', beside({ type: 'long' })],
    [
      'an object in an object',
      record([field('t', { type: { type: 'long' }, logicalType: 'timestamp-micros' }), field('x', 'int')]),
    ],
    ['an int', beside('int')],
  ])('a logicalType beside the type: %s', (_, schema) => {
    expect(objection(schema)).toMatch(
      /^t: "logicalType": "timestamp-mi.*" stands beside the type.*write "type": \{/,
    );
  });

  test('a logicalType beside the type is no harm where it is in the type too, or the field is no time', () => {
    expect(objection(beside(TIME))).toBe('none');
    expect(objection(beside('long', { role: 'field' }))).toBe('none');
    expect(objection(beside('long', { role: 'ignore' }))).toBe('none');
  });

  test.each(['int', 'string', 'double', 'float', 'boolean'])('a time on the type %s', (type) => {
    const schema = (logicalType: string, more: object = {}): object =>
      record([field('t', { type, logicalType }, more), field('x', 'int')]);
    expect(objection(schema('timestamp-millis'))).toBe(
      `t: a timestamp-millis is a long: on the type ${type} Avro ignores it`,
    );
    expect(objection(schema('timestamp-millis', { role: type === 'string' ? 'tag' : 'field' }))).toBe('none');
    expect(
      objection(record([field('t', ['null', { type, logicalType: 'timestamp-nanos' }]), field('x', 'int')])),
    ).toMatch(/is a long/);
  });

  test('a logicalType that looks like a time and is none', () => {
    const schema = record([field('t', { type: 'long', logicalType: 'timestamp-ms' }), field('x', 'int')]);
    expect(objection(schema)).toBe(
      't: the logicalType "timestamp-ms" is none of timestamp-millis, timestamp-micros, timestamp-nanos',
    );
  });

  test.each([
    ['x', field('x', { type: 'int', role: 'tag' }), 'x: "role" stands inside the type'],
    ['x', field('x', ['null', { type: 'double', unit: 'V' }]), 'x: "unit" stands inside the type'],
    ['x', field('x', { type: { type: 'double', unit: 'V' } }), 'x: "unit" stands inside the type'],
    [
      'p',
      field('p', { type: 'record', name: 'P', role: 'ignore', fields: [field('y', 'int')] }),
      'p: "role" stands inside',
    ],
    [
      'p',
      field('p', { type: 'record', name: 'P', measurement: 'm', fields: [field('y', 'int')] }),
      'p: "measurement" names nothing inside',
    ],
    [
      'p',
      field('p', { type: 'record', name: 'P', fields: [field('y', { type: 'int', unit: 'm' })] }),
      'p.y: "unit" stands inside',
    ],
    ['m', field('m', 'int', { measurement: 'air' }), 'm: "measurement" names nothing on a field'],
    ['u', field('u', 'int', { unit: 5 }), 'u: the attribute "unit" must be a string'],
    [
      'r',
      field('r', {
        type: 'array',
        items: { type: 'record', name: 'R', measurement: 'm', fields: [field('t', TIME), field('y', 'int')] },
      }),
      'r: "measurement" names nothing inside',
    ],
  ])('an attribute where it means nothing: %s %o', (_, stray, message) => {
    expect(objection(record([stray, field('z', 'int')]))).toContain(message);
  });

  test('a role on the record of the frame', () => {
    expect(objection(record([field('x', 'int')], { role: 'field' }))).toBe(
      'the record of a frame takes no "role"',
    );
  });

  test('tags whose names are longer than the key of a series may be', () => {
    const names = Array.from({ length: 600 }, (_, n) => `${'n'.repeat(110)}${n}`);
    expect(objection(record([...names.map((name) => field(name, 'string')), field('x', 'int')]))).toMatch(
      /^the names of its tags/,
    );
  });
});
