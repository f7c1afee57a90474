import type { BlockInfo } from '../format/block.ts';
import type { JournalState } from '../format/state.ts';
import type { Storage } from '../lmdb/storage.ts';

/** When the oldest frame that is not settled arrived, as its block's header tells; looked up once a block. */
export class OldestPending {
  readonly #storage: Pick<Storage, 'infos'>;
  #block: { first: number; next: number; arrivalMs: number } | null = null;

  constructor(storage: Pick<Storage, 'infos'>) {
    this.#storage = storage;
  }

  /** Null when all frames are settled, and when it is not known because the files cannot be read. */
  arrivalMs({ settled, head }: JournalState): number | null {
    if (settled >= head) return null;
    if (this.#block === null || settled < this.#block.first || settled >= this.#block.next) {
      const found = this.#look(settled);
      if (found === undefined) return null;
      const { first, next, arrivalMs } = found;
      this.#block = { first, next, arrivalMs };
    }
    return this.#block.arrivalMs;
  }

  /** How old that frame is, in milliseconds; 0 when there is none. */
  ageMs(state: JournalState, nowMs: number): number {
    const arrivalMs = this.arrivalMs(state);
    return arrivalMs === null ? 0 : nowMs - arrivalMs;
  }

  #look(position: number): BlockInfo | undefined {
    try {
      return firstOf(this.#storage.infos(position));
    } catch {
      // Closed between two tries to open a failed journal anew, or damaged: whoever asks how it is must be told that,
      // and who reads the frames tells where.
      return undefined;
    }
  }
}

function firstOf<T>(items: Iterable<T>): T | undefined {
  for (const item of items) return item;
  return undefined;
}
