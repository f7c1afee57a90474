import { mkdirSync, copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import avsc from 'avsc';
import { WebSocket } from 'ws';
import { encodeSingleObjectHeader, fingerprintOf } from '../../src/codec/index.ts';
import { DeviceSocket } from '../fixtures/device-socket.ts';
import { temporaryFolder } from '../fixtures/folder.ts';
import { runMillrace, startServer, type ServerProcess } from '../fixtures/server.ts';
import { until } from '../fixtures/until.ts';

/** Names that every object of JavaScript seems to have, in each place where a name can stand. */
const HOSTILE = JSON.stringify({
  type: 'record',
  name: 'constructor',
  fields: [
    { name: 'time', type: { type: 'long', logicalType: 'timestamp-millis' } },
    { name: 'valueOf', type: 'string' },
    { name: 'toString', type: 'string' },
    { name: 'hasOwnProperty', type: 'double' },
    { name: 'isPrototypeOf', type: 'double' },
  ],
});
const DEVICE = 'constructor';

/** Selections as the parameters of a URL; each means the same as members of an object. */
type Parameters = readonly (readonly [name: string, value: string])[];
/** What a way to ask said: rows, or the code and text of an error. */
type Said = { rows: unknown[][] } | { code: string; message: string };

const folder = temporaryFolder();
const startMs = Date.now();
let server: ServerProcess;

beforeAll(async () => {
  const schemas = join(folder.path, 'schemas');
  mkdirSync(schemas);
  copyFileSync('schemas/environment.avsc', join(schemas, 'environment.avsc'));
  writeFileSync(join(schemas, '__proto__.avsc'), HOSTILE);
  server = await startServer({ MILLRACE_DATA_DIR: join(folder.path, 'data'), MILLRACE_SCHEMAS: schemas });
  const device = new DeviceSocket(server.wsUrl, `device=${DEVICE}`);
  // avsc has trouble with the names themselves; only the bytes count.
  const plain = HOSTILE.replace(/"name":"(\w+)"/g, (_, name: string) => `"name":"_${name}"`);
  const type = avsc.Type.forSchema(JSON.parse(plain) as avsc.Schema);
  for (const [i, tag] of ['x', 'y'].entries()) {
    const body = type.toBuffer({
      _time: startMs + i,
      _valueOf: tag,
      _toString: `t${i}`,
      _hasOwnProperty: i,
      _isPrototypeOf: 2,
    });
    device.socket.on('open', () =>
      device.socket.send(Buffer.concat([encodeSingleObjectHeader(fingerprintOf(HOSTILE)), body])),
    );
  }
  await device.acked(2);
  expect(device.messages.filter(({ type }) => type === 'reject')).toEqual([]);
  await device.end();
  await until('both rows', async () => rowsOf(await query([['measurement', 'constructor']])).length === 2);
});
afterAll(async () => {
  await server.end('SIGTERM');
  folder.remove();
});

const rowsOf = (said: Said): unknown[][] => ('rows' in said ? said.rows : []);

async function said(response: Response): Promise<Said> {
  const body = (await response.json()) as { rows: unknown[][]; code: string; detail: string };
  return response.ok ? { rows: body.rows } : { code: body.code, message: body.detail };
}

const searchOf = (parameters: Parameters): string =>
  String(new URLSearchParams(parameters.map(([name, value]): [string, string] => [name, value])));

async function query(parameters: Parameters): Promise<Said> {
  return said(await fetch(`${server.url}/v1/query?${searchOf(parameters)}`));
}

/** As text, since an object literal has no own __proto__. */
function jsonMembers(parameters: Parameters): string {
  const members = parameters.filter(([name]) => !name.startsWith('tag.'));
  const tags = parameters.filter(([name]) => name.startsWith('tag.'));
  const texts = members.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`);
  const inner = tags.map(([name, value]) => `${JSON.stringify(name.slice(4))}:${JSON.stringify(value)}`);
  return [...texts, ...(inner.length > 0 ? [`"tag":{${inner.join(',')}}`] : [])].join(',');
}

async function post(parameters: Parameters): Promise<Said> {
  const headers = { 'content-type': 'application/json' };
  const body = `{${jsonMembers(parameters)}}`;
  return said(await fetch(`${server.url}/v1/query`, { method: 'POST', headers, body }));
}

/** Stored rows as a tail gives them, until it is live or an error comes. */
async function tail(search: string, message: string | null): Promise<Said> {
  const socket = new WebSocket(`${server.wsUrl}/v1/tail${search}`);
  const messages: { type: string; rows: unknown[][]; code: string; message: string }[] = [];
  socket.on('message', (data: Buffer) => messages.push(JSON.parse(data.toString()) as (typeof messages)[0]));
  if (message !== null) socket.on('open', () => socket.send(message));
  try {
    await until('the end of the history', () =>
      messages.some(({ type }) => type === 'live' || type === 'error'),
    );
  } finally {
    socket.terminate();
  }
  const error = messages.find(({ type }) => type === 'error');
  if (error !== undefined) return { code: error.code, message: error.message };
  return { rows: messages.filter(({ type }) => type === 'data').flatMap(({ rows }) => rows) };
}

const FROM = ['from', '-1h'] as const;
const given = (parameters: Parameters): Parameters =>
  parameters.some(([name]) => name === 'from') ? parameters : [...parameters, FROM];
const WAYS: readonly [string, (parameters: Parameters) => Promise<Said>][] = [
  ['GET /v1/query', (parameters) => query(given(parameters))],
  ['POST /v1/query', (parameters) => post(given(parameters))],
  ['a tail by its URL', (parameters) => tail(`?${searchOf(given(parameters))}`, null)],
  [
    'a tail by a message',
    (parameters) => tail('', `{"type":"subscribe","id":"1",${jsonMembers(given(parameters))}}`),
  ],
];

const M = ['measurement', 'constructor'] as const;
const ENVIRONMENT = ['measurement', 'environment'] as const;

describe.each(WAYS)('%s', (_way, ask) => {
  test.each<[string, Parameters, string[]]>([
    ['no filter', [], ['x', 'y']],
    ['a tag valueOf', [['tag.valueOf', 'y']], ['y']],
    ['a tag valueOf of another value', [['tag.valueOf', 'z']], []],
    ['a tag toString', [['tag.toString', 't0']], ['x']],
    ['a device of that name', [['device', DEVICE]], ['x', 'y']],
    ['tag.device', [['tag.device', DEVICE]], ['x', 'y']],
    ['another tag.device', [['tag.device', 'toString']], []],
    ['a field of that name', [['field', 'hasOwnProperty']], ['x', 'y']],
    [
      'a time with a bare plus',
      [['from', new Date(startMs - 1).toISOString().replace('Z', ' 00:00')]],
      ['x', 'y'],
    ],
  ])('filters names like those of objects: %s', async (_name, filter, expected) => {
    const rows = rowsOf(await ask([M, ...filter]));
    expect(rows.map((row) => row[2])).toEqual(expected);
  });

  test.each<[string, Parameters, string, RegExp]>([
    [
      'an unknown tag',
      [ENVIRONMENT, ['tag.__proto__', 'x']],
      'parameter_unknown',
      /^tag\.__proto__: environment has no such tag; its tags: device$/,
    ],
    [
      'a tag constructor',
      [ENVIRONMENT, ['tag.constructor', 'x']],
      'parameter_unknown',
      /^tag\.constructor: environment has no/,
    ],
    ['a tag without a name', [ENVIRONMENT, ['tag.', 'x']], 'parameter_unknown', /^there is no tag ""/],
    [
      'a parameter __proto__',
      [ENVIRONMENT, ['__proto__', 'x']],
      'parameter_unknown',
      /^there is no parameter "__proto__"/,
    ],
    [
      'a parameter toString',
      [ENVIRONMENT, ['toString', 'x']],
      'parameter_unknown',
      /^there is no parameter "toString"/,
    ],
    [
      'a measurement',
      [['measurement', '__proto__']],
      'measurement_unknown',
      /^there is no measurement "__proto__"$/,
    ],
    [
      'a measurement toString',
      [['measurement', 'toString']],
      'measurement_unknown',
      /^there is no measurement/,
    ],
    ['no measurement', [], 'parameter_missing', /^the parameter measurement is missing$/],
    [
      'a field',
      [ENVIRONMENT, ['field', '__proto__']],
      'field_unknown',
      /^environment has no field "__proto__"$/,
    ],
    [
      'a device twice over',
      [ENVIRONMENT, ['device', 'a'], ['tag.device', 'a']],
      'parameter_invalid',
      /^tag\.device: give devices once/,
    ],
    [
      'a time',
      [ENVIRONMENT, ['from', 'yesterday']],
      'parameter_invalid',
      /^from: expected RFC 3339, "now", .* got "yesterday"$/,
    ],
    ['a time that is empty', [ENVIRONMENT, ['from', '']], 'parameter_invalid', /^from: /],
  ])('refuses %s, in the same words whichever way it is asked', async (_name, parameters, code, message) => {
    expect(await ask(parameters)).toEqual({ code, message: expect.stringMatching(message) });
  });
});

describe('the command line', () => {
  const run = (...args: string[]) => runMillrace([...args, '--url', server.url]);

  test('filters by such names, in queries and tails', async () => {
    const queried = await run('query', 'constructor', '--tag', 'valueOf=y', '--json');
    expect((JSON.parse(queried.stdout) as { rows: unknown[][] }).rows.map((row) => row[2])).toEqual(['y']);
    const tailed = await run('tail', 'constructor', '--tag', 'valueOf=y', '--from', '-1h', '--limit', '1');
    expect([tailed.code, tailed.stdout]).toEqual([0, expect.stringMatching(/\ty\tt1\t/)]);
  });

  test.each(['__proto__', 'constructor'])('tells of a tag %s that there is not', async (name) => {
    for (const command of ['query', 'tail']) {
      const { code, stderr } = await run(command, 'environment', '--tag', `${name}=x`);
      expect([code, stderr]).toEqual([
        1,
        expect.stringContaining(`tag.${name}: environment has no such tag`),
      ]);
    }
  });
});
