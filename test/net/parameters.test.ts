import { Readable } from 'node:stream';
import { describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import { MillraceError } from '../../src/core/index.ts';
import {
  bindParameters,
  inputJsonSchema,
  readBody,
  readQuery,
  type RawParameters,
} from '../../src/net/index.ts';

const input = z.object({
  name: z.string().min(1),
  many: z.array(z.string()).min(1).max(3).optional(),
  fn: z.array(z.enum(['min', 'max'])).optional(),
  limit: z.int().min(1).max(100).default(10),
  tag: z
    .map(z.string(), z.array(z.string()))
    .transform((tags) => Object.fromEntries(tags))
    .optional(),
});

const bind = (raw: RawParameters) => bindParameters(raw, input, inputJsonSchema(input));
const get = (query: string) => bind(readQuery(query, {}, ['fn']));

test('a query string has a limit that a cursor does not count for, wherever it stands', () => {
  const many = (chars: number): string => `many=${'x'.repeat(chars - 5)}`;
  const cursor = `cursor=${'c'.repeat(2_048)}`;
  const refused = expect.objectContaining({ code: 'query_too_long' }) as unknown;
  for (const [front, behind] of [
    ['', ''],
    ['', `&${cursor}`],
  ] as const) {
    const all = (chars: number): string => front + many(chars) + behind;
    expect(readQuery(all(8_192), {}, []).get('many')).toHaveLength(1);
    expect(() => readQuery(all(8_193), {}, [])).toThrow(refused);
  }
  // The sign between them is the query's own.
  expect(readQuery(`${cursor}&${many(8_191)}`, {}, []).has('cursor')).toBe(true);
  expect(() => readQuery(`${cursor}&${many(8_193)}`, {}, [])).toThrow(refused);
  expect(() => readQuery(`uncursor=${'c'.repeat(9_000)}`, {}, [])).toThrow(refused);
});

function body(text: string, contentType = 'application/json'): Promise<RawParameters> {
  return readBody({
    method: 'POST',
    path: '/',
    query: '',
    header: (name) => (name === 'content-type' ? contentType : undefined),
    body: () => Promise.resolve(Buffer.from(text)),
    stream: () => Readable.from([Buffer.from(text)]),
    headers: new Map(),
    signal: new AbortController().signal,
  });
}

function codeOf(action: () => unknown): [string, string] {
  try {
    action();
  } catch (error) {
    if (error instanceof MillraceError) return [error.code, error.message];
    throw error;
  }
  return ['', ''];
}

describe('a query string', () => {
  test('gives texts, lists by repetition, whole numbers and defaults', () => {
    expect(get('name=a%20b&many=x&many=y,z')).toEqual({ name: 'a b', many: ['x', 'y,z'], limit: 10 });
    expect(get('name=a&limit=7')).toEqual({ name: 'a', limit: 7 });
  });

  test('splits at commas only where the route says so', () => {
    expect(get('name=a&fn=min,max&fn=min')).toMatchObject({ fn: ['min', 'max', 'min'] });
  });

  test('gathers tag.NAME in one object of lists', () => {
    expect(get('name=a&tag.site=x&tag.site=y&tag.phase=')).toMatchObject({
      tag: { site: ['x', 'y'], phase: [''] },
    });
  });

  test('refuses what it does not know, and lists what it knows', () => {
    const [code, message] = codeOf(() => get('name=a&nmae=b'));
    expect(code).toBe('parameter_unknown');
    expect(message).toContain('name, many, fn, limit, tag.NAME');
  });

  test.each(['__proto__', 'constructor', 'hasOwnProperty', 'tag.'])('refuses the name %s', (name) => {
    expect(codeOf(() => get(`name=a&${name}=b`))[0]).toBe('parameter_unknown');
  });

  test('names a parameter that is missing', () => {
    expect(codeOf(() => get('limit=3'))).toEqual(['parameter_missing', 'the parameter name is missing']);
  });

  test.each([
    'name=',
    'name=a&name=b',
    'name=a&limit=x',
    'name=a&limit=0',
    'name=a&limit=101',
    'name=a&limit=1.5',
    'name=a&limit=0x10',
    'name=a&limit=1e1',
    'name=a&limit=',
    'name=a&fn=median',
    'name=a&many=1&many=2&many=3&many=4',
  ])('refuses %s as invalid and names the parameter', (query) => {
    const [code, message] = codeOf(() => get(query));
    expect(code).toBe('parameter_invalid');
    expect(message).toMatch(/^(name|limit|fn|many)/);
  });
});

describe('a JSON body', () => {
  test('means the same as the query string, with single values and numbers as they come', async () => {
    const raw = await body(
      '{"name":5,"many":"x","limit":"7","tag":{"site":"a","phase":["b","c"]},"fn":null}',
    );
    expect(bind(raw)).toEqual({
      name: '5',
      many: ['x'],
      limit: 7,
      tag: { site: ['a'], phase: ['b', 'c'] },
    });
    expect(bind(await body('{"name":"a","tag.site":["x","y"]}'))).toMatchObject({
      tag: { site: ['x', 'y'] },
    });
  });

  test.each(['{"name":"a","many":[]}', '{"name":"a","tag":"x"}', '{"name":["a","b"]}', '{"name":true}'])(
    'refuses the members of %s',
    async (text) => {
      const raw = await body(text);
      expect(codeOf(() => bind(raw))[0]).toBe('parameter_invalid');
    },
  );

  test.each(['', '{', '[]', '"a"', 'null'])('refuses %j', async (text) => {
    await expect(body(text)).rejects.toMatchObject({ code: 'body_invalid' });
  });

  test('refuses another content type, such as that of a form', async () => {
    await expect(body('{}', 'text/plain')).rejects.toMatchObject({ code: 'content_type_unsupported' });
    await expect(body('{}', 'Application/JSON; charset=utf-8')).resolves.toEqual(new Map());
  });
});
