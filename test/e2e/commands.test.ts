import { chmodSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { temporaryFolder } from '../fixtures/folder.ts';
import { runMillrace, startCommand, startServer } from '../fixtures/server.ts';
import { until } from '../fixtures/until.ts';

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder.remove());

describe('wrong settings', () => {
  test.each([
    ['a flag', ['serve', '--port', 'abc'], {}, '--port: expected a whole number from 0 to 65535, got "abc"'],
    [
      'the environment',
      ['serve'],
      { MILLRACE_STORE: 'csv' },
      'MILLRACE_STORE: expected duckdb or influxdb, got "csv"',
    ],
    [
      'a missing part',
      ['serve', '--store', 'influxdb'],
      {},
      'INFLUX_URL: expected an http:// or https:// URL',
    ],
    ['an open host', ['serve', '--host', '0.0.0.0'], {}, 'MILLRACE_HOST: expected a loopback address'],
  ])('in %s are named, exit 2, and nothing is created', async (_, args, env, message) => {
    const data = join(folder.path, 'data');
    const result = await runMillrace(args, { MILLRACE_DATA_DIR: data, ...env });
    expect(result.code).toBe(2);
    expect(result.stderr).toContain(message);
    expect(readdirSync(folder.path)).toEqual([]);
  });

  test('all are named at once, with the file they stand in', async () => {
    const file = join(folder.path, 'millrace.yaml');
    writeFileSync(file, 'prot: 8080\nmax-unacked: many\n');
    const result = await runMillrace(['config', 'check', '--config', file], {});
    expect(result.code).toBe(2);
    expect(result.stderr).toContain('prot in ');
    expect(result.stderr).toContain(
      `max-unacked in ${file}: expected a whole number from 1 to 1000000, got "many"`,
    );
  });

  test('the value of a secret is never printed', async () => {
    const env = {
      INFLUX_TOKEN: 'very-secret',
      MILLRACE_STORE: 'influxdb',
      INFLUX_URL: 'http://127.0.0.1:1',
      INFLUX_ORG: 'o',
      INFLUX_BUCKET: 'b',
    };
    const result = await runMillrace(['config', 'check', '--json'], env);
    expect(JSON.parse(result.stdout)).toMatchObject({ store: 'influxdb', 'influx-token': '(hidden)' });
  });

  test('a broker is printed without the user and password that it is given', async () => {
    const env = { MQTT_URL: 'mqtt://somebody:very-secret@broker.example:1884' };
    for (const form of [['--json'], []]) {
      const { code, stdout, stderr } = await runMillrace(['config', 'check', ...form], env);
      expect(code).toBe(0);
      expect(stdout).toContain('mqtt://(hidden)@broker.example:1884');
      expect(stdout + stderr).not.toMatch(/somebody|very-secret/);
    }
  });
});

describe('millrace devices', () => {
  test('names its devices by --prefix, and without it by a prefix that no other run has', async () => {
    const server = await startServer({ MILLRACE_DATA_DIR: folder.path });
    const run = async (...more: string[]): Promise<string> => {
      const url = server.url.replace('http', 'ws');
      const { stdout } = await runMillrace([
        ...['devices', '--url', url, '--model', 'environment', '--count', '1', '--duration', '1s', '--json'],
        ...more,
      ]);
      return (JSON.parse(stdout) as { prefix: string }).prefix;
    };
    const prefixes = [await run('--prefix', 'hall.7'), await run(), await run()];
    expect(prefixes[0]).toBe('hall.7');
    expect(new Set(prefixes).size).toBe(3);
    const expected = prefixes.map((prefix) => `${prefix}-0001`).toSorted();
    await until('all are stored', async () => {
      const answer = (await (await fetch(`${server.url}/v1/devices`)).json()) as {
        devices: { device: string }[];
      };
      return answer.devices.map(({ device }) => device).join() === expected.join();
    });
    expect(await server.end('SIGTERM')).toBe(0);
  });

  test.each(['-a', 'a/b', '', 'a'.repeat(121)])('refuses the prefix "%s"', async (prefix) => {
    const result = await runMillrace([
      'devices',
      '--url',
      'ws://127.0.0.1:1',
      '--model',
      'power',
      `--prefix=${prefix}`,
    ]);
    expect(result.code).toBe(2);
    expect(result.stderr).toContain('--prefix');
  });
});

describe('a server that is not there', () => {
  const NOBODY = '127.0.0.1:1';

  test('is told by millrace devices, which counts nothing as sent and ends', async () => {
    const args = ['--model', 'environment', '--count', '2', '--rate', '10', '--duration', '1s', '--json'];
    const result = await runMillrace(['devices', '--url', `ws://${NOBODY}`, ...args]);
    expect(result.stderr).toMatch(/^millrace: ws:\/\/127\.0\.0\.1:1\/?: .*ECONNREFUSED.*; trying again\n$/);
    expect(result.code).toBe(1);
    expect(JSON.parse(result.stdout)).toMatchObject({
      frames_sent: 0,
      frames_unsent: 20,
      frames_unacked: 0,
      readings_sent: 0,
      bytes_sent: 0,
    });
  });

  test('is told by millrace tail, which goes on trying', async () => {
    const tail = startCommand(['tail', 'environment', '--url', `http://${NOBODY}`]);
    await until('it is told', () => /ECONNREFUSED.*; trying again/.test(tail.stderr()));
    expect(await tail.end('SIGINT')).toBe(0);
  });

  test.each(['foo', 'ftp://127.0.0.1', 'ws://'])('is asked for by a URL, which "%s" is not', async (url) => {
    for (const args of [
      ['devices', '--model', 'power', '--url', url],
      ['tail', 'environment', '--url', url],
    ]) {
      const result = await runMillrace(args);
      expect(result.code).toBe(2);
      expect(result.stderr).toContain('--url');
      expect(result.stderr).not.toMatch(/^\s+at /m);
    }
  });
});

describe('help', () => {
  test('shows defaults as somebody writes them, and secrets that have no flag', async () => {
    const { stdout } = await runMillrace(['serve', '--help']);
    const flat = stdout.replace(/\s+/g, ' ');
    for (const given of [
      '(MILLRACE_TAIL_RETENTION, default 1h)',
      '(MILLRACE_JOURNAL_MAX_BYTES, default 4GiB)',
      '(MILLRACE_DEAD_LETTERS_MAX_AGE, default 30d)',
      '(MILLRACE_MIN_TIME, default 2000-01-01)',
      '(MILLRACE_MAX_UNACKED, default',
    ])
      expect(flat).toContain(given);
    expect(flat).toContain('INFLUX_TOKEN');
  });
});

describe('wrong use', () => {
  test.each([
    ['an unknown command', ['sreve']],
    ['an unknown option', ['serve', '--prot', '1']],
    ['a missing argument', ['query']],
    [
      'a value of the wrong kind',
      ['devices', '--url', 'ws://127.0.0.1:1', '--model', 'environment', '--count', 'x'],
    ],
  ])('%s exits 2 and points to the help', async (_, args) => {
    const result = await runMillrace(args);
    expect(result.code).toBe(2);
    expect(result.stderr).toMatch(/--help/);
  });

  test('--help exits 0 on every command', async () => {
    for (const name of [
      'serve',
      'demo',
      'devices',
      'tail',
      'query',
      'latest',
      'dead-letters',
      'journal',
      'config',
    ]) {
      const result = await runMillrace([name, '--help']);
      expect(result.code).toBe(0);
      expect(result.stdout).toContain(`millrace ${name}`);
    }
  });
});

describe('a start that cannot work', () => {
  test('says which process uses the data folder', async () => {
    const server = await startServer({ MILLRACE_DATA_DIR: folder.path });
    const second = await runMillrace(['serve'], { MILLRACE_DATA_DIR: folder.path, MILLRACE_PORT: '0' });
    expect(second.code).toBe(1);
    expect(second.stderr).toContain(`process ${server.pid} uses the data folder`);
    expect(second.stderr).toContain('data_dir_in_use');
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
    expect(await server.end('SIGTERM')).toBe(0);
  });

  test('goes on where the lock was left by a process that was killed', async () => {
    const first = await startServer({ MILLRACE_DATA_DIR: folder.path });
    expect(await first.end('SIGKILL')).toBeNull();
    const second = await startServer({ MILLRACE_DATA_DIR: folder.path });
    expect(await second.end('SIGTERM')).toBe(0);
  });

  test('says that the data folder is of a newer version, and changes nothing', async () => {
    writeFileSync(join(folder.path, 'format'), '999\n');
    const result = await runMillrace(['serve'], { MILLRACE_DATA_DIR: folder.path, MILLRACE_PORT: '0' });
    expect(result.code).toBe(1);
    expect(result.stderr).toContain('data_dir_version');
    expect(readdirSync(folder.path)).toEqual(['format']);
  });

  test('says that the data folder cannot be written', async () => {
    const file = join(folder.path, 'occupied');
    writeFileSync(file, '');
    const result = await runMillrace(['serve'], { MILLRACE_DATA_DIR: file, MILLRACE_PORT: '0' });
    expect(result.code).toBe(1);
    expect(result.stderr).toContain('data_dir_unwritable');
  });

  test('says that the port is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const address = other.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const result = await runMillrace(['serve'], {
      MILLRACE_DATA_DIR: folder.path,
      MILLRACE_PORT: String(port),
    });
    other.close();
    expect(result.code).toBe(1);
    expect(result.stderr).toContain(`127.0.0.1:${port}`);
    expect(result.stderr).toContain('port_in_use');
  });

  test.each([
    ['192.0.2.1', 'EADDRNOTAVAIL'],
    ['no-such-host.invalid', 'ENOTFOUND|EAI_AGAIN'],
  ])('says what the system has against listening on %s', async (host, code) => {
    for (const port of ['0', '18080']) {
      const result = await runMillrace(['serve', '--insecure'], {
        MILLRACE_DATA_DIR: folder.path,
        MILLRACE_HOST: host,
        MILLRACE_PORT: port,
      });
      expect(result.code).toBe(1);
      expect(result.stderr).toContain('listen_failed');
      expect(result.stderr).toMatch(new RegExp(code));
      expect(result.stderr).not.toContain('port_in_use');
    }
  });

  test('says that no folder can be made in /proc', async () => {
    const result = await runMillrace(['serve'], { MILLRACE_DATA_DIR: '/proc/x', MILLRACE_PORT: '0' });
    expect(result.code).toBe(1);
    expect(result.stderr).toContain('data_dir_unwritable');
  });

  test('names the schema file that cannot be registered', async () => {
    const schemas = join(folder.path, 'schemas');
    mkdirSync(schemas);
    chmodSync(schemas, 0o755);
    writeFileSync(join(schemas, 'broken.avsc'), '{"type":"record"');
    const result = await runMillrace(['serve'], {
      MILLRACE_DATA_DIR: join(folder.path, 'data'),
      MILLRACE_SCHEMAS: schemas,
      MILLRACE_PORT: '0',
    });
    expect(result.code).toBe(1);
    expect(result.stderr).toContain('broken.avsc');
  });
});
