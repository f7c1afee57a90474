import { describe, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../fixtures/until.ts';
import { longCycles, PATIENCE_MS, seeded } from './harness/asked.ts';
import type { Gateway } from './harness/gateway.ts';
import { withScene, type SceneOptions } from './harness/scene.ts';
import { judge } from './harness/verdict.ts';

const random = seeded('processes');
/** A process that ends again and again is started again after longer and longer waits. */
const CYCLES = longCycles === null ? 4 : Math.ceil(longCycles / 5);
/** A process lives so long at most before it is killed, in milliseconds. */
const MAX_LIFE_MS = 400;
/** Beside the server itself, which takes devices too. */
const OTHERS = 2;

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
    withScene(scene(), async ({ gateway, fleet }) => {
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
        await until(
          `${running} processes`,
          async () => {
            // The process that goes may have the connection over which it was to be asked.
            const told = await gateway.readiness().catch(() => '');
            return told.includes(`"running":${running},"wanted":${running}`);
          },
          PATIENCE_MS,
        );
        await fleet.progress(20);
      }
      fleet.pause();
      await fleet.acknowledged();
      await judge('processes', 'processes fewer and more', gateway, fleet);
    }));

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
