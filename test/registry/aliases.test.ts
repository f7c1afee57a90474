import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { compileSchema, encodeConfluentHeader, encodeSingleObjectHeader } from '../../src/codec/index.ts';
import { MillraceError } from '../../src/core/index.ts';
import { openRegistry, RegistryCopy, type Registry, type SchemaLookup } from '../../src/registry/index.ts';
import { SchemaFiles } from '../../src/registry/schema-files.ts';
import { temporaryFolder } from '../fixtures/folder.ts';
import { schemaWithFingerprint } from '../fixtures/forged-schema.ts';

const ENVIRONMENT = readFileSync('schemas/environment.avsc', 'utf8');
const { fingerprint, aliases } = compileSchema(ENVIRONMENT);
const ALIASES = aliases.map((alias) => alias.fingerprint);
const FORGED = schemaWithFingerprint(ALIASES[0] ?? '');

let folder: ReturnType<typeof temporaryFolder>;
let registry: Registry;
const dir = (): string => join(folder.path, 'registry');

beforeEach(async () => {
  folder = temporaryFolder();
  registry = await openRegistry({ dir: dir() });
});
afterEach(async () => {
  await registry.close();
  folder.remove();
});

const found = (schemas: SchemaLookup, name: string): number => {
  const header = encodeSingleObjectHeader(name);
  return schemas.resolve(header, 0, header.length).schema.id;
};

const refusal = (bytes: Uint8Array, schemas: SchemaLookup = registry): string => {
  try {
    schemas.resolve(bytes, 0, bytes.length);
    return 'taken';
  } catch (error) {
    return error instanceof MillraceError ? `${error.code}: ${error.message}` : String(error);
  }
};

describe('a frame that names its schema by what a library computes', () => {
  test('is of that schema, also after a restart and in every other process', async () => {
    const early = new RegistryCopy(registry.contents());
    registry.onChange((version) => early.add(version, registry.byId(version.id)?.text ?? ''));
    const { id } = await registry.register('environment', ENVIRONMENT);
    await registry.close();
    registry = await openRegistry({ dir: dir() });
    for (const schemas of [registry, early, new RegistryCopy(registry.contents())]) {
      for (const name of [fingerprint, ...ALIASES]) expect(found(schemas, name)).toBe(id);
    }
  });

  test('is of the newest schema of that fingerprint, as with the fingerprint itself', async () => {
    await registry.register('environment', ENVIRONMENT);
    const documented = ENVIRONMENT.replace('Indoor or outdoor', 'Outdoor or indoor');
    const { id } = await registry.register('environment', documented);
    for (const name of [fingerprint, ...ALIASES]) expect(found(registry, name)).toBe(id);
  });
});

describe('a schema that truly has the alias of another as its fingerprint', () => {
  test('is forged faithfully', () => {
    expect(compileSchema(FORGED).fingerprint).toBe(ALIASES[0]);
  });

  test('is found by it when it was there first, and the other one by its own and the other alias', async () => {
    const forged = await registry.register('forged', FORGED);
    const environment = await registry.register('environment', ENVIRONMENT);
    for (const schemas of [registry, new RegistryCopy(registry.contents())]) {
      expect([fingerprint, ...ALIASES].map((name) => found(schemas, name))).toEqual([
        environment.id,
        forged.id,
        environment.id,
      ]);
    }
  });

  test('is refused when it comes later: frames in the journal stay what they were', async () => {
    const { id } = await registry.register('environment', ENVIRONMENT);
    await expect(registry.register('forged', FORGED)).rejects.toMatchObject({
      code: 'schema_conflict',
      message: expect.stringContaining(`under which frames of schema ${id} are taken already`),
    });
    expect(found(registry, ALIASES[0] ?? '')).toBe(id);
  });

  test('is found by it where both were registered before there were aliases', async () => {
    await registry.close();
    const files = await SchemaFiles.open(dir());
    await files.add({ subject: 'environment', version: 1, id: 1, deleted: false }, ENVIRONMENT);
    await files.add({ subject: 'forged', version: 1, id: 2, deleted: false }, FORGED);
    await files.close();
    registry = await openRegistry({ dir: dir() });
    expect(found(registry, ALIASES[0] ?? '')).toBe(2);
  });
});

describe('the refusal of a frame whose schema nobody knows', () => {
  const body = Buffer.from('000000', 'hex');

  test('says that nothing is registered, and how to do it', () => {
    expect(refusal(encodeSingleObjectHeader(fingerprint))).toBe(
      `schema_unknown: no schema has the fingerprint ${fingerprint}; no schema is registered yet: register the ` +
        'writer\'s schema with "millrace schema register FILE", or by POST to /registry/subjects/SUBJECT/versions, ' +
        'and send again or replay the dead letter',
    );
  });

  test('names the newest fingerprints, and how many more there are', async () => {
    for (let n = 0; n < 7; n++) {
      const fields = [{ name: 'x', type: 'int' }];
      await registry.register(`s${n}`, JSON.stringify({ type: 'record', name: `S${n}`, fields }));
    }
    const message = refusal(encodeSingleObjectHeader('0123456789abcdef'));
    expect(message).toMatch(/; known are [0-9a-f]{16} \(s6\), .*\(s2\) and 2 more; register/);
    expect(message).not.toContain('(s1)');
  });

  test('says that the bytes are reversed, for a fingerprint, an alias and an id', async () => {
    const { id } = await registry.register('environment', ENVIRONMENT);
    for (const name of [fingerprint, ...ALIASES]) {
      const mirrored = Buffer.from(name, 'hex').reverse().toString('hex');
      expect(refusal(encodeSingleObjectHeader(mirrored))).toContain(
        `its bytes are reversed: ${name} is that of environment`,
      );
    }
    const littleEndian = Buffer.from(encodeConfluentHeader(id));
    littleEndian.writeUInt32LE(id, 1);
    expect(refusal(littleEndian)).toMatch(
      /^schema_unknown: .*its bytes are reversed: 1 is that of environment/,
    );
  });

  test('says that the message is the body of a known schema without a header, whatever it begins with', async () => {
    await registry.register('environment', ENVIRONMENT);
    const hint = `looks like the body of environment without its header: put C3 01 and the fingerprint ${fingerprint}`;
    // The device left out: 00 in front is Confluent's.
    const anonymous = Buffer.from('000200000000000100', 'hex');
    const named = Buffer.from('0206612d3100', 'hex');
    expect(refusal(anonymous)).toMatch(/^schema_unknown: no schema has the id/);
    expect(refusal(anonymous)).toContain(hint);
    expect(refusal(named)).toMatch(/^frame_framing: /);
    expect(refusal(named)).toContain(hint);
    expect(refusal(body)).not.toContain(hint);
  });

  test('says that the message looks like JSON, or like a container file', () => {
    expect(refusal(Buffer.from(' {"readings":[]}'))).toMatch(/^frame_framing: .*looks like JSON/);
    expect(refusal(Buffer.from('[1]'))).toContain('looks like JSON');
    expect(refusal(Buffer.from('Obj\u0001'))).toMatch(
      /^frame_framing: .*looks like an object container file/,
    );
    expect(refusal(Buffer.from('hello'))).toBe(
      'frame_framing: a frame begins with C3 01 or 00, this one with 6865',
    );
  });

  test('guesses for a few in each second only, and names the fingerprint always', async () => {
    await registry.register('environment', ENVIRONMENT);
    const named = Buffer.from('0206612d3100', 'hex');
    const messages = Array.from({ length: 1_000 }, () => refusal(named));
    expect(messages.filter((message) => message.includes('looks like')).length).toBeLessThan(200);
    expect(messages.every((message) => message.startsWith('frame_framing: '))).toBe(true);
  });
});
