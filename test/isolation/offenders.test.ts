import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { environmentFrame } from '../fixtures/environment-frames.ts';
import { DeviceSocket } from '../fixtures/device-socket.ts';
import { temporaryFolder } from '../fixtures/folder.ts';
import { startServer, type ServerProcess } from '../fixtures/server.ts';
import { until } from '../fixtures/until.ts';
import { ROWS } from './offenders/index.mjs';

const OFFENDER = join(process.cwd(), 'test', 'isolation', 'harness', 'offender.mjs');
/** All processes of the server together, at most. */
const MAX_BYTES = 1_500 * 1024 ** 2;
/** That the readers among the offenders ask for, in the frames of one device. */
const FRAMES = 10;
const READINGS = 1_000;

/** What the server says to those that go beyond a limit: the code of the end of a connection, or the status of an answer. */
const ENDS: Readonly<Record<string, string>> = {
  'tail-subscribe': 'too_many_messages',
  'tail-ping': 'too_many_messages',
  pipelined: 'too_many_requests',
  bodies: 'status 413',
  'json-bodies': 'status 413',
};

const folder = temporaryFolder();
let server: ServerProcess;
let honest: DeviceSocket;
let acked = 0;
beforeAll(async () => {
  server = await startServer({ MILLRACE_DATA_DIR: folder.path });
  const loader = new DeviceSocket(server.wsUrl, 'device=loader');
  await loader.expect('welcome');
  const startMs = Date.now() - 3_600_000;
  for (let n = 0; n < FRAMES; n++) {
    const firstMs = startMs + n * READINGS;
    loader.socket.send(environmentFrame(Array.from({ length: READINGS }, (_, i) => ({ time: firstMs + i }))));
  }
  await loader.acked(FRAMES);
  await loader.end();
  honest = new DeviceSocket(server.wsUrl, 'device=honest');
  await honest.expect('welcome');
});
afterAll(async () => {
  await honest.end();
  await server.end('SIGTERM');
  folder.remove();
});

/** Runs the small form of a row to the end of its work, and gives what it counted. */
async function offend(name: string): Promise<Record<string, number>> {
  const { program, options, tiny: limit, tinyOptions = {} } = ROWS[name] ?? {};
  const asked = {
    program,
    options: { ...options, ...tinyOptions },
    port: Number(new URL(server.url).port),
    limit,
  };
  const child = fork(OFFENDER, [JSON.stringify(asked)]);
  let counts: Record<string, number> = {};
  let over = false;
  const ended = once(child, 'exit');
  try {
    child.on('message', (message: { ready?: true; done?: true; counts?: Record<string, number> }) => {
      if (message.ready === true) child.send('go');
      if (message.done === true) over = true;
      counts = message.counts ?? counts;
    });
    await until(`the work of ${name}`, async () => {
      await frame();
      if (child.connected) child.send('counts');
      return over || (counts['sent'] ?? 0) >= (limit ?? 0) || (counts['ended'] ?? 0) > 0;
    });
  } finally {
    child.send('stop');
    await ended;
  }
  return counts;
}

/** One frame of the honest device, until its ack. */
async function frame(): Promise<void> {
  honest.socket.send(environmentFrame([{ time: Date.now() - 60_000 + acked }]));
  acked += 1;
  await honest.acked(acked);
}

function peakBytes(): number {
  const children = readFileSync(`/proc/${server.pid}/task/${server.pid}/children`, 'utf8').trim().split(' ');
  return [server.pid, ...children].reduce<number>((sum, pid) => {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return sum + Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) * 1024;
  }, 0);
}

async function endsWith(code: string): Promise<number> {
  const metrics = await (await fetch(`${server.url}/metrics`)).text();
  const line = new RegExp(`^millrace_connections_ended_total\\{code="${code}"\\} (\\d+)`, 'm').exec(metrics);
  return Number(line?.[1] ?? 0);
}

const small = Object.entries(ROWS).filter(([, { tiny }]) => tiny !== undefined);

test.each(small.map(([name, { title }]) => [title, name]))(
  'beside "%s" an honest device is acknowledged, and what goes beyond a limit is ended with its code',
  async (_, name) => {
    const end = ENDS[name];
    const isCode = end !== undefined && !end.startsWith('status');
    const before = isCode ? await endsWith(end) : 0;
    const counts = await offend(name);
    if (end !== undefined && !isCode) expect(counts).toHaveProperty([end]);
    if (isCode) await until(`an end with ${end}`, async () => (await endsWith(end)) > before);
    await frame();
    expect(peakBytes()).toBeLessThan(MAX_BYTES);
  },
);

test('after all of them the server lives, and has everything that was acknowledged', async () => {
  await frame();
  await until('nothing pending', async () => {
    const ledger = (await (await fetch(`${server.url}/v1/ledger`)).json()) as { pending: number };
    return ledger.pending === 0;
  });
  const count = async (device: string): Promise<unknown> => {
    const query = `measurement=environment&device=${device}&fn=count&field=ok&from=-1d`;
    const answer = (await (await fetch(`${server.url}/v1/query?${query}`)).json()) as { rows: unknown[][] };
    return answer.rows[0]?.[1];
  };
  expect(await count('honest')).toBe(acked);
  expect(await count('loader')).toBe(FRAMES * READINGS);
});
