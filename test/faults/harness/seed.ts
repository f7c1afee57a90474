import { Random } from '../../../devices/random.ts';

/** The random source of a test file. Its seed is printed, so that a failure can be repeated. */
export function seeded(kind: string): Random {
  const seed = Number(process.env['FAULT_SEED'] ?? Math.floor(Math.random() * 1e9));
  process.stderr.write(`faults: ${kind}: repeat with npm run test:faults -- --only ${kind} --seed ${seed}\n`);
  return new Random(seed);
}

/** How many kill cycles were asked for; null in the short form. */
export const longCycles: number | null =
  process.env['FAULT_CYCLES'] === undefined ? null : Number(process.env['FAULT_CYCLES']);
