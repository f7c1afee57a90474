import { ColumnBatch } from '../core/index.ts';
import type { Journal } from '../journal/index.ts';
import type { Registry, RegisteredSchema } from '../registry/index.ts';

/** The rows of one frame: `batch` rows [start, end), shared with the other frames of its schema. */
export interface FrameRows {
  position: number;
  batch: ColumnBatch;
  start: number;
  end: number;
}

/** The frames of one measurement in a journal block at positions [first, next), in journal order. */
export interface DecodedBlock {
  first: number;
  next: number;
  frames: readonly FrameRows[];
}

interface CachedBlock {
  first: number;
  next: number;
  byMeasurement: Map<string, DecodedBlock>;
}

/** Reads journal blocks as columns; each (block, measurement) is decoded once while it is in use. */
export class BlockReader {
  readonly #journal: Journal;
  readonly #registry: Registry;
  readonly #capacity: number;
  readonly #onUndecodable: (position: number, error: unknown) => void;
  /** The least recently used block first. */
  #cached: CachedBlock[] = [];

  constructor(
    journal: Journal,
    registry: Registry,
    capacity: number,
    onUndecodable: (position: number, error: unknown) => void,
  ) {
    this.#journal = journal;
    this.#registry = registry;
    this.#capacity = capacity;
    this.#onUndecodable = onUndecodable;
  }

  /** The block that holds `position`; undefined at the journal's head. Throws `cursor_expired`. */
  read(position: number, measurement: string): DecodedBlock | undefined {
    const index = this.#cached.findIndex((block) => block.first <= position && position < block.next);
    let cached = this.#cached[index];
    const known = cached?.byMeasurement.get(measurement);
    if (cached !== undefined) {
      this.#cached.splice(index, 1);
      this.#cached.push(cached);
      if (known !== undefined) return known;
    }
    const block = this.#journal.read(position);
    if (block === undefined) return undefined;
    if (cached === undefined) {
      cached = { first: block.first, next: block.next, byMeasurement: new Map() };
      this.#cached.push(cached);
      if (this.#cached.length > this.#capacity) this.#cached.shift();
    }
    // Frame bytes are views that may die with the next read: the whole block is decoded in one go.
    const batches = new Map<RegisteredSchema, ColumnBatch>();
    const frames: FrameRows[] = [];
    for (const frame of block.frames()) {
      const { bytes } = frame;
      try {
        const { schema, bodyStart } = this.#registry.resolve(bytes, 0, bytes.length);
        const { mapping } = schema.compiled;
        if (mapping.measurement !== measurement) continue;
        let batch = batches.get(schema);
        if (batch === undefined) batches.set(schema, (batch = new ColumnBatch(mapping)));
        const start = batch.rows;
        schema.compiled.decode(
          bytes,
          bodyStart,
          bytes.length,
          batch,
          frame.device,
          frame.arrivalMs,
          frame.position,
        );
        if (batch.rows > start) frames.push({ position: frame.position, batch, start, end: batch.rows });
      } catch (error) {
        // Only checked frames are journaled: this is a defect, or a schema that was taken away by hand.
        this.#onUndecodable(frame.position, error);
      }
    }
    const decoded = { first: block.first, next: block.next, frames };
    cached.byMeasurement.set(measurement, decoded);
    return decoded;
  }
}
