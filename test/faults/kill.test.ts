import { describe, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { withScene } from './harness/scene.ts';
import { longCycles, seeded } from './harness/asked.ts';
import { judge } from './harness/verdict.ts';

const random = seeded('kill');
const CYCLES = longCycles ?? 3;
/** A server lives so long at most between a first ack and a kill, in milliseconds. */
const MAX_LIFE_MS = 600;

describe('kill -9 at random moments', () => {
  test(
    `loses and repeats nothing in ${CYCLES} cycles on one data folder`,
    () =>
      withScene({ random, odd: true }, async ({ gateway, fleet }) => {
        for (let cycle = 0; cycle < CYCLES; cycle++) {
          fleet.stream();
          await fleet.progress(1);
          await sleep(random.between(0, MAX_LIFE_MS));
          await gateway.kill();
          fleet.pause();
          await gateway.start();
          await fleet.acknowledged();
          await judge('kill', 'kill -9, DuckDB', gateway, fleet);
        }
      }),
    240_000 + CYCLES * 10_000,
  );
});
