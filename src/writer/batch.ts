import {
  LIMITS,
  MillraceError,
  messageOf,
  NO_READINGS,
  type ColumnBatch,
  type ByTransport,
} from '../core/index.ts';
import type { FrameCursor } from '../journal/index.ts';
import type { RegisteredSchema, SchemaLookup } from '../registry/index.ts';
import type { RefusedFrame } from '../store/index.ts';
import { ColumnPool } from './column-pool.ts';

/**
 * Frames gathered for one store write: columns by schema, in journal order within each. A device that
 * changes its schema ends the batch, because across columns the order of its writes would be lost.
 */
export class WriteBatch {
  readonly #registry: SchemaLookup;
  readonly #pool: ColumnPool;
  readonly #bySchema = new Map<number, ColumnBatch>();
  /** The schema of the rows that wait, by device; a device with several measurements has an entry for each series. */
  readonly #schemaOfDevice = new Map<string, number>();
  readonly #schemaOfSeries = new Map<string, number>();
  /** Frames that could not be turned into points. */
  readonly refused: RefusedFrame[] = [];
  /** Readings of the frames taken. */
  readonly received: ByTransport = { ...NO_READINGS };
  readings = 0;
  /** Bytes of the frames that were taken. */
  bytes = 0;
  /** Cells of all rows, whether or not they hold a value. */
  cells = 0;
  /** Bytes of the texts that its frames repeat, counted for each row. */
  textBytes = 0;
  /** When the first frame was taken, on a steady clock; null while there is none. */
  sinceMs: number | null = null;
  /** When the last ones were. */
  lastMs = 0;
  readonly first: number;
  /** The position behind the last frame taken. */
  next: number;
  readonly #maxFrames: number;

  constructor(registry: SchemaLookup, first: number, pool = new ColumnPool(), maxFrames = Infinity) {
    this.#registry = registry;
    this.#pool = pool;
    this.#maxFrames = maxFrames;
    this.first = first;
    this.next = first;
  }

  get empty(): boolean {
    return this.next === this.first;
  }

  get frames(): number {
    return this.next - this.first;
  }

  /** Whether it has `maxRows` rows or all the frames that it may have, or as much as memory is meant for it. */
  full(maxRows: number): boolean {
    return (
      this.readings >= maxRows ||
      this.frames >= this.#maxFrames ||
      this.bytes >= LIMITS.storeBatchBytes ||
      this.cells >= LIMITS.storeBatchCells ||
      this.textBytes >= LIMITS.storeBatchTextBytes
    );
  }

  get columns(): ColumnBatch[] {
    return [...this.#bySchema.values()];
  }

  /** Takes the frame, or returns false: write this batch first. */
  add(frame: Omit<FrameCursor, 'next' | 'seq'>): boolean {
    const { bytes, start, end, device } = frame;
    try {
      const { schema, bodyStart } = this.#registry.resolve(bytes, start, end);
      if (!this.#mayFollow(device, schema)) return false;
      const into = this.#columnsOf(schema.id, schema.compiled.mapping);
      this.textBytes += decodeLight(schema, frame, bodyStart, into);
      this.cells += frame.readings * (into.columns.length + 2);
    } catch (error) {
      // It was checked before it was journaled, so this is a lost schema or a defect: keep the bytes.
      this.refused.push({
        position: frame.position,
        readings: frame.readings,
        code: error instanceof MillraceError ? error.code : 'internal',
        message: messageOf(error),
      });
    }
    this.received[frame.transport] += frame.readings;
    this.readings += frame.readings;
    this.bytes += end - start;
    this.next = frame.position + 1;
    return true;
  }

  /** Marks the only frame of the batch as one that the store does not take, with its reason. */
  refuseFrame(message: string): void {
    this.refused.push({ position: this.first, readings: this.readings, code: 'store_refused', message });
    this.release();
  }

  /** Whether the device's frames in the batch are of no other schema of the measurement. */
  #mayFollow(device: string, { id, compiled }: RegisteredSchema): boolean {
    const last = this.#schemaOfDevice.get(device);
    if (last === id) return true;
    const series = `${device}\n${compiled.mapping.measurement}`;
    const earlier = this.#schemaOfSeries.get(series);
    if (earlier !== undefined && earlier !== id) return false;
    this.#schemaOfSeries.set(series, id);
    this.#schemaOfDevice.set(device, id);
    return true;
  }

  /** Gives its memory to batches that come: nobody may read its columns after this. */
  release(): void {
    for (const columns of this.#bySchema.values()) this.#pool.give(columns);
    this.#bySchema.clear();
  }

  #columnsOf(schemaId: number, mapping: ColumnBatch['mapping']): ColumnBatch {
    let columns = this.#bySchema.get(schemaId);
    if (columns === undefined) {
      columns = this.#pool.take(mapping);
      this.#bySchema.set(schemaId, columns);
    }
    return columns;
  }
}

/** Decodes a frame, and takes its rows out again where they are heavier than the guard allows by now. */
function decodeLight(
  { compiled }: RegisteredSchema,
  { bytes, end, device, arrivalMs, position }: Omit<FrameCursor, 'next' | 'seq'>,
  bodyStart: number,
  into: ColumnBatch,
): number {
  const { rows } = into;
  const textBytes = compiled.decode(bytes, bodyStart, end, into, device, arrivalMs, position);
  if (textBytes <= LIMITS.maxRepeatedTextBytes) return textBytes;
  into.rows = rows;
  throw new MillraceError(
    'frame_too_heavy',
    `the frame repeats ${textBytes} bytes of text, more than ${LIMITS.maxRepeatedTextBytes}`,
  );
}
