import { describe, test } from '@jest/globals';
import { withScene } from './harness/scene.ts';
import { longCycles, seeded } from './harness/asked.ts';
import { judge } from './harness/verdict.ts';

const random = seeded('clock');
const HOUR_MS = 3_600_000;

describe('a clock that jumps', () => {
  // At most a day: readings that lie farther ahead of the server's clock are refused, and rightly so.
  const jumps = [
    ['an hour back', -HOUR_MS],
    // Less than the age at which dead letters go.
    ['20 days forward', 480 * HOUR_MS],
    ['22 hours back', -22 * HOUR_MS],
    ['an hour forward', HOUR_MS],
  ] as const;
  test.each(longCycles === null ? jumps.slice(0, 2) : jumps)(
    '%s and home again stops nothing and loses nothing',
    (name, clockMs) =>
      withScene({ random, devices: 3 }, async ({ gateway, fleet }) => {
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
        await gateway.start();
        await judge('clock', `clock ${name}`, gateway, fleet);
      }),
  );
});
