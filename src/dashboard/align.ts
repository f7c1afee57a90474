import type { Points } from './series.ts';

/**
 * Lines on one common time axis, as uPlot takes them: undefined where a line merely has no point at another
 * line's time, null where it is broken.
 */
export type Aligned = [times: number[], ...lines: (number | null | undefined)[][]];

/** A line is broken where points are this many times further apart than they usually are. */
const BREAK_FACTOR = 6;
const MIN_BREAK_MS = 1_500;
/** Newest points from which the usual distance is taken. */
const SAMPLE = 200;

export function align(lines: readonly (Points & { sliceMs: number })[]): Aligned {
  const broken = lines.map((line) => withBreaks(line, breakMs(line)));
  const heads = broken.map(() => 0);
  const inBreak = broken.map(() => false);
  const times: number[] = [];
  const columns: (number | null | undefined)[][] = broken.map(() => []);
  for (;;) {
    let next = Infinity;
    for (const [i, line] of broken.entries()) next = Math.min(next, line.times[heads[i] ?? 0] ?? Infinity);
    if (next === Infinity) return [times, ...columns];
    times.push(next);
    for (const [i, line] of broken.entries()) {
      const head = heads[i] ?? 0;
      const here = line.times[head] === next;
      if (here) {
        heads[i] = head + 1;
        inBreak[i] = line.values[head] === null;
      }
      // A break goes on through the times of other lines, up to this line's next point.
      columns[i]?.push(here ? line.values[head] : inBreak[i] === true ? null : undefined);
    }
  }
}

/** The distance in time beyond which two points of a line are not connected. */
export function breakMs(line: Points & { sliceMs: number }): number {
  const distances: number[] = [];
  const { times } = line;
  for (let i = Math.max(1, times.length - SAMPLE); i < times.length; i++) {
    distances.push((times[i] ?? 0) - (times[i - 1] ?? 0));
  }
  const usual = distances.sort((a, b) => a - b)[distances.length >> 1] ?? 0;
  return Math.max(MIN_BREAK_MS, BREAK_FACTOR * usual, BREAK_FACTOR * line.sliceMs);
}

function withBreaks(line: Points, limitMs: number): { times: number[]; values: (number | null)[] } {
  const times: number[] = [];
  const values: (number | null)[] = [];
  for (const [i, timeMs] of line.times.entries()) {
    const before = line.times[i - 1];
    if (before !== undefined && timeMs - before > limitMs) {
      times.push(before + 1);
      values.push(null);
    }
    times.push(timeMs);
    values.push(line.values[i] ?? null);
  }
  return { times, values };
}
