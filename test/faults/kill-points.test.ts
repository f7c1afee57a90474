import { describe, expect, test } from '@jest/globals';
import { KILL_POINTS } from './harness/patches.ts';
import { longCycles, seeded } from './harness/asked.ts';
import { sharedScene } from './harness/scene.ts';
import { judge } from './harness/verdict.ts';

const random = seeded('kill-points');
const ROUNDS = longCycles === null ? 1 : 4;
/** A point is passed at most so often before it kills. */
const MAX_PASS = 8;

describe('kill -9 at a named point', () => {
  // Nothing is kept for tails, so that each settlement trims.
  const env = { MILLRACE_TAIL_RETENTION: '0s', MILLRACE_TAIL_RETENTION_BYTES: '0' };
  // The points are in one program, one folder lives through all of them, and what is read back grows from one to the next.
  const scene = sharedScene(() => ({
    random,
    odd: true,
    env,
    patches: KILL_POINTS.map(({ patch }) => patch),
  }));
  test.each(KILL_POINTS.map(({ name, when }) => [name, when] as const))(
    'loses and repeats nothing %s',
    async (point, when) => {
      const { gateway, fleet } = scene();
      for (let round = 0; round < ROUNDS; round++) {
        gateway.control({ kill: { point, pass: 1 + random.below(when === 'draining' ? 1 : MAX_PASS) } });
        fleet.stream();
        if (when === 'draining') {
          await fleet.progress(20);
          gateway.signal('SIGTERM');
        }
        expect(await gateway.ended()).toMatchObject({ signal: 'SIGKILL' });
        gateway.examine();
        fleet.pause();
        gateway.control({});
        await gateway.start();
        await fleet.acknowledged();
        await judge('kill-points', `kill -9 ${point}`, gateway, fleet);
      }
    },
  );
});
