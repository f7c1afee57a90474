import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DeviceSocket } from '../fixtures/device-socket.ts';
import { LIMITS } from '../../src/core/index.ts';
import { temporaryFolder } from '../fixtures/folder.ts';
import { environmentFrame } from '../fixtures/environment-frames.ts';
import { describeWithInflux, startInflux, type InfluxServer } from '../fixtures/influxd.ts';
import { describeWith, findProgram } from '../fixtures/program.ts';
import { until } from '../fixtures/until.ts';
import { longCycles, PATIENCE_MS, seeded } from './harness/asked.ts';
import { Gateway } from './harness/gateway.ts';
import type { Patch } from './harness/patches.ts';
import { InfluxProxy } from './harness/influx-proxy.ts';
import { withScene, type SceneOptions } from './harness/scene.ts';
import { limitFiles, limitFileSize } from './harness/small-disk.ts';
import { judge } from './harness/verdict.ts';

const random = seeded('processes');
/** A process that ends again and again is started again after longer and longer waits. */
const CYCLES = longCycles === null ? 2 : Math.ceil(longCycles / 5);
/** A process lives so long at most before it is killed, in milliseconds. */
const MAX_LIFE_MS = 400;
/** Beside the server itself, which takes devices too. */
const OTHERS = 2;

/** A process that hangs is seen sooner; one that starts has a time of its own. */
const SOON_SILENT: Patch = {
  in: 'core/limits.js',
  find: 'ingestSilentMs: 10_000',
  replace: 'ingestSilentMs: 4_000',
};

const scene = (): SceneOptions => ({
  random,
  devices: 12,
  env: { MILLRACE_PROCESSES: String(1 + OTHERS) },
});

/** Waits until as many processes as there are to be take devices, none of `before` among them. */
function allRun(gateway: Gateway, before: readonly number[] = []): Promise<unknown> {
  return until(
    'all ingest processes',
    async () => {
      const pids = gateway.ingestPids;
      if (pids.length !== OTHERS || pids.some((pid) => before.includes(pid))) return false;
      return (await gateway.readiness().catch(() => '')).includes(`"running":${1 + OTHERS}`);
    },
    PATIENCE_MS,
  );
}

/** What `/readyz` says; nothing when the connection gets to a process that goes or hangs. */
async function readinessOrNothing({ url }: Gateway): Promise<string> {
  try {
    const asked = { headers: { Connection: 'close' }, signal: AbortSignal.timeout(1_000) };
    return await (await fetch(`${url}/readyz`, asked)).text();
  } catch {
    return '';
  }
}

/** Waits until so many processes take devices, and there are to be no others. */
function allOf(gateway: Gateway, running: number): Promise<unknown> {
  return until(
    `${running} processes`,
    async () => {
      const told = await readinessOrNothing(gateway);
      return told.includes(`"wanted":${running}`) && told.includes(`"running":${running}`);
    },
    PATIENCE_MS,
  );
}

/** Why the journal does not take frames: not what the writer says of it, which it may have heard before. */
async function journalReason(gateway: Gateway): Promise<string> {
  const { parts } = JSON.parse(await gateway.readiness()) as {
    parts: { journal: { reason: string | null } };
  };
  return parts.journal.reason ?? '';
}

/** One of the ingest processes. */
function anyOf({ ingestPids }: Gateway): number {
  const pid = ingestPids[random.below(ingestPids.length)];
  if (pid === undefined) throw new Error('there is no ingest process');
  return pid;
}

describe('several processes', () => {
  test(
    `of which one is killed at ${CYCLES} random moments lose and repeat nothing, and it is started again`,
    () =>
      withScene(scene(), async ({ gateway, fleet }) => {
        for (let cycle = 0; cycle < CYCLES; cycle++) {
          await sleep(random.between(0, MAX_LIFE_MS));
          const victim = anyOf(gateway);
          process.kill(victim, 'SIGKILL');
          await fleet.progress(20);
          await allRun(gateway, [victim]);
        }
        fleet.pause();
        await fleet.acknowledged();
        await judge('processes', 'ingest process killed', gateway, fleet);
        expect(gateway.log).toContain('the ingest process ended with SIGKILL');
      }),
    240_000 + CYCLES * 10_000,
  );

  test(
    `killed together at ${CYCLES} random moments lose and repeat nothing on one data folder`,
    () =>
      withScene(scene(), async ({ gateway, fleet }) => {
        for (let cycle = 0; cycle < CYCLES; cycle++) {
          fleet.stream();
          await fleet.progress(1);
          await sleep(random.between(0, MAX_LIFE_MS));
          await gateway.kill();
          fleet.pause();
          await gateway.start();
          await fleet.acknowledged();
          await judge('processes', 'kill -9 of the server', gateway, fleet);
        }
      }),
    240_000 + CYCLES * 10_000,
  );

  test('one that hangs is ended, and its devices come back to the others', () =>
    withScene({ ...scene(), patches: [SOON_SILENT] }, async ({ gateway, fleet }) => {
      const victim = anyOf(gateway);
      process.kill(victim, 'SIGSTOP');
      await allRun(gateway, [victim]);
      expect(gateway.log).toContain('the ingest process hangs and is ended');
      fleet.pause();
      await fleet.acknowledged();
      await judge('processes', 'ingest process frozen', gateway, fleet);
    }));

  test('that stop one after another while devices stream hand them on', () =>
    withScene(scene(), async ({ gateway, fleet }) => {
      for (const [signal, running] of [
        ['SIGTTOU', 2],
        ['SIGTTOU', 1],
        ['SIGTTIN', 2],
        ['SIGTTIN', 3],
      ] as const) {
        gateway.signal(signal);
        await allOf(gateway, running);
        await fleet.progress(20);
      }
      fleet.pause();
      await fleet.acknowledged();
      await judge('processes', 'processes fewer and more', gateway, fleet);
    }));

  test('do nothing by themselves when all of them get the signals that are meant for the server', () =>
    withScene(scene(), async ({ gateway, fleet }) => {
      const pids = gateway.ingestPids;
      for (const pid of pids) {
        for (const signal of ['SIGINT', 'SIGTERM', 'SIGTTIN', 'SIGTTOU'] as const) process.kill(pid, signal);
      }
      await fleet.progress(20);
      expect(gateway.ingestPids).toEqual(pids);
      const states = pids.map((pid) => / (\w) /.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1]);
      expect(states).not.toContain('T');
      fleet.pause();
      await fleet.acknowledged();
    }));

  test('tell every device to come back when the server stops while one that is to go hangs', () =>
    withScene({ ...scene(), devices: 0 }, async ({ gateway }) => {
      const sockets = Array.from({ length: 24 }, (_, n) => new DeviceSocket(gateway.wsUrl, `device=d${n}`));
      await Promise.all(sockets.map((socket) => socket.expect('welcome')));
      const metrics = await gateway.text('/metrics');
      const [hung = 0] = [/connections\{process="ingest-2"\} (\d+)/.exec(metrics)?.[1]].map(Number);
      process.kill(gateway.ingestPids.at(-1) ?? 0, 'SIGSTOP');
      gateway.signal('SIGTTOU');
      const heard = async (): Promise<boolean> => (await readinessOrNothing(gateway)).includes('"wanted":2');
      await until('the signal to be heard', heard);
      expect(await gateway.stop()).toMatchObject({ code: 0 });
      const codes = await Promise.all(sockets.map((socket) => socket.closed()));
      expect(codes.filter((code) => code === 1012)).toHaveLength(24 - hung);
    }));

  test('end with the server where one hangs while it starts', async () => {
    const folder = temporaryFolder();
    const gateway = await Gateway.create(folder.path, scene().env, [
      { in: 'core/limits.js', find: 'ingestStartMs: 30_000', replace: 'ingestStartMs: 2_000' },
      { in: 'app/ingest-process/program.js', find: 'const tails =', replace: 'for (;;); const tails =' },
    ]);
    try {
      const { code, log } = await gateway.launch();
      expect(code).toBe(1);
      expect(log).toContain('the ingest process hangs and is ended: it has not answered for');
    } finally {
      await gateway.dispose();
      folder.remove();
    }
  });

  test('of a server that is stopped acknowledge what came, and the next ones go on behind it', () =>
    withScene(scene(), async ({ gateway, fleet }) => {
      expect(await gateway.stop()).toMatchObject({ code: 0 });
      await gateway.start();
      await fleet.progress(20);
      fleet.pause();
      await fleet.acknowledged();
      await judge('processes', 'server stopped', gateway, fleet);
    }));
});

describeWith(findProgram('prlimit') !== null, 'prlimit', 'several processes', () => {
  test('of a server whose journal fails go on with it, and lose and repeat nothing', () =>
    withScene(scene(), async ({ gateway, fleet, dataDir }) => {
      const pids = gateway.ingestPids;
      // Once: a journal that fails again soon waits longer before it is opened anew.
      const { size } = statSync(join(dataDir, 'journal', 'journal.lmdb'));
      expect(limitFileSize(gateway.pid, size)).toBe(true);
      const failed = async (): Promise<boolean> => /tried again/.test(await journalReason(gateway));
      await until('a journal that failed', failed, PATIENCE_MS);
      expect(limitFileSize(gateway.pid, 'unlimited')).toBe(true);
      // It may have failed several times, and just have begun its longest wait.
      await fleet.progress(50, LIMITS.journalRecoveryMaxMs + PATIENCE_MS);
      fleet.pause();
      await fleet.acknowledged();
      await judge('processes', 'journal failed', gateway, fleet);
      expect(gateway.ingestPids).toEqual(pids);
    }));

  test('go on when there are no files for another one, and start it when there are', () =>
    withScene(scene(), async ({ gateway, fleet }) => {
      const victim = anyOf(gateway);
      expect(limitFiles(gateway.pid, 8)).toBe(true);
      process.kill(victim, 'SIGKILL');
      await until('a start in vain', () => gateway.log.includes('the ingest process does not start'));
      gateway.signal('SIGTTIN');
      await until('another one', () => /"signal":"SIGTTIN","msg":"[^"]*EMFILE"/.test(gateway.log));
      expect(limitFiles(gateway.pid, 1_024)).toBe(true);
      await allRun(gateway, [victim]);
      gateway.signal('SIGTTIN');
      await allOf(gateway, 2 + OTHERS);
      gateway.signal('SIGTTOU');
      await allOf(gateway, 1 + OTHERS);
      await fleet.progress(20);
      fleet.pause();
      await fleet.acknowledged();
      await judge('processes', 'no files', gateway, fleet);
    }));
});

describeWithInflux('several processes', () => {
  let influx: InfluxServer;
  beforeAll(async () => {
    influx = await startInflux();
  });
  afterAll(() => influx.stop());

  /** So many that each process has some. */
  const DEVICES = 60;
  const READINGS = 1_000;
  const bigFrame = (round: number): Buffer => {
    const firstMs = Date.now() - 86_400_000 + round * READINGS;
    return environmentFrame(Array.from({ length: READINGS }, (_, n) => ({ time: firstMs + n })));
  };

  test('all withhold acks and refuse devices while the journal is full, and go on when it has room', async () => {
    const proxy = await InfluxProxy.start(influx.url);
    proxy.set({ do: 'answer', status: 503 }, true);
    const env = {
      MILLRACE_PROCESSES: String(1 + OTHERS),
      MILLRACE_JOURNAL_MAX_BYTES: '16MiB',
      MILLRACE_STORE: 'influxdb',
      INFLUX_URL: proxy.url,
      INFLUX_TOKEN: influx.token,
      INFLUX_ORG: influx.org,
      INFLUX_BUCKET: await influx.newBucket(),
    };
    const sockets: DeviceSocket[] = [];
    try {
      await withScene({ random, devices: 0, env }, async ({ gateway }) => {
        for (let n = 0; n < DEVICES; n++) sockets.push(new DeviceSocket(gateway.wsUrl, `device=d${n}`));
        await Promise.all(sockets.map((socket) => socket.expect('welcome')));
        const counts = (await gateway.text('/metrics')).matchAll(/connections\{process="[^"]+"\} (\d+)$/gm);
        expect([...counts].map(([, count]) => Number(count) > 0)).toEqual([true, true, true]);

        const isFull = async (): Promise<boolean> =>
          (JSON.parse(await gateway.readiness()) as { parts: { journal: { state: string } } }).parts.journal
            .state === 'full';
        let sent = 0;
        do {
          for (const { socket } of sockets) socket.send(bigFrame(sent));
          sent++;
          const received = sent * DEVICES * READINGS;
          await until('the round to be on disk', async () => (await gateway.ledger()).received === received);
        } while (!(await isFull()));
        for (const { socket } of sockets) socket.send(bigFrame(sent));
        sent++;
        const received = sent * DEVICES * READINGS;
        await until('one more to be on disk', async () => (await gateway.ledger()).received === received);
        for (let n = 0; n < DEVICES; n++) {
          const late = new DeviceSocket(gateway.wsUrl, `device=late${n}`);
          sockets.push(late);
          const { status, body } = await late.rejected();
          expect([status, body['code']]).toEqual([503, 'journal_full']);
        }
        const acked = ({ messages }: DeviceSocket): number =>
          messages.findLast(({ type }) => type === 'ack')?.seq ?? 0;
        for (const socket of sockets.slice(0, DEVICES)) expect(acked(socket)).toBeLessThan(sent);

        proxy.set(null);
        // The writer may have just begun its longest wait.
        const patienceMs = LIMITS.storeRetryMaxMs + PATIENCE_MS;
        await until('all to be stored', async () => (await gateway.ledger()).stored === received, patienceMs);
        await Promise.all(sockets.slice(0, DEVICES).map((socket) => socket.acked(sent)));
      });
    } finally {
      await Promise.all(sockets.map((socket) => socket.end()));
      await proxy.close();
    }
  });
});
