import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { WebSocket } from 'ws';
import { until } from '../fixtures/until.ts';
import { withScene } from './harness/scene.ts';
import { longCycles, PATIENCE_MS, seeded } from './harness/asked.ts';
import type { Gateway } from './harness/gateway.ts';
import { judge } from './harness/verdict.ts';

const random = seeded('clock');
const HOUR_MS = 3_600_000;

/** What a device is told that connects now: the status, when to come again, and the body. */
function turnedAway({ wsUrl }: Gateway): Promise<[number | undefined, string | undefined, string]> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`${wsUrl}/v1/ingest?device=late`);
    socket.on('open', () => {
      socket.terminate();
      reject(new Error('it was taken'));
    });
    socket.on('error', reject);
    socket.on('unexpected-response', (_, answer) => {
      let body = '';
      answer.setEncoding('utf8').on('data', (text: string) => (body += text));
      answer.on('end', () => resolve([answer.statusCode, answer.headers['retry-after'], body]));
    });
  });
}

const isWrong = (gateway: Gateway) =>
  until(
    'the clock to be found wrong',
    async () => (await gateway.readiness().catch(() => '')).includes('"code":"clock_wrong"'),
    PATIENCE_MS,
  );

/** Whether a process of the server's takes devices: which of them gets a connection, the system decides. */
async function takesDevices(gateway: Gateway): Promise<boolean> {
  for (let tries = 0; tries < 20; tries++) {
    const [status] = await turnedAway(gateway).catch(() => [null]);
    if (status !== 503) return true;
  }
  return false;
}

describe('a clock that jumps', () => {
  // Backwards at most a day: readings that lie farther ahead of the server's clock cannot be taken.
  const jumps = [
    ['an hour back', -HOUR_MS],
    // More than the age at which dead letters go.
    ['31 days forward', 744 * HOUR_MS],
    ['22 hours back', -22 * HOUR_MS],
    ['an hour forward', HOUR_MS],
  ] as const;
  test.each(longCycles === null ? jumps.slice(0, 2) : jumps)(
    '%s and home again stops nothing and loses nothing',
    (name, clockMs) =>
      withScene({ random, devices: 3, badPart: 0.1 }, async ({ gateway, fleet }) => {
        for (const jumpMs of [clockMs, 0]) {
          fleet.stream();
          await fleet.progress(20);
          gateway.control({ clockMs: jumpMs });
          await gateway.controlled();
          await fleet.progress(20);
          fleet.pause();
          await fleet.acknowledged();
          await judge('clock', `clock ${name}`, gateway, fleet);
        }
        await gateway.kill();
        // The next start meets it ahead, too: whether that is right, nobody knows.
        if (clockMs > 0) gateway.control({ clockMs });
        await gateway.start();
        await judge('clock', `clock ${name}`, gateway, fleet);
      }),
  );
});

describe('a clock that is known to be wrong', () => {
  test.each([1, 2])(
    'at the start of %i process(es) has devices come again, and refuses no frame for its time',
    (processes) =>
      withScene(
        { random, devices: 6, env: { MILLRACE_PROCESSES: String(processes) } },
        async ({ gateway, fleet }) => {
          await gateway.kill();
          gateway.control({ clockMs: -Date.now() });
          void gateway.launch();
          await isWrong(gateway);
          const [status, retryAfter, body] = await turnedAway(gateway);
          expect([status, Number(retryAfter) > 0]).toEqual([503, true]);
          expect(body).toContain('"code":"clock_wrong"');
          expect(gateway.log).toContain('no frames are taken until it is right');
          gateway.control({});
          await until('the server to be ready', () => gateway.isReady(), PATIENCE_MS);
          await fleet.progress(20);
          fleet.pause();
          await fleet.acknowledged();
          await judge('clock', 'a start in 1970', gateway, fleet);
        },
      ),
  );

  test.each([1, 2])(
    'under devices of %i process(es) ends their connections, and refuses no frame for its time',
    (processes) =>
      withScene(
        { random, devices: 6, env: { MILLRACE_PROCESSES: String(processes) } },
        async ({ gateway, fleet }) => {
          await fleet.progress(20);
          gateway.control({ clockMs: -Date.now() });
          await isWrong(gateway);
          expect((await turnedAway(gateway))[0]).toBe(503);
          gateway.control({});
          await until('the server to be ready', () => gateway.isReady(), PATIENCE_MS);
          await fleet.progress(20);
          fleet.pause();
          await fleet.acknowledged();
          await judge('clock', 'the clock falls to 1970', gateway, fleet);
        },
      ),
  );

  test.each([1, 2])(
    'because it stood still while time passed, is so to each of %i process(es)',
    (processes) =>
      withScene(
        { random, devices: 6, env: { MILLRACE_PROCESSES: String(processes) } },
        async ({ gateway, fleet, dataDir }) => {
          await gateway.kill();
          const known = { ms: Date.now(), trusted: true };
          writeFileSync(join(dataDir, 'clock.json'), JSON.stringify(known));
          await gateway.start();
          await fleet.progress(20);
          gateway.control({ steadyMs: 48 * HOUR_MS });
          await isWrong(gateway);
          await until('no process to take devices', async () => !(await takesDevices(gateway)), PATIENCE_MS);
          gateway.control({});
          await until('the server to be ready', () => gateway.isReady(), PATIENCE_MS);
          await fleet.progress(20);
          fleet.pause();
          await fleet.acknowledged();
          await judge('clock', 'the clock stands still', gateway, fleet);
        },
      ),
  );
});
