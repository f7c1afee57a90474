import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { readFile, writeFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { open } from 'lmdb';
import { encodeConfluentHeader, encodeSingleObjectHeader, fingerprintOf } from '../../src/codec/index.ts';
import { MillraceError } from '../../src/core/index.ts';
import { SchemaFiles } from '../../src/registry/schema-files.ts';
import { loadSchemaFolder, openRegistry, type Registry } from '../../src/registry/index.ts';
import { temporaryFolder } from '../fixtures/folder.ts';

const field = (name: string, type: unknown, more: object = {}): object => ({ name, type, ...more });
const schema = (name: string, fields: object[], more: object = {}): string =>
  JSON.stringify({ type: 'record', name, fields, ...more });
const AIR = schema('Air', [field('site', 'string'), field('temperature', 'float', { unit: '°C' })]);
const timed = (unit: string): string =>
  schema('Timed', [field('t', { type: 'long', logicalType: `timestamp-${unit}` }), field('x', 'int')]);

let folder: ReturnType<typeof temporaryFolder>;
let registry: Registry;
const dir = (): string => join(folder.path, 'registry');
const frame = (header: Uint8Array): Buffer => Buffer.concat([Buffer.from('...'), header, Buffer.from([0])]);
const resolve = (bytes: Buffer) => registry.resolve(bytes, 3, bytes.length);
const schemas = (): string => join(folder.path, 'schemas');

beforeEach(async () => {
  folder = temporaryFolder();
  registry = await openRegistry({ dir: dir() });
});
afterEach(async () => {
  await registry.close();
  folder.remove();
});

async function reopen(): Promise<void> {
  await registry.close();
  registry = await openRegistry({ dir: dir() });
}

async function refused(run: Promise<unknown>): Promise<string> {
  const error: unknown = await run.then(
    () => new Error('nothing was refused'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof MillraceError)) throw error;
  return `${error.code}: ${error.message}`;
}

describe('registering', () => {
  test('gives ids from 1 and versions from 1 in each subject', async () => {
    const wider = schema('Air', [
      field('site', 'string'),
      field('temperature', 'float'),
      field('co2', 'int'),
    ]);
    expect(await registry.register('air', AIR)).toEqual({ id: 1, version: 1 });
    expect(await registry.register('air', wider)).toEqual({ id: 2, version: 2 });
    expect(await registry.register('water', schema('Water', [field('level', 'int')]))).toEqual({
      id: 3,
      version: 1,
    });
    expect(registry.subjects()).toEqual(['air', 'water']);
    expect(registry.versions('air').map(({ version, id }) => [version, id])).toEqual([
      [1, 1],
      [2, 2],
    ]);
  });

  test('the same text again, however it is laid out, changes nothing', async () => {
    await registry.register('air', AIR);
    let changes = 0;
    registry.onChange(() => changes++);
    const spread = JSON.stringify(JSON.parse(AIR), null, 4);
    expect(await registry.register('air', spread)).toEqual({ id: 1, version: 1 });
    expect(changes).toBe(0);
    expect(registry.byId(1)?.text).toBe(AIR);
  });

  test('the same schema under another subject keeps its id', async () => {
    await registry.register('air', AIR);
    expect(await registry.register('air-too', AIR)).toEqual({ id: 1, version: 1 });
    expect(registry.measurement('air')?.subjects).toEqual(['air', 'air-too']);
  });

  test('many at once are taken one by one, each with an id of its own', async () => {
    const all = Array.from({ length: 20 }, (_, n) =>
      registry.register(`s${n}`, schema(`S${n}`, [field('x', 'int')])),
    );
    expect((await Promise.all(all)).map(({ id }) => id)).toEqual(Array.from({ length: 20 }, (_, n) => n + 1));
  });

  test('what is refused leaves nothing behind, and uses no id', async () => {
    expect(await refused(registry.register('bad', schema('Bad', [field('x', 'bytes')])))).toMatch(
      /^schema_unmappable: x: bytes/,
    );
    expect(await refused(registry.register('bad', '{'))).toMatch(/^schema_invalid: /);
    expect(registry.subjects()).toEqual([]);
    expect(await registry.register('air', AIR)).toEqual({ id: 1, version: 1 });
  });

  test('is answered when everybody who has to know does, and also when one of them fails', async () => {
    const order: string[] = [];
    registry.onChange(async () => {
      await new Promise((resolve) => setImmediate(resolve));
      order.push('told');
    });
    registry.onChange(() => Promise.reject(new Error('gone')));
    await registry.register('air', AIR);
    order.push('answered');
    expect(order).toEqual(['told', 'answered']);
  });

  test('listeners hear of each change until they stop', async () => {
    const heard: number[] = [];
    const stop = registry.onChange(() => heard.push(registry.measurements().length));
    await registry.register('air', AIR);
    stop();
    await registry.register('water', schema('Water', [field('level', 'int')]));
    expect(heard).toEqual([1]);
  });
});

describe('conflicts', () => {
  beforeEach(async () => {
    await registry.register('air', AIR);
  });

  test('a field of another type or role than in the measurement is refused', async () => {
    const typed = schema('Air', [field('site', 'string'), field('temperature', 'int')]);
    expect(await refused(registry.register('air', typed))).toBe(
      'schema_conflict: temperature: is of type integer here and float in the measurement air',
    );
    const roles = schema('Air', [field('site', 'string', { role: 'field' }), field('temperature', 'float')]);
    expect(await refused(registry.register('other', roles))).toBe(
      'schema_conflict: site: is a field here and a tag in the measurement air',
    );
    const cased = schema('Air', [field('Site', 'string'), field('temperature', 'float')]);
    expect(await refused(registry.register('other', cased))).toContain('only in upper and lower case');
    const named = schema('AIR', [field('x', 'int')], { measurement: 'AIR' });
    expect(await refused(registry.register('other', named))).toContain('differs from "air" only in');
  });

  test('float and double, int and long are one type', async () => {
    const double = schema('Air', [field('site', 'string'), field('temperature', 'double')]);
    expect(await registry.register('air', double)).toEqual({ id: 2, version: 2 });
    expect(registry.measurement('air')?.fields[0]?.float32).toBe(false);
  });

  test('one fingerprint with another mapping is refused, with other docs and units it is a new version', async () => {
    const remapped = schema('Air', [field('site', 'string'), field('temperature', 'float')], {
      measurement: 'gas',
    });
    expect(fingerprintOf(remapped)).toBe(fingerprintOf(AIR));
    expect(await refused(registry.register('gas', remapped))).toMatch(
      /^schema_conflict: the schema has the fingerprint/,
    );

    const documented = schema('Air', [
      field('site', 'string', { doc: 'Where.' }),
      field('temperature', 'float', { unit: 'degC' }),
    ]);
    expect(await registry.register('air', documented)).toEqual({ id: 2, version: 2 });
    expect(registry.measurement('air')?.tags[0]?.doc).toBe('Where.');
    expect(registry.measurement('air')?.fields[0]?.unit).toBe('degC');
  });

  test('the unit of a time is part of the mapping, though not of the fingerprint', async () => {
    await registry.register('timed', timed('millis'));
    expect(await refused(registry.register('timed', timed('micros')))).toMatch(/^schema_conflict: /);
  });
});

test('a measurement has the columns of all its versions, in the order in which they came', async () => {
  await registry.register(
    'air',
    schema('Air', [field('site', 'string'), field('a', 'float'), field('b', 'int')]),
  );
  await registry.register(
    'air',
    schema('Air', [field('room', 'string'), field('c', 'boolean'), field('b', 'long')]),
  );
  const measurement = registry.measurement('air');
  expect(measurement?.tags.map(({ name }) => name)).toEqual(['site', 'room']);
  expect(measurement?.fields.map(({ name }) => name)).toEqual(['a', 'b', 'c']);
  expect(registry.measurements()).toEqual([measurement]);
  expect(registry.measurement('water')).toBeUndefined();
});

describe('frames', () => {
  const code = (bytes: Buffer): string => {
    try {
      resolve(bytes);
      return 'taken';
    } catch (error) {
      return error instanceof MillraceError ? error.code : String(error);
    }
  };

  test('are resolved by fingerprint and by id', async () => {
    await registry.register('air', AIR);
    const single = resolve(frame(encodeSingleObjectHeader(fingerprintOf(AIR))));
    expect([single.schema.id, single.bodyStart]).toEqual([1, 13]);
    const confluent = resolve(frame(encodeConfluentHeader(1)));
    expect([confluent.schema.id, confluent.bodyStart]).toEqual([1, 8]);
  });

  test('whose fingerprint differs in any one bit are of another schema', async () => {
    await registry.register('air', AIR);
    const header = encodeSingleObjectHeader(fingerprintOf(AIR));
    for (let bit = 0; bit < 64; bit++) {
      const other = header.slice();
      other[2 + (bit >> 3)] = (other[2 + (bit >> 3)] ?? 0) ^ (1 << (bit & 7));
      expect(code(frame(other))).toBe('schema_unknown');
    }
  });

  test('of an unknown schema, or with no header, are refused as such', () => {
    expect(code(frame(encodeSingleObjectHeader('0123456789abcdef')))).toBe('schema_unknown');
    expect(() => resolve(frame(encodeSingleObjectHeader('0123456789abcdef')))).toThrow(/0123456789abcdef/);
    expect(code(frame(encodeConfluentHeader(7)))).toBe('schema_unknown');
    expect(code(frame(new Uint8Array()).subarray(0, 3))).toBe('frame_empty');
    expect(code(Buffer.from('...hello'))).toBe('frame_framing');
    expect(code(Buffer.from('...\xc3\x01ab', 'latin1'))).toBe('frame_truncated');
  });
});

describe('on disk', () => {
  test('ids, versions, fingerprints and measurements are there again after opening', async () => {
    await registry.register('air', AIR);
    await registry.register('water', schema('Water', [field('level', 'int')]));
    const before = registry.measurements();
    await reopen();
    expect(registry.measurements()).toEqual(before);
    expect(registry.subjects()).toEqual(['air', 'water']);
    const bytes = encodeSingleObjectHeader(fingerprintOf(AIR));
    expect(registry.resolve(bytes, 0, bytes.length).schema.text).toBe(AIR);
    expect(await registry.register('air', AIR)).toEqual({ id: 1, version: 1 });
    expect(await registry.register('fire', schema('Fire', [field('x', 'int')]))).toEqual({
      id: 3,
      version: 1,
    });
  });

  test('of a newer format are refused and left as they are', async () => {
    await registry.close();
    const root = open({ path: dir(), maxDbs: 8 });
    await root.openDB<number, string>({ name: 'meta', encoding: 'json' }).put('format', 99);
    await root.close();
    expect(await refused(openRegistry({ dir: dir() }))).toMatch(/^data_dir_version: .*format 99/);
    registry = await openRegistry({ dir: join(folder.path, 'other') });
  });
});

describe('a folder of schemas', () => {
  test('is registered by file name in order; a changed file becomes the next version', async () => {
    await mkdir(schemas());
    await writeFile(join(schemas(), 'water.avsc'), schema('Water', [field('level', 'int')]));
    await writeFile(join(schemas(), 'air.avsc'), AIR);
    await writeFile(join(schemas(), 'notes.txt'), 'not a schema');
    expect(await loadSchemaFolder(registry, schemas())).toEqual(['air', 'water']);
    expect(await loadSchemaFolder(registry, schemas())).toEqual(['air', 'water']);
    expect(registry.versions('air')).toHaveLength(1);

    await writeFile(
      join(schemas(), 'air.avsc'),
      schema('Air', [field('site', 'string'), field('ok', 'boolean')]),
    );
    await loadSchemaFolder(registry, schemas());
    expect(registry.versions('air').map(({ version }) => version)).toEqual([1, 2]);
  });

  test('with a bad file is an error that names the file and the field', async () => {
    await mkdir(schemas());
    await writeFile(join(schemas(), 'air.avsc'), schema('Air', [field('x', 'bytes')]));
    const message = await refused(loadSchemaFolder(registry, schemas()));
    expect(message).toBe(
      `schema_unmappable: ${join(schemas(), 'air.avsc')}: x: bytes has no form as a time series: give it "role": "ignore"`,
    );
  });

  test('that is not there is told from an empty one', async () => {
    expect(await loadSchemaFolder(registry, schemas())).toBeNull();
    await mkdir(schemas());
    expect(await loadSchemaFolder(registry, schemas())).toEqual([]);
  });

  test('takes a file that begins with a byte order mark, and passes over names that begin with a dot', async () => {
    await mkdir(schemas());
    await writeFile(join(schemas(), 'air.avsc'), `\uFEFF${AIR}`);
    await writeFile(join(schemas(), '._air.avsc'), Buffer.from([0, 5, 22, 7]));
    expect(await loadSchemaFolder(registry, schemas())).toEqual(['air']);
    expect(registry.byId(1)?.text).toBe(AIR);
  });

  test('with a file that is not UTF-8 is an error that names it', async () => {
    await mkdir(schemas());
    const latin1 = Buffer.from(schema('Air', [{ ...field('x', 'double'), doc: 'in \u00b0C' }]), 'latin1');
    await writeFile(join(schemas(), 'air.avsc'), latin1);
    expect(await refused(loadSchemaFolder(registry, schemas()))).toBe(
      `schema_invalid: ${join(schemas(), 'air.avsc')}: the file is not UTF-8; save it in that encoding`,
    );
  });

  test('the schemas that are shipped can be registered together', async () => {
    const shipped = new URL('../../schemas/', import.meta.url).pathname;
    expect(await loadSchemaFolder(registry, shipped)).toEqual(['environment', 'power', 'vehicle']);
    const text = await readFile(join(shipped, 'power.avsc'), 'utf8');
    expect(registry.byId(2)?.text).toBe(text);
  });
});

describe('a schema that is not to be registered any more', () => {
  const readings = (fields: object[]): object => ({
    type: 'array',
    items: { type: 'record', name: 'Item', fields },
  });
  const old = [
    schema('Timeless', [field('r', readings([field('x', 'int')]))]),
    schema('Empty', [field('r', readings([field('n', 'null')])), field('x', 'int')]),
    schema('Beside', [field('t', 'long', { logicalType: 'timestamp-millis' }), field('x', 'int')]),
  ];

  test('is refused with the reason', async () => {
    for (const text of old) {
      expect(await refused(registry.register('s', text))).toMatch(/^schema_unmappable: [rt]: /);
    }
    expect(registry.subjects()).toEqual([]);
  });

  test('stays where it was registered before: its frames are found, and it may be named again', async () => {
    await registry.close();
    const files = await SchemaFiles.open(dir());
    for (const [n, text] of old.entries()) {
      await files.add({ subject: `s${n}`, version: 1, id: n + 1, deleted: false }, text);
    }
    await files.close();
    registry = await openRegistry({ dir: dir() });
    for (const [n, text] of old.entries()) {
      const header = encodeSingleObjectHeader(fingerprintOf(text));
      expect(resolve(frame(header)).schema.id).toBe(n + 1);
      expect(await registry.register(`s${n}`, text)).toEqual({ id: n + 1, version: 1 });
      expect(await registry.register('other', text)).toEqual({ id: n + 1, version: n + 1 });
    }
  });
});
