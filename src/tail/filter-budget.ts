import { MillraceError } from '../core/index.ts';
import { filterSize, type TailFilter } from './filter.ts';
import type { TailLimits } from './limits.ts';

/** What the filters of one client name together, and those of all clients. */
export class FilterBudget {
  readonly #limits: Pick<TailLimits, 'filterValues' | 'filterBytes'>;
  /** Values by client; without an entry for one that names none. */
  readonly #values = new Map<object, number>();
  #bytes = 0;

  constructor(limits: Pick<TailLimits, 'filterValues' | 'filterBytes'>) {
    this.#limits = limits;
  }

  /** About how much memory all filters take. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Throws `too_many_subscriptions` where there is no room for a filter; then nothing is taken. */
  take(client: object, filter: TailFilter): void {
    const { filterValues, filterBytes } = this.#limits;
    const { values, bytes } = filterSize(filter);
    if (values === 0) return;
    const ofClient = (this.#values.get(client) ?? 0) + values;
    if (ofClient > filterValues) {
      throw new MillraceError(
        'too_many_subscriptions',
        `the filters of a connection may name ${filterValues} devices, fields and tag values together, got ${ofClient}`,
      );
    }
    if (this.#bytes + bytes > filterBytes) {
      throw new MillraceError(
        'too_many_subscriptions',
        'the filters of all tails together name as much as they may',
      );
    }
    this.#values.set(client, ofClient);
    this.#bytes += bytes;
  }

  giveBack(client: object, filter: TailFilter): void {
    const { values, bytes } = filterSize(filter);
    if (values === 0) return;
    this.#bytes -= bytes;
    const left = (this.#values.get(client) ?? 0) - values;
    if (left > 0) this.#values.set(client, left);
    else this.#values.delete(client);
  }
}
