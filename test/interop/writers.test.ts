import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { DeviceSocket } from '../fixtures/device-socket.ts';
import { temporaryFolder } from '../fixtures/folder.ts';
import { describeWith } from '../fixtures/program.ts';
import { hasPython, PYTHON } from '../fixtures/python.ts';
import { startServer, type ServerProcess } from '../fixtures/server.ts';
import { until } from '../fixtures/until.ts';
import { keptHeaders, parseHeaders, type WrittenHeader } from '../fixtures/writers.ts';

const SCHEMAS = ['schemas/environment.avsc', 'test/vectors/writers/kinds.avsc'];
const START = '2025-01-01T00:00:00Z';

const written = (): WrittenHeader[] => {
  const python = execFileSync('python3', ['test/interop/writers.py', ...SCHEMAS], { encoding: 'utf8' });
  return [...parseHeaders(python), ...keptHeaders()];
};

describeWith(hasPython(), PYTHON, "frames by other libraries' own writers", () => {
  const folder = temporaryFolder();
  let server: ServerProcess;
  const start = async (): Promise<void> => {
    server = await startServer({ MILLRACE_DATA_DIR: folder.path, MILLRACE_PROCESSES: '2' });
  };
  beforeAll(start);
  afterAll(async () => {
    await server.end('SIGTERM');
    folder.remove();
  });

  test('are taken, stored and read back, also those that were acknowledged right before a kill', async () => {
    const frames = written().flatMap(({ library, frame }) => (frame === null ? [] : [{ library, frame }]));
    expect(frames.map(({ library }) => library)).toEqual([
      'Python avro',
      'Python fastavro',
      'Go hamba/avro',
      'Go goavro',
      'Rust apache-avro',
    ]);
    const rowsOf = async (device: string): Promise<unknown[]> => {
      const answer = await fetch(
        `${server.url}/v1/query?measurement=environment&device=${device}&from=${START}&field=temperature`,
      );
      return ((await answer.json()) as { rows?: unknown[] }).rows ?? [];
    };
    for (const [n, { frame }] of frames.entries()) {
      const device = new DeviceSocket(server.wsUrl, `device=w-${n}`);
      await device.expect('welcome');
      device.socket.send(frame);
      await device.acked(1);
      expect(device.messages.filter(({ type }) => type === 'reject')).toEqual([]);
      await device.end();
    }
    await server.end('SIGKILL');
    await start();
    for (const n of frames.keys()) {
      const rows = await until(`the rows of w-${n}`, async () => {
        const found = await rowsOf(`w-${n}`);
        return found.length === 2 ? found : null;
      });
      expect(rows).toEqual([
        ['2025-01-01T00:00:00Z', `w-${n}`, 20.5],
        ['2025-01-01T00:00:01Z', `w-${n}`, 21.5],
      ]);
    }
  });
});
