import { describe, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { withScene } from './harness/scene.ts';
import { longCycles, seeded } from './harness/asked.ts';
import { judge } from './harness/verdict.ts';

const random = seeded('freeze');
const FREEZES = longCycles === null ? 2 : 10;
const MAX_FREEZE_MS = 1_000;

describe('a frozen server', () => {
  test('goes on where it stood, and one that is killed while frozen loses nothing', () =>
    withScene({ random, odd: true }, async ({ gateway, fleet }) => {
      for (let i = 0; i < FREEZES; i++) {
        gateway.signal('SIGSTOP');
        await sleep(random.between(100, MAX_FREEZE_MS));
        gateway.signal('SIGCONT');
        await fleet.progress(20);
        await sleep(random.between(0, 200));
      }
      gateway.signal('SIGSTOP');
      fleet.pause();
      gateway.signal('SIGCONT');
      await fleet.acknowledged();
      await judge('freeze', 'SIGSTOP, SIGCONT', gateway, fleet);

      fleet.stream();
      await fleet.progress(20);
      gateway.signal('SIGSTOP');
      await sleep(random.between(0, 200));
      await gateway.kill();
      await gateway.start();
      fleet.pause();
      await fleet.acknowledged();
      await judge('freeze', 'SIGSTOP, SIGKILL', gateway, fleet);
    }));
});
