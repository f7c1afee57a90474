import { NS_PER_MS, type HistoryPlace } from '../core/index.ts';
import type { Journal, SettledTimes } from '../journal/index.ts';

/** Every row that a gap leaves out has a time in [fromNs, toNs); null for as late as is allowed. */
export interface GapTimes {
  fromNs: bigint;
  toNs: bigint | null;
}

/** The times of a gap of which nothing is known. */
export const ANY_TIME: GapTimes = { fromNs: 0n, toNs: null };

/** The times of rows in frames from `position` on that the journal has dropped. */
export function droppedTimes(
  journal: Pick<Journal, 'tail'>,
  times: Pick<SettledTimes, 'between'>,
  position: number,
): GapTimes {
  const known = times.between(position, journal.tail());
  if (known === null) return ANY_TIME;
  return { fromNs: BigInt(known.fromMs) * NS_PER_MS, toNs: BigInt(known.toMs) * NS_PER_MS };
}

/**
 * What a reader in history misses of dropped frames: they are in the store, and history still shows those of their
 * rows that are behind its place.
 */
export function notShown({ fromNs, toNs }: GapTimes, history: HistoryPlace): GapTimes {
  const shownNs = history.timeNs + 1n;
  return {
    fromNs: fromNs < shownNs ? fromNs : history.timeNs,
    toNs: toNs !== null && toNs < shownNs ? toNs : shownNs,
  };
}

/** The end of the gap's range, where rows may be as late as `latestMs`. */
export function gapEndNs({ fromNs, toNs }: GapTimes, latestMs: number): bigint {
  // A device may bring rows of any time: late ones, and those of a clock that is ahead as far as is allowed, or
  // anywhere in that millisecond.
  const latestNs = BigInt(Math.ceil(latestMs) + 1) * NS_PER_MS;
  return toNs ?? (latestNs > fromNs ? latestNs : fromNs + 1n);
}
