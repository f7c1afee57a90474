/** A real InfluxDB 2.7 for benchmarks: `influxd` from PATH, in a folder and on a port of its own. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';

const TOKEN = 'benchmark-token';

/** Starts it, empty, in `dir`. */
export async function startInfluxd(dir) {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const path = (name) => join(dir, name);
  const server = { url, token: TOKEN, org: 'bench', bucket: 'bench', process: null, kill, start, remove };
  await server.start();
  const setup = { username: 'bench', password: 'benchmark', org: 'bench', bucket: 'bench', token: TOKEN };
  const answer = await fetch(`${url}/api/v2/setup`, { method: 'POST', body: JSON.stringify(setup) });
  if (answer.status !== 201) throw new Error(`influxd setup: ${answer.status} ${await answer.text()}`);
  return server;

  async function start() {
    server.process = spawn(
      'influxd',
      [
        `--bolt-path=${path('bolt')}`,
        `--engine-path=${path('engine')}`,
        `--sqlite-path=${path('sqlite')}`,
        `--http-bind-address=127.0.0.1:${port}`,
        '--reporting-disabled',
        '--log-level=error',
      ],
      { stdio: 'ignore' },
    );
    let failed = null;
    server.process.once('error', (error) => (failed = error));
    for (;;) {
      const alive = await fetch(`${url}/health`).then(
        (response) => response.ok,
        () => false,
      );
      if (alive) return;
      if (failed !== null) throw new Error(`influxd cannot be started: ${failed.message}`);
      if (server.process.exitCode !== null) throw new Error('influxd ended');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async function kill() {
    const ended = once(server.process, 'exit');
    server.process.kill('SIGKILL');
    await ended;
  }

  async function remove() {
    if (server.process.exitCode === null && server.process.signalCode === null) await kill();
    rmSync(dir, { recursive: true, force: true });
  }
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  return port;
}
