import { formatTimeNs } from '../core/index.ts';
import type { TimeUnit } from './plan.ts';
import { NS_PER_UNIT } from './time-units.ts';

const UNIT_NAMES: Readonly<Record<TimeUnit, string>> = {
  ms: 'milliseconds',
  us: 'microseconds',
  ns: 'nanoseconds',
};
/** What programs write by mistake, with nanoseconds of each: seconds have no logical type. */
const READINGS: readonly (readonly [string, bigint])[] = [
  ['seconds', 1_000_000_000n],
  ...(Object.keys(UNIT_NAMES) as TimeUnit[]).map(
    (unit) => [UNIT_NAMES[unit], BigInt(NS_PER_UNIT[unit])] as const,
  ),
];
/** Milliseconds of the years 0 to 9999, all that RFC 3339 can write. */
const FIRST_WRITTEN_MS = -62_167_219_200_000n;
const LAST_WRITTEN_MS = 253_402_300_799_999n;

/** Why a time outside of its bounds is refused: what was read, the bound, and the unit that was meant, if one shows. */
export function timeReason(value: bigint, unit: TimeUnit, earliestMs: number, latestMs: number): string {
  const earliestNs = nsOfMs(earliestMs);
  const latestNs = nsOfMs(latestMs);
  const timeNs = value * BigInt(NS_PER_UNIT[unit]);
  const bound =
    timeNs < earliestNs
      ? `before ${formatTimeNs(earliestNs)}, the earliest time that is taken`
      : `after ${formatTimeNs(latestNs)}, the latest time that is taken by now`;
  const meant = READINGS.find(([name, ns]) => {
    return name !== UNIT_NAMES[unit] && value * ns >= earliestNs && value * ns <= latestNs;
  });
  const hint = meant === undefined ? '' : `; as ${meant[0]} it would be ${formatTimeNs(value * meant[1])}`;
  return `${written(timeNs)}${value} ${UNIT_NAMES[unit]} since 1970, is ${bound}${hint}`;
}

function nsOfMs(ms: number): bigint {
  return BigInt(Math.floor(ms)) * 1_000_000n;
}

function written(timeNs: bigint): string {
  const ms = timeNs / 1_000_000n;
  return ms > FIRST_WRITTEN_MS && ms <= LAST_WRITTEN_MS ? `the time ${formatTimeNs(timeNs)}, ` : 'the time, ';
}
