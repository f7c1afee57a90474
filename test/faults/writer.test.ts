import { describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { temporaryFolder } from '../fixtures/folder.ts';
import { until } from '../fixtures/until.ts';
import { type Patch, WRITER_KILL_POINTS } from './harness/patches.ts';
import type { Gateway } from './harness/gateway.ts';
import { withScene } from './harness/scene.ts';
import { longCycles, PATIENCE_MS, seeded } from './harness/asked.ts';
import { judge } from './harness/verdict.ts';

const random = seeded('writer');
/** A process that ends again and again is started again after longer and longer waits. */
const CYCLES = longCycles === null ? 2 : Math.ceil(longCycles / 5);
/** A writer lives so long at most before it is killed, in milliseconds. */
const MAX_LIFE_MS = 600;
/** A point is passed at most so often before it kills. */
const MAX_PASS = 8;

/** The writer process that comes after `before`, when it writes. */
async function nextWriter(gateway: Gateway, before: number | null): Promise<number> {
  let pid: number | null = null;
  await until(
    'another writer process',
    async () => {
      pid = gateway.writerPid;
      return (
        pid !== null &&
        pid !== before &&
        (await gateway.readiness()).includes('"store":{"kind":"duckdb","state":"up"')
      );
    },
    PATIENCE_MS,
  );
  return pid ?? 0;
}

/** Longer than a start keeps a process busy on a loaded machine: a writer is looked at from its start on. */
const SHORT_MS = 8_000;

/** A limit of the server's that would take a test too long. */
function patient(limit: string): Patch {
  return { in: 'core/limits.js', find: limit, replace: `${limit.split(':')[0]}: ${SHORT_MS}` };
}

/** The first commit of DuckDB's never ends; those of later processes do. */
function hangOnce(marker: string): Patch {
  const commit = "connection.run('COMMIT')";
  const fs = "process.getBuiltinModule('node:fs')";
  const hang = `new Promise(() => ${fs}.writeFileSync('${marker}', ''))`;
  return {
    in: 'store/duckdb/write/transaction.js',
    find: commit,
    replace: `(${fs}.existsSync('${marker}') ? ${commit} : ${hang})`,
  };
}

describe('the writer process', () => {
  test(
    `killed at ${CYCLES} random moments is started again, while acks go on`,
    () =>
      withScene({ random, odd: true }, async ({ gateway, fleet }) => {
        for (let cycle = 0; cycle < CYCLES; cycle++) {
          const pid = await nextWriter(gateway, null);
          await sleep(random.between(0, MAX_LIFE_MS));
          process.kill(pid, 'SIGKILL');
          await fleet.progress(20);
          await nextWriter(gateway, pid);
        }
        fleet.pause();
        await fleet.acknowledged();
        await judge('writer', 'writer killed', gateway, fleet);
        expect(gateway.log).toContain('the writer process ended with SIGKILL');
      }),
    240_000 + CYCLES * 10_000,
  );

  test.each(WRITER_KILL_POINTS.map(({ name, patch }) => [name, patch] as const))(
    'killed %s loses and repeats nothing',
    (point, patch) =>
      withScene({ random, odd: true, patches: [patch] }, async ({ gateway, fleet }) => {
        const pid = await nextWriter(gateway, null);
        gateway.control({ kill: { point, pass: 1 + random.below(MAX_PASS), alone: true } });
        await until('the end of the writer', () => gateway.writerPid !== pid, PATIENCE_MS);
        gateway.control({});
        await nextWriter(gateway, pid);
        fleet.pause();
        await fleet.acknowledged();
        await judge('writer', `writer killed ${point}`, gateway, fleet);
      }),
  );

  test('that is away is told by /readyz and by queries, and frames are taken', () =>
    withScene({ random, odd: true }, async ({ gateway, fleet }) => {
      const pid = await nextWriter(gateway, null);
      process.kill(pid, 'SIGSTOP');
      // It has the store open and answers nothing: whoever asks is told in time.
      const asked = fetch(`${gateway.url}/v1/query?measurement=environment&fn=count`);
      await fleet.progress(20);
      process.kill(pid, 'SIGKILL');
      const answer = await asked;
      expect(answer.status).toBe(503);
      expect(await answer.json()).toMatchObject({ code: 'store_unavailable' });
      await fleet.progress(20);
      await nextWriter(gateway, pid);
      fleet.pause();
      await fleet.acknowledged();
      await judge('writer', 'writer frozen and killed', gateway, fleet);
    }));

  test('that is frozen for good is ended and started again', () =>
    withScene(
      { random, odd: true, patches: [patient('writerSilentMs: 60_000')] },
      async ({ gateway, fleet }) => {
        const pid = await nextWriter(gateway, null);
        process.kill(pid, 'SIGSTOP');
        await nextWriter(gateway, pid);
        fleet.pause();
        await fleet.acknowledged();
        await judge('writer', 'writer frozen for good', gateway, fleet);
        expect(gateway.log).toContain('the writer process hangs and is ended: it has not answered');
      },
    ));

  test('whose store never answers a write is ended and started again', async () => {
    const folder = temporaryFolder();
    try {
      const patches = [patient('storeCallMs: 5 * 60_000'), hangOnce(join(folder.path, 'hung'))];
      await withScene({ random, odd: true, patches }, async ({ gateway, fleet }) => {
        await until('the end of a writer', () => gateway.log.includes('ended with SIGKILL'), PATIENCE_MS);
        await nextWriter(gateway, null);
        fleet.pause();
        await fleet.acknowledged();
        await judge('writer', 'store hangs in a commit', gateway, fleet);
        expect(gateway.log).toContain('the writer process hangs and is ended: the store has not answered');
      });
    } finally {
      folder.remove();
    }
  });

  test('of a killed server ends before the next one opens the store', () =>
    withScene({ random, odd: true }, async ({ gateway, fleet, dataDir }) => {
      const orphan = await nextWriter(gateway, null);
      process.kill(orphan, 'SIGSTOP');
      gateway.signal('SIGKILL');
      await until('the end of the server', () => !gateway.alive);
      const started = gateway.start();
      // The next server has the first lock and waits for the second; the frozen writer cannot see that it is alone.
      const owner = (): string => readFileSync(join(dataDir, 'lock'), 'utf8').trim();
      await until('a server that waits', () => owner() === String(gateway.pid));
      expect(await gateway.isReady()).toBe(false);
      expect(gateway.writerPid).toBeNull();
      process.kill(orphan, 'SIGCONT');
      await started;
      fleet.pause();
      await fleet.acknowledged();
      await judge('writer', 'writer outlives its server', gateway, fleet);
    }));
});
