import { ColumnBatch, LIMITS, type Mapping } from '../core/index.ts';

const MAX_CELLS = 2 * LIMITS.storeBatchCells;

/**
 * Batches of columns whose rows the store has, to be filled again: memory that is there costs less than growing new one.
 * It keeps no more cells than a batch may have allocated.
 */
export class ColumnPool {
  readonly #free = new Map<Mapping, ColumnBatch[]>();
  #cells = 0;

  /** An empty batch of the mapping. */
  take(mapping: Mapping): ColumnBatch {
    const free = this.#free.get(mapping);
    const batch = free?.pop();
    if (batch === undefined) return new ColumnBatch(mapping);
    if (free?.length === 0) this.#free.delete(mapping);
    this.#cells -= cellsOf(batch);
    return batch;
  }

  /** Takes a batch back that nobody reads any more. */
  give(batch: ColumnBatch): void {
    const cells = cellsOf(batch);
    if (cells > MAX_CELLS) return;
    // What has not been taken for longest goes first.
    for (const [mapping, free] of this.#free) {
      if (this.#cells + cells <= MAX_CELLS) break;
      this.#free.delete(mapping);
      for (const old of free) this.#cells -= cellsOf(old);
    }
    batch.clear();
    this.#cells += cells;
    const free = this.#free.get(batch.mapping);
    this.#free.delete(batch.mapping);
    this.#free.set(batch.mapping, [...(free ?? []), batch]);
  }
}

/** Time and position count as columns. */
function cellsOf({ mapping, capacity }: ColumnBatch): number {
  return capacity * (mapping.columns.length + 2);
}
