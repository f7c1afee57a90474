import { execFileSync } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import { DeviceSocket } from '../fixtures/device-socket.ts';
import { environmentFrame } from '../fixtures/environment-frames.ts';
import { temporaryFolder } from '../fixtures/folder.ts';
import { describeWith, findProgram } from '../fixtures/program.ts';
import { startServer, type ServerProcess } from '../fixtures/server.ts';
import { until } from '../fixtures/until.ts';

const folder = temporaryFolder();
const sockets: Socket[] = [];
let server: ServerProcess | null = null;
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await server?.end('SIGKILL');
  folder.remove();
});

const linux = process.platform === 'linux' && findProgram('prlimit') !== null;

describeWith(linux, 'Linux and prlimit', 'when few files may be open', () => {
  test('the start warns with the numbers, connections beyond are closed, and devices go on', async () => {
    const env = { MILLRACE_DATA_DIR: folder.path, MILLRACE_MAX_CONNECTIONS: '500' };
    const running = await startServer(env, ['serve'], ['prlimit', '--nofile=400:400']);
    server = running;
    const warning = running
      .log()
      .split('\n')
      .find((line) => line.includes('ulimit -n'));
    expect(warning).toContain('may have 400 files and connections open');
    expect(warning).toContain('max-connections is 500 and the server itself keeps 100');
    const device = new DeviceSocket(running.wsUrl, 'device=a');
    await device.expect('welcome');

    const port = Number(new URL(running.url).port);
    let open = 0;
    let closed = 0;
    for (let i = 0; i < 600; i++) {
      sockets.push(
        connect(port, '127.0.0.1')
          .on('error', () => {})
          .on('connect', () => open++)
          .on('close', () => closed++),
      );
    }
    await until('some to be closed', () => open === 600 && closed > 200);
    await until('a line in the log', () => running.log().includes('"too_many_connections"'));
    device.socket.send(environmentFrame([{ time: Date.now() }]));
    await device.acked(1);
    for (const socket of sockets) socket.destroy();
    await until('room again', async () => (await fetch(`${running.url}/healthz`).catch(() => null))?.ok);
    const ready = (await (await fetch(`${running.url}/readyz`)).json()) as { parts: object };
    expect(ready.parts).toMatchObject({ store: { state: 'up' }, journal: { state: 'open' } });
    await device.end();
  });

  test('a store whose process can open none is down, and up again when it can', async () => {
    const running = await startServer({ MILLRACE_DATA_DIR: folder.path });
    server = running;
    const writer = await until('the writer', () => /"writerPid":(\d+)/.exec(running.log())?.[1]);
    const store = async (): Promise<{ status: number; state: string; reason: string | null }> => {
      const response = await fetch(`${running.url}/readyz?for=query`);
      const { parts } = (await response.json()) as {
        parts: { store: { state: string; reason: string | null } };
      };
      return { status: response.status, ...parts.store };
    };
    expect(await store()).toMatchObject({ status: 200, state: 'up' });
    execFileSync('prlimit', ['--pid', writer, '--nofile=8:4096']);
    await until('the store to be down', async () => (await store()).state === 'down');
    expect(await store()).toMatchObject({
      status: 503,
      reason: expect.stringContaining('too many open files'),
    });
    execFileSync('prlimit', ['--pid', writer, '--nofile=4096:4096']);
    await until('the store to be up', async () => (await store()).state === 'up');
  });
});
