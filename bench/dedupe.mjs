/**
 * What the dedupe window costs: memory and time per frame by the number of devices, and how long the largest log
 * takes to be read back at opening. `npm run build`, then `node --expose-gc bench/dedupe.mjs [--write]`.
 */
import { randomBytes } from 'node:crypto';
import { LIMITS } from '../dist/src/core/index.js';
import { keepContents, restoreWindow } from '../dist/src/journal/local/dedupe/dedupe-log.js';
import { DedupeWindow } from '../dist/src/journal/local/dedupe/dedupe-window.js';
import { EMPTY_STATE } from '../dist/src/journal/local/format/state.js';
import { count, report } from './report.mjs';

const DEVICES = [5, 1_000, 20_000, 100_000];
const FRAMES_PER_COMMIT = 4_000;
const name = () => randomBytes(16).toString('latin1');
/** Names are made beforehand, in portions, so that making them is not measured. */
const PORTION = 10_000;

function fill(devices) {
  globalThis.gc();
  const before = process.memoryUsage().heapUsed;
  const window = new DedupeWindow(LIMITS, 0);
  let elapsedMs = 0;
  let frames = 0;
  while (frames < 1.2 * LIMITS.dedupeTotal) {
    const portion = Array.from({ length: PORTION }, (_, i) => [`device-${(frames + i) % devices}`, name()]);
    const begin = performance.now();
    for (const [device, content] of portion) window.take(device, content, frames++);
    elapsedMs += performance.now() - begin;
  }
  globalThis.gc();
  const bytes = (process.memoryUsage().heapUsed - before) / window.size;
  return { devices, frames: window.size, bytes, ns: (elapsedMs / frames) * 1e6 };
}

/** Milliseconds to read back a log of as many frames as it may hold. */
function readBack() {
  const entries = [];
  let state = EMPTY_STATE.contents;
  let open = null;
  while (state.frames < 2 * LIMITS.dedupeTotal) {
    const contents = new Map();
    for (let i = 0; i < FRAMES_PER_COMMIT; i++) {
      const device = `device-${(state.frames + i) % 5_000}`;
      contents.set(device, [...(contents.get(device) ?? []), name()]);
    }
    const kept = keepContents(state, [contents], open, () => [], LIMITS, Date.now());
    ({ state, open } = kept);
    entries.push(kept.put);
  }
  const window = new DedupeWindow(LIMITS, Date.now());
  const begin = performance.now();
  restoreWindow(window, entries, state.frames, LIMITS);
  return { frames: state.frames, ms: performance.now() - begin };
}

if (globalThis.gc === undefined) throw new Error('run it with node --expose-gc');
const windows = DEVICES.map(fill);
const back = readBack();
report({
  name: 'dedupe',
  title: 'What the dedupe window costs',
  command: 'node --expose-gc bench/dedupe.mjs',
  columns: ['devices', 'frames held', 'bytes each', 'ns to look up and add'],
  rows: windows.map(({ devices, frames, bytes, ns }) => [
    count(devices),
    count(frames),
    count(bytes),
    count(ns),
  ]),
  notes: [`A log of ${count(back.frames)} frames is read back in ${count(back.ms)} ms.`],
  data: { windows, readBack: back },
});
