import type { TimeUnit } from './plan.ts';

/** The logical types that say a time; each belongs to a long. */
export const TIME_UNITS: ReadonlyMap<string, TimeUnit> = new Map([
  ['timestamp-millis', 'ms'],
  ['timestamp-micros', 'us'],
  ['timestamp-nanos', 'ns'],
]);
/** How many of each unit make a millisecond, and how many nanoseconds one of each has. */
export const UNITS_PER_MS: Readonly<Record<TimeUnit, number>> = { ms: 1, us: 1_000, ns: 1_000_000 };
export const NS_PER_UNIT: Readonly<Record<TimeUnit, number>> = { ms: 1_000_000, us: 1_000, ns: 1 };
/** The unit that has so many to the millisecond. */
export function unitOf(perMs: number): TimeUnit {
  return perMs === UNITS_PER_MS.ms ? 'ms' : perMs === UNITS_PER_MS.us ? 'us' : 'ns';
}

/** The last whole millisecond that nanoseconds in 64 bits can say, in the year 2262. */
export const LAST_MS = 9_223_372_036_854;
