import { LIMITS, MillraceError, type Cell } from '../../core/index.ts';
import { compareGroups } from './row-order.ts';

/** What buckets and groups have gathered so far, a value of type T for each. */
export class Buckets<T> {
  readonly #empty: () => T;
  readonly #entries = new Map<string, { startNs: bigint; group: Cell[]; gathered: T }>();

  constructor(empty: () => T) {
    this.#empty = empty;
  }

  get size(): number {
    return this.#entries.size;
  }

  at(startNs: bigint, group: Cell[]): T {
    const key = `${startNs} ${JSON.stringify(group)}`;
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      entry = { startNs, group, gathered: this.#empty() };
      this.#entries.set(key, entry);
    }
    return entry.gathered;
  }

  /** Rows by time, then group, null first: time, group, and what `results` makes of the gathered. */
  rows(results: (gathered: T) => Cell[]): Cell[][] {
    return [...this.#entries.values()]
      .sort((a, b) =>
        a.startNs === b.startNs ? compareGroups(a.group, b.group) : a.startNs < b.startNs ? -1 : 1,
      )
      .map(({ startNs, group, gathered }) => [startNs, ...group, ...results(gathered)]);
  }
}

/** The start of the bucket that holds a time: buckets align to the epoch. */
export function bucketStart(timeNs: bigint, everyNs: bigint): bigint {
  return timeNs - (timeNs % everyNs);
}

export function tooManyBuckets(): MillraceError {
  return new MillraceError(
    'parameter_invalid',
    `every: the answer would have more than ${LIMITS.queryMaxBuckets} buckets; ask for longer ones`,
  );
}
