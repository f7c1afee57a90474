import type { RecentBlocks } from './recent-blocks.ts';
import type { JournalState } from './state.ts';
import type { Storage } from './storage.ts';

/** When the oldest frame that is not settled arrived, as its block's header tells; looked up once a block. */
export class OldestPending {
  readonly #recent: RecentBlocks;
  readonly #storage: Pick<Storage, 'infos'>;
  #block: { first: number; next: number; arrivalMs: number } | null = null;

  constructor(recent: RecentBlocks, storage: Pick<Storage, 'infos'>) {
    this.#recent = recent;
    this.#storage = storage;
  }

  /** Null when all frames are settled. */
  arrivalMs({ settled, head }: JournalState): number | null {
    if (settled >= head) return null;
    if (this.#block === null || settled < this.#block.first || settled >= this.#block.next) {
      const found = this.#recent.find(settled) ?? firstOf(this.#storage.infos(settled));
      if (found === undefined) return null;
      const { first, next, arrivalMs } = found;
      this.#block = { first, next, arrivalMs };
    }
    return this.#block.arrivalMs;
  }
}

function firstOf<T>(items: Iterable<T>): T | undefined {
  for (const item of items) return item;
  return undefined;
}
