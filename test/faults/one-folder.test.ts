import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { until } from '../fixtures/until.ts';
import { Gateway } from './harness/gateway.ts';
import { withScene } from './harness/scene.ts';
import { longCycles, seeded } from './harness/asked.ts';
import { judge } from './harness/verdict.ts';

const random = seeded('one-folder');
const ROUNDS = longCycles === null ? 2 : 20;

describe('a second server on a data folder', () => {
  test('is refused, and the first goes on unharmed', () =>
    withScene({ random }, async ({ gateway, fleet, dataDir }) => {
      const second = await Gateway.create(dataDir);
      const { code, log } = await second.launch();
      expect(code).not.toBe(0);
      expect(code).not.toBeNull();
      expect(log).toContain('data_dir_in_use');
      await fleet.progress(20);
      fleet.pause();
      await fleet.acknowledged();
      await judge('one-folder', 'two servers', gateway, fleet);
      await second.dispose();
    }));

  test('is refused where the file of the lock was deleted, and leaves the journal to the first', () =>
    withScene({ random }, async ({ gateway, fleet, dataDir }) => {
      rmSync(join(dataDir, 'lock'));
      const second = await Gateway.create(dataDir);
      const { code, log } = await second.launch();
      expect(code).toBe(1);
      expect(log).toContain('data_dir_in_use');
      await second.dispose();
      // Deleted files are the first one's own trouble: it takes nothing until it is started again. But the journal is its own.
      expect(gateway.log).not.toContain('another process has opened this journal');
      await gateway.kill();
      await gateway.start();
      await fleet.progress(5);
      fleet.pause();
      await fleet.acknowledged();
      await judge('one-folder', 'a deleted lock', gateway, fleet);
    }));

  test('that starts at once when the first was killed loses the race, or wins it alone', () =>
    withScene({ random, devices: 2 }, async ({ gateway, fleet, dataDir }) => {
      const rival = await Gateway.create(dataDir);
      try {
        for (let round = 0; round < ROUNDS; round++) {
          fleet.stream();
          await fleet.progress(5);
          await gateway.kill();
          // One of the two has to give up by itself, and must not have harmed the other.
          const loser = await Promise.race([gateway.launch(), rival.launch()]);
          expect(loser.code).not.toBe(0);
          expect(loser.log).toContain('data_dir_in_use');
          const winner = gateway.alive ? gateway : rival;
          expect(await until('the winner', () => winner.isReady())).toBe(true);
          if (winner === rival) {
            await rival.kill();
            await gateway.start();
          }
          await fleet.progress(5);
        }
        fleet.pause();
        await fleet.acknowledged();
        await judge('one-folder', 'two starts', gateway, fleet);
      } finally {
        await rival.dispose();
      }
    }));
});
