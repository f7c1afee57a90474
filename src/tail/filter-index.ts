import { BOOLEAN_MISSING, type Column, type ColumnBatch } from '../core/index.ts';
import type { DecodedBlock, FrameRows } from './blocks.ts';
import { columnAt, type TailFilter } from './filter.ts';
import type { Turns } from './turns.ts';

/**
 * Entries that a block may have rows for. Beside each of them lists of the rows that have its tag values; null where
 * it was found by another thing, or wants all.
 */
export type FoundEntries<T> = Map<T, (readonly FrameRows[])[] | null>;

/** Rows and index entries between two looks at the time. */
const STEPS_PER_LOOK = 256;

/**
 * Finds filters by what a block has, and not by trying one after the other. An entry stands under the values of one
 * thing that its filter names: its devices, the values of one tag, or its fields. Of these the one is taken under
 * which the fewest others stand: what many filters have in common tells them apart least. A filter that names
 * nothing wants every block of its measurement. An entry costs a place for each value, 256 at most.
 */
export class FilterIndex<T extends { readonly filter: TailFilter }> {
  readonly #measurements = new Map<string, MeasurementIndex<T>>();
  readonly #places = new Map<T, IndexPlace<T>>();

  /** Whether any filter is for this measurement. */
  has(measurement: string): boolean {
    return this.#measurements.has(measurement);
  }

  add(entry: T): void {
    const { filter } = entry;
    let index = this.#measurements.get(filter.measurement);
    if (index === undefined) this.#measurements.set(filter.measurement, (index = new MeasurementIndex()));
    const place = index.placeFor(filter);
    this.#places.set(entry, place);
    index.size += 1;
    if (place.buckets === null) index.all.add(entry);
    else for (const value of place.values) place.buckets.add(value, entry);
  }

  remove(entry: T): void {
    const place = this.#places.get(entry);
    const index = this.#measurements.get(entry.filter.measurement);
    if (place === undefined || index === undefined) return;
    this.#places.delete(entry);
    if (place.buckets === null) index.all.delete(entry);
    else for (const value of place.values) place.buckets.remove(value, entry);
    index.size -= 1;
    if (index.size === 0) this.#measurements.delete(entry.filter.measurement);
  }

  /** The entries that the block may have rows for. */
  async find(measurement: string, block: DecodedBlock, turns: Turns): Promise<FoundEntries<T>> {
    const found: FoundEntries<T> = new Map();
    const index = this.#measurements.get(measurement);
    if (index === undefined || block.frames.length === 0) return found;
    const pace = new SearchPace(turns);
    for (const entry of index.all) {
      found.set(entry, null);
      if (pace.step()) await pace.pause();
    }
    for (const device of fewer(block.byDevice, index.devices)) {
      if (pace.step()) await pace.pause();
      if (!block.byDevice.has(device)) continue;
      for (const entry of index.devices.get(device)) {
        found.set(entry, null);
        if (pace.step()) await pace.pause();
      }
    }
    for (const field of index.fields.keys()) {
      if (pace.step()) await pace.pause();
      if (!(await hasField(block, field, pace))) continue;
      for (const entry of index.fields.get(field)) {
        found.set(entry, null);
        if (pace.step()) await pace.pause();
      }
    }
    for (const [tag, buckets] of index.tags) {
      if (buckets.size === 0) continue;
      const runs = await runsOf(block, tag, (value) => buckets.has(value), pace);
      for (const [value, rows] of runs) {
        for (const entry of buckets.get(value)) {
          const known = found.get(entry);
          if (known === undefined) found.set(entry, [rows]);
          else known?.push(rows);
          if (pace.step()) await pace.pause();
        }
      }
    }
    await this.#dropThoseWithoutTags(found, block, pace);
    return found;
  }

  /** An entry that names several things was found by one of them: the block may have none of its other tags' values. */
  async #dropThoseWithoutTags(found: FoundEntries<T>, block: DecodedBlock, pace: SearchPace): Promise<void> {
    const present = new Map<string, ReadonlySet<string>>();
    for (const [entry, runs] of found) {
      const tags = Object.entries(entry.filter.tags);
      if (tags.length === 0 || (tags.length === 1 && runs !== null)) continue;
      for (const [tag, values] of tags) {
        let inBlock = present.get(tag);
        if (inBlock === undefined) present.set(tag, (inBlock = await valuesOf(block, tag, pace)));
        if (pace.step(values.length)) await pace.pause();
        if (values.some((value) => inBlock.has(value))) continue;
        found.delete(entry);
        break;
      }
    }
  }
}

/** Where an entry stands; without buckets among those that want all. */
interface IndexPlace<T extends object> {
  buckets: EntriesByValue<T> | null;
  values: readonly string[];
}

class MeasurementIndex<T extends object> {
  size = 0;
  readonly all = new Set<T>();
  readonly devices = new EntriesByValue<T>();
  readonly tags = new Map<string, EntriesByValue<T>>();
  readonly fields = new EntriesByValue<T>();

  placeFor({ devices, tags, fields }: TailFilter): IndexPlace<T> {
    const possible: IndexPlace<T>[] = [];
    if (devices.length > 0) possible.push({ buckets: this.devices, values: devices });
    for (const [name, values] of Object.entries(tags)) {
      let buckets = this.tags.get(name);
      if (buckets === undefined) this.tags.set(name, (buckets = new EntriesByValue()));
      possible.push({ buckets, values });
    }
    if (fields.length > 0) possible.push({ buckets: this.fields, values: fields });
    let best: IndexPlace<T> = { buckets: null, values: [] };
    let least = Infinity;
    for (const place of possible) {
      const others = place.buckets?.entriesUnder(place.values) ?? 0;
      if (others >= least) continue;
      best = place;
      least = others;
    }
    return best;
  }
}

/** Entries by value. Most values have one entry, which needs no set of its own. */
class EntriesByValue<T extends object> {
  readonly #entries = new Map<string, T | Set<T>>();

  get size(): number {
    return this.#entries.size;
  }

  has(value: string): boolean {
    return this.#entries.has(value);
  }

  keys(): IterableIterator<string> {
    return this.#entries.keys();
  }

  get(value: string): Iterable<T> {
    const entries = this.#entries.get(value);
    if (entries === undefined) return [];
    return entries instanceof Set ? entries : [entries];
  }

  entriesUnder(values: readonly string[]): number {
    let sum = 0;
    for (const value of values) {
      const entries = this.#entries.get(value);
      if (entries !== undefined) sum += entries instanceof Set ? entries.size : 1;
    }
    return sum;
  }

  add(value: string, entry: T): void {
    const entries = this.#entries.get(value);
    if (entries === undefined) this.#entries.set(value, entry);
    else if (entries instanceof Set) entries.add(entry);
    else this.#entries.set(value, new Set([entries, entry]));
  }

  remove(value: string, entry: T): void {
    const entries = this.#entries.get(value);
    if (entries === entry) this.#entries.delete(value);
    else if (entries instanceof Set && entries.delete(entry) && entries.size === 0) {
      this.#entries.delete(value);
    }
  }
}

/** Steps of a search, which gives way when its slice is over. */
class SearchPace {
  readonly #turns: Turns;
  #steps = 0;

  constructor(turns: Turns) {
    this.#turns = turns;
  }

  /** True when it is time to pause. */
  step(steps = 1): boolean {
    this.#steps += steps;
    if (this.#steps < STEPS_PER_LOOK) return false;
    this.#steps = 0;
    return this.#turns.over;
  }

  pause(): Promise<void> {
    return this.#turns.next('live');
  }
}

/** The values of the smaller side. */
function fewer(
  block: ReadonlyMap<string, unknown>,
  index: { size: number; keys(): Iterable<string> },
): Iterable<string> {
  return index.size < block.size ? index.keys() : block.keys();
}

/** The rows that have one of the wanted values of a tag, by value: each frame's in runs that follow each other. */
async function runsOf(
  block: DecodedBlock,
  tag: string,
  wanted: (value: string) => boolean,
  pace: SearchPace,
): Promise<Map<string, FrameRows[]>> {
  const found = new Map<string, FrameRows[]>();
  await eachRun(block, tag, pace, (value, run) => {
    if (!wanted(value)) return;
    const known = found.get(value);
    if (known === undefined) found.set(value, [run()]);
    else known.push(run());
  });
  return found;
}

/** The values that a tag has in the block. */
async function valuesOf(block: DecodedBlock, tag: string, pace: SearchPace): Promise<Set<string>> {
  const values = new Set<string>();
  await eachRun(block, tag, pace, (value) => values.add(value));
  return values;
}

/** Goes through the rows that have a tag; rows of a frame that follow each other with the same value are one run. */
async function eachRun(
  block: DecodedBlock,
  tag: string,
  pace: SearchPace,
  take: (value: string, run: () => FrameRows) => unknown,
): Promise<void> {
  for (const { position, batch, start, end } of block.frames) {
    if (pace.step()) await pace.pause();
    const column = batch.columns[columnAt(batch.mapping, 'tag', tag)];
    if (column?.type !== 'string') continue;
    for (let next = start; next < end;) {
      const first = next;
      const value = column.values[first] ?? null;
      do next += 1;
      while (next < end && column.values[next] === value);
      const last = next;
      if (value !== null) take(value, () => ({ position, batch, start: first, end: last }));
      if (pace.step(1 + ((next - first) >> 3))) await pace.pause();
    }
  }
}

/** Whether any row of the block has a value of the field. */
async function hasField(block: DecodedBlock, field: string, pace: SearchPace): Promise<boolean> {
  for (const batch of block.batches) {
    const column = batch.columns[columnAt(batch.mapping, 'field', field)];
    if (column !== undefined && hasValue(column, batch)) return true;
    if (pace.step(1 + (batch.rows >> 6))) await pace.pause();
  }
  return false;
}

function hasValue(column: Column, { rows }: ColumnBatch): boolean {
  for (let row = 0; row < rows; row++) {
    switch (column.type) {
      case 'float':
        if (!Number.isNaN(column.values[row])) return true;
        break;
      case 'integer':
        if (column.present[row] === 1) return true;
        break;
      case 'boolean':
        if (column.values[row] !== BOOLEAN_MISSING) return true;
        break;
      case 'string':
        if ((column.values[row] ?? null) !== null) return true;
        break;
    }
  }
  return false;
}
