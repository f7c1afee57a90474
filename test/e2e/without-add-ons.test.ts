import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { temporaryFolder } from '../fixtures/folder.ts';
import { runMillrace, startServer, type ServerProcess } from '../fixtures/server.ts';

/** As on a machine for which no add-on has a binary. */
const NO_ADD_ON = "process.dlopen = () => { throw new Error('no binary loads on this machine'); };";
const WITHOUT = { NODE_OPTIONS: `--import "data:text/javascript,${encodeURIComponent(NO_ADD_ON)}"` };

let folder: ReturnType<typeof temporaryFolder>;
let server: ServerProcess;

beforeAll(async () => {
  folder = temporaryFolder();
  server = await startServer({ MILLRACE_DATA_DIR: folder.path });
});
afterAll(async () => {
  await server.end('SIGTERM');
  folder.remove();
});

test.each([
  ['--version'],
  ['--help'],
  ['serve', '--help'],
  ['journal', 'check', '--help'],
  ['config', 'check'],
  ['latest', '--help'],
])('millrace %s %s %s runs where no add-on has a binary', async (...args) => {
  expect(await runMillrace(args, WITHOUT)).toMatchObject({ code: 0, stderr: '' });
});

test('commands that ask a server do, too', async () => {
  const { url } = server;
  const sent = await runMillrace(
    [
      'devices',
      '--url',
      url.replace('http', 'ws'),
      '--model',
      'environment',
      '--count',
      '1',
      '--rate',
      '5',
      '--duration',
      '1s',
      '--json',
    ],
    WITHOUT,
  );
  expect(sent).toMatchObject({ code: 0, stderr: '' });
  for (const args of [
    ['query', 'environment', '--url', url, '--csv'],
    ['latest', 'environment', '--url', url],
    ['dead-letters', 'list', '--url', url],
    ['tail', 'environment', '--from', '-5m', '--limit', '1', '--url', url],
  ]) {
    expect([args, await runMillrace(args, WITHOUT)]).toMatchObject([args, { code: 0, stderr: '' }]);
  }
});

test('a server says which add-on is missing, in the words of what loads it', async () => {
  const { code, stderr } = await runMillrace(['serve'], { ...WITHOUT, MILLRACE_DATA_DIR: folder.path });
  expect(code).toBe(1);
  expect(stderr).toContain('no binary loads on this machine');
  expect(stderr).not.toMatch(/^\s+at /m);
});
