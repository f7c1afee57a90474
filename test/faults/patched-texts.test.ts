import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { KILL_POINTS, type Patch } from './harness/patches.ts';
import { SABOTAGES } from './harness/sabotages.mjs';

const PROGRAM = join(process.cwd(), 'dist', 'src');

/** How often the text of a patch is in the built program, where the patch looks for it. */
function timesFound({ in: place, find }: Patch): number {
  const path = join(PROGRAM, place);
  const files = place.endsWith('.js')
    ? [path]
    : readdirSync(path, { recursive: true, encoding: 'utf8' })
        .filter((name) => name.endsWith('.js'))
        .map((name) => join(path, name));
  return files.reduce((sum, file) => sum + readFileSync(file, 'utf8').split(find).length - 1, 0);
}

test('every kill point and every sabotage is about a text that is in the program exactly once', () => {
  const patches = [...KILL_POINTS.map(({ patch }) => patch), ...SABOTAGES.flatMap(({ patches: all }) => all)];
  const wrong = patches.filter((patch) => timesFound(patch) !== 1);
  expect(patches.length).toBeGreaterThan(20);
  expect(wrong.map(({ in: place, find }) => `${place}: ${find}`)).toEqual([]);
});
