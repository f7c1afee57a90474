import { availableParallelism } from 'node:os';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import {
  isLoopback,
  loadConfig,
  misspeltVariables,
  SETTINGS,
  type Settings,
} from '../../src/config/index.ts';
import { temporaryFolder } from '../fixtures/folder.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());

function file(text: string): string {
  const path = join(folder.path, `${Math.random()}.yaml`);
  writeFileSync(path, text);
  return path;
}

describe('settings', () => {
  test('have defaults when nobody says anything', () => {
    const settings = loadConfig({ flags: {}, env: {} });
    expect(settings).toMatchObject({
      host: '127.0.0.1',
      port: 8080,
      store: 'duckdb',
      'data-dir': './data',
      auth: 'off',
    });
    expect(Object.keys(settings)).toEqual(Object.keys(SETTINGS));
  });

  test('come from flags before the environment before the file', () => {
    const path = file('port: 1\nhost: localhost\nmax-unacked: 7\n');
    const settings = loadConfig({
      flags: { port: '3' },
      env: { MILLRACE_PORT: '2', MILLRACE_HOST: '127.0.0.2' },
      file: path,
    });
    expect(settings).toMatchObject({ port: 3, host: '127.0.0.2', 'max-unacked': 7 });
  });

  test('take sizes, durations and lists', () => {
    const path = file(
      'journal-max-bytes: 64MiB\ntail-retention: 15m\norigins: [http://a.example, http://b.example]\n',
    );
    expect(loadConfig({ flags: {}, env: {}, file: path })).toMatchObject({
      'journal-max-bytes': 64 * 1024 ** 2,
      'tail-retention': 900_000,
      origins: ['http://a.example', 'http://b.example'],
    });
  });

  test.each([
    ['05e4123456789012', '05e4123456789012'],
    ['1.10', '1.10'],
    ['0042', '0042'],
    ['0x1F', '0x1F'],
    ['yes', 'yes'],
    ['"a: b"', 'a: b'],
  ])('keep %s of the file as it was written', (written, text) => {
    const path = file(`influx-org: ${written}\n`);
    expect(loadConfig({ flags: {}, env: {}, file: path })['influx-org' as keyof Settings]).toBe(text);
  });

  test('without a value in the file have their defaults', () => {
    const path = file('host:\nport: ~\nstore: null\n');
    expect(loadConfig({ flags: {}, env: {}, file: path })).toMatchObject({
      host: '127.0.0.1',
      port: 8080,
      store: 'duckdb',
    });
  });

  test.each([
    ['MILLRACE_PORT', '65536'],
    ['MILLRACE_ORIGINS', '*'],
    ['MILLRACE_ORIGINS', 'http://a.example,http://b.example/'],
    ['MILLRACE_ORIGINS', 'page.example'],
    ['MILLRACE_JOURNAL_MAX_BYTES', '1KiB'],
    ['MILLRACE_TAIL_RETENTION', 'soon'],
    ['MILLRACE_AUTH', 'on'],
    ['MILLRACE_MIN_TIME', '1969-12-31'],
    ['MILLRACE_MIN_TIME', '2001-02-29'],
    ['MILLRACE_MIN_TIME', '946684800000'],
    ['MILLRACE_PROCESSES', '0'],
    ['MILLRACE_PROCESSES', '65'],
    ['MILLRACE_PROCESSES', 'many'],
  ])('%s=%s is refused by its name, with what was expected', (name, value) => {
    expect(() => loadConfig({ flags: {}, env: { [name]: value } })).toThrow(
      expect.objectContaining({
        code: 'config_invalid',
        message: `${name}: expected ${Object.values(SETTINGS).find((s) => s.env === name)?.expected}, got "${value}"`,
      }),
    );
  });

  test('the earliest time is a day or RFC 3339, from 1970 on', () => {
    const earliest = (value: string): string =>
      new Date(loadConfig({ flags: {}, env: { MILLRACE_MIN_TIME: value } })['min-time']).toISOString();
    expect(new Date(loadConfig({ flags: {}, env: {} })['min-time']).toISOString()).toBe(
      '2000-01-01T00:00:00.000Z',
    );
    expect(earliest('1970-01-01')).toBe('1970-01-01T00:00:00.000Z');
    expect(earliest('2024-02-29')).toBe('2024-02-29T00:00:00.000Z');
    expect(earliest('2024-02-29T12:00:00.5+02:00')).toBe('2024-02-29T10:00:00.500Z');
    const path = file('min-time: 2010-05-01\n');
    expect(loadConfig({ flags: {}, env: {}, file: path })['min-time']).toBe(Date.UTC(2010, 4, 1));
  });

  test('MILLRACE_PROCESSES is a number, or auto for one process on each core', () => {
    const processes = (value: string): number =>
      loadConfig({ flags: {}, env: { MILLRACE_PROCESSES: value } }).processes;
    expect(loadConfig({ flags: {}, env: {} }).processes).toBe(1);
    if (process.platform !== 'linux') {
      expect(() => processes('4')).toThrow('expected 1 on this system, got "4"');
      return;
    }
    expect(processes('4')).toBe(4);
    expect(processes('auto')).toBe(Math.min(availableParallelism(), 64));
  });

  test.each([
    ['http://user:PASSWORD@influx.example:8086', 'http://influx.example:8086'],
    ['https://user:PASSWORD@influx.example/below/?a=b@c', 'https://influx.example/below/?a=b@c'],
    ['http://PASSWORD@[::1]:8086/', 'http://[::1]:8086/'],
    ['http://influx.example:8086/', 'http://influx.example:8086/'],
  ])('a URL of %s is kept without its user and password', (given, kept) => {
    expect(loadConfig({ flags: {}, env: { INFLUX_URL: given } })['influx-url' as keyof Settings]).toBe(kept);
  });

  test.each([
    ['INFLUX_URL', 'ftp://user:PASSWORD@influx.example'],
    ['INFLUX_URL', 'http://user:PASS/PASSWORD@influx.example:8086'],
    ['INFLUX_URL', 'user:PASSWORD@influx.example'],
    ['MQTT_URL', 'http://user:PASSWORD@broker.example'],
    ['MILLRACE_ORIGINS', 'https://user:PASSWORD@page.example'],
    ['MILLRACE_PORT', 'http://user:PASSWORD@host'],
  ])('what is wrong with %s=%s is told without the password', (name, value) => {
    expect(() => loadConfig({ flags: {}, env: { [name]: value } })).toThrow(
      expect.objectContaining({ message: expect.stringMatching(/^((?!PASSWORD).)*\(hidden\)@.*$/) }),
    );
  });

  test('what is wrong with a file is told without its lines', () => {
    const path = file('influx-token: SECRET\n  influx-url: [\n');
    expect(() => loadConfig({ flags: {}, env: {}, file: path })).toThrow(
      /^--config: ((?!SECRET).)* line 1, column \d+$/,
    );
  });

  test('an open host is refused without --insecure', () => {
    expect(() => loadConfig({ flags: { host: '::' }, env: {} })).toThrow(/loopback/);
    expect(loadConfig({ flags: { host: '::', insecure: 'true' }, env: {} }).host).toBe('::');
  });

  test('a file that is no list of settings, or not there, is refused', () => {
    for (const path of [file('- 1\n'), file('a: [\n'), join(folder.path, 'missing.yaml')]) {
      expect(() => loadConfig({ flags: {}, env: {}, file: path })).toThrow(/^--config: /);
    }
  });
});

test.each([
  ['127.0.0.1', true],
  ['127.9.9.9', true],
  ['::1', true],
  ['localhost', true],
  ['0.0.0.0', false],
  ['127.0.0.1.example.com', false],
  ['10.0.0.1', false],
])('%s reaches this machine alone: %p', (host, expected) => {
  expect(isLoopback(host)).toBe(expected);
});

describe('the topic filter of an MQTT broker', () => {
  test.each(['millrace/v1/+/frames', '$share/a/+', 'a/+', '$share/group/plant/+/telemetry'])(
    '%s names a device',
    (filter) => expect(loadConfig({ flags: {}, env: { MQTT_TOPIC: filter } })['mqtt-topic']).toBe(filter),
  );

  test.each(['a/b', 'a/+/+', 'a/#', 'a+/b', '+/b/#', '$share/+/a', '$share/a', 'a/+/\u0000'])(
    '%j does not, and is refused',
    (filter) => expect(() => loadConfig({ flags: {}, env: { MQTT_TOPIC: filter } })).toThrow(/^MQTT_TOPIC: /),
  );

  test('a certificate needs its key, and both have to be there', () => {
    const load = (env: Record<string, string>) => () => loadConfig({ flags: {}, env });
    expect(load({ MQTT_CERT: 'package.json' })).toThrow('MQTT_CERT and MQTT_KEY: expected both or none');
    expect(load({ MQTT_CA: '/nowhere' })).toThrow('MQTT_CA: expected a file that exists, got "/nowhere"');
  });
});

describe('variables of the environment', () => {
  test.each([
    ['MILLRACE_PROT', 'MILLRACE_PORT'],
    ['MILLRACE_DATADIR', 'MILLRACE_DATA_DIR'],
    ['MILLRACE_ORIGIN', 'MILLRACE_ORIGINS'],
  ])('that are misspelt, as %s, are named with the nearest right one', (name, meant) => {
    expect(misspeltVariables({ [name]: 'x' })).toEqual([
      `${name} is no setting and says nothing; did you mean ${meant}?`,
    ]);
  });

  test('that are right, other programs\u2019, or those that a cluster makes for a service of our name are not', () => {
    const names = [
      'MILLRACE_PORT',
      'MILLRACE_URL',
      'PATH',
      'MILLRACE_SERVICE_HOST',
      'MILLRACE_PORT_8080_TCP_ADDR',
    ];
    expect(misspeltVariables(Object.fromEntries(names.map((name) => [name, 'x'])))).toEqual([]);
  });

  test('of the file are likewise named', () => {
    const path = file('prot: 1\n');
    expect(() => loadConfig({ flags: {}, env: {}, file: path })).toThrow(/did you mean "port"\?/);
  });
});
