import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { temporaryFolder } from '../fixtures/folder.ts';
import { describeWith } from '../fixtures/program.ts';
import { hasPython, PYTHON } from '../fixtures/python.ts';
import { startServer, type ServerProcess } from '../fixtures/server.ts';

const FRAMES = 20;
const READINGS = 5;

describeWith(hasPython(), PYTHON, 'a device written in Python with websockets and fastavro', () => {
  const folder = temporaryFolder();
  let server: ServerProcess;
  beforeAll(async () => {
    server = await startServer({ MILLRACE_DATA_DIR: folder.path });
  });
  afterAll(async () => {
    await server.end('SIGTERM');
    folder.remove();
  });

  test('streams frames, gets acks and a reject, reads its rows back and tails them', async () => {
    const script = join(process.cwd(), 'test', 'interop', 'device.py');
    const schema = join(process.cwd(), 'schemas', 'environment.avsc');
    const { stdout } = await promisify(execFile)('python3', [
      script,
      server.url,
      schema,
      'py-1',
      String(FRAMES),
      String(READINGS),
    ]);
    const seen = JSON.parse(stdout) as Record<string, unknown> & { stored: unknown[]; tailed: unknown[] };
    expect(seen.subprotocol).toBe('millrace.v1');
    expect(seen.welcome).toMatchObject({ type: 'welcome', device: 'py-1', seq: 0 });
    expect(seen.acked).toBe(FRAMES + 1);
    expect(seen.rejected).toEqual([{ seq: FRAMES + 1, code: 'schema_unknown' }]);
    expect(seen.stored).toHaveLength(FRAMES * READINGS);
    expect(seen.tailed).toEqual(seen.stored);
    expect(seen.stored[0]).toContain(20);
  });
});
