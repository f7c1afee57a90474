import { jest } from '@jest/globals';
import { Random } from '../../../devices/random.ts';

/** What run.mjs asked for; without it the short form runs, with a seed of its own. */
const { FAULT_SEED, FAULT_CYCLES, FAULT_SABOTAGE } = process.env;

/** A test that hangs is one that its own waits do not end; a busy machine is no fault. */
const TEST_TIMEOUT_MS = 240_000;

/** The random source of a test file, and its time limit. The seed is printed, so that a failure can be repeated. */
export function seeded(kind: string): Random {
  jest.setTimeout(TEST_TIMEOUT_MS);
  const seed = Number(FAULT_SEED ?? Math.floor(Math.random() * 1e9));
  process.stderr.write(`faults: ${kind}: repeat with npm run test:faults -- --only ${kind} --seed ${seed}\n`);
  return new Random(seed);
}

/** How many kill cycles were asked for; null in the short form. */
export const longCycles: number | null = FAULT_CYCLES === undefined ? null : Number(FAULT_CYCLES);

/** True while a promise is broken on purpose: the first that is seen broken is enough. */
export const sabotaged = FAULT_SABOTAGE !== undefined;

/** How long something is awaited that has to happen, in milliseconds. */
export const PATIENCE_MS = sabotaged ? 10_000 : 30_000;
