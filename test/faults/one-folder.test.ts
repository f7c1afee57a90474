import { describe, expect, test } from '@jest/globals';
import { until } from '../fixtures/until.ts';
import { Gateway } from './harness/gateway.ts';
import type { Patch } from './harness/patches.ts';
import { withScene } from './harness/scene.ts';
import { longCycles, seeded } from './harness/asked.ts';
import { judge } from './harness/verdict.ts';

const random = seeded('one-folder');
const ROUNDS = longCycles === null ? 2 : 20;

const WAIT = 'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200 * Math.random());';
const SLOW_LOCK: Patch = {
  in: 'app/data-folder.js',
  find: 'return me;',
  replace: `${WAIT} return me;`,
};

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

  // The second way makes the moment long between seeing the dead one's lock and replacing it.
  test.each([
    ['at once', []],
    ['at once, slowly', [SLOW_LOCK]],
  ])('that starts %s over the lock of a killed one loses the race, or wins it alone', (name, patches) =>
    withScene({ random, devices: 2, patches }, async ({ gateway, fleet, dataDir }) => {
      const rival = await Gateway.create(dataDir, {}, patches);
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
        await judge('one-folder', `two starts ${name}`, gateway, fleet);
      } finally {
        await rival.dispose();
      }
    }),
  );
});
