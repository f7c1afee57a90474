import { ColumnBatch, Places } from '../core/index.ts';
import type { Journal, JournalBlock } from '../journal/index.ts';
import type { Registry, RegisteredSchema } from '../registry/index.ts';
import type { Lane, Turns } from './turns.ts';

/** Rows of one frame: `batch` rows [start, end), shared with the other frames of its schema. */
export interface FrameRows {
  position: number;
  batch: ColumnBatch;
  start: number;
  end: number;
}

/** The frames of one measurement in a journal block at positions [first, next), in journal order. */
export interface DecodedBlock {
  readonly first: number;
  readonly next: number;
  readonly frames: readonly FrameRows[];
  /** One for each schema that wrote any of the frames. */
  readonly batches: readonly ColumnBatch[];
  /** The same frames by the device that sent them. */
  readonly byDevice: ReadonlyMap<string, readonly FrameRows[]>;
}

/** A frame whose schema is known, where it lies in its block. */
interface FoundFrame {
  position: number;
  device: string;
  arrivalMs: number;
  schema: RegisteredSchema;
  bodyStart: number;
  end: number;
}

/** A journal block: which measurements it has, and their rows as soon as somebody asks for them. */
export class TailBlock {
  readonly first: number;
  readonly next: number;
  readonly #bytes: Uint8Array;
  readonly #found: ReadonlyMap<string, readonly FoundFrame[]>;
  readonly #decoded = new Map<string, Promise<DecodedBlock>>();
  readonly #decode: (bytes: Uint8Array, found: readonly FoundFrame[], lane: Lane) => Promise<DecodedRows>;

  constructor(
    { first, next }: JournalBlock,
    bytes: Uint8Array,
    found: ReadonlyMap<string, readonly FoundFrame[]>,
    decode: (bytes: Uint8Array, found: readonly FoundFrame[], lane: Lane) => Promise<DecodedRows>,
  ) {
    this.first = first;
    this.next = next;
    this.#bytes = bytes;
    this.#found = found;
    this.#decode = decode;
  }

  /** The measurements that it has frames of. */
  get measurements(): Iterable<string> {
    return this.#found.keys();
  }

  /** Decodes the measurement's frames, once for all who ask. */
  of(measurement: string, lane: Lane): Promise<DecodedBlock> {
    let decoded = this.#decoded.get(measurement);
    if (decoded === undefined) {
      decoded = this.#decode(this.#bytes, this.#found.get(measurement) ?? [], lane).then((rows) => ({
        first: this.first,
        next: this.next,
        ...rows,
      }));
      this.#decoded.set(measurement, decoded);
    }
    return decoded;
  }
}

type DecodedRows = Pick<DecodedBlock, 'frames' | 'batches' | 'byDevice'>;

/** Frames between two looks at the time. */
const FRAMES_PER_LOOK = 16;

/** Reads journal blocks as columns; each (block, measurement) is decoded once while it is in use. */
export class BlockReader {
  readonly #journal: Journal;
  readonly #registry: Registry;
  readonly #capacity: number;
  readonly #turns: Turns;
  readonly #onUndecodable: (position: number, error: unknown) => void;
  /** Readers on their own that have a block in hand: together they hold no more of them than are kept. */
  readonly #places: Places;
  /** The least recently used block first. */
  #cached: { first: number; next: number; block: Promise<TailBlock> }[] = [];

  constructor(
    journal: Journal,
    registry: Registry,
    capacity: number,
    turns: Turns,
    onUndecodable: (position: number, error: unknown) => void,
  ) {
    this.#journal = journal;
    this.#registry = registry;
    this.#capacity = capacity;
    this.#turns = turns;
    this.#onUndecodable = onUndecodable;
    this.#places = new Places(capacity);
  }

  /**
   * For a reader on its own: has `use` work with the measurement's rows of the block that holds `position`, undefined
   * at the journal's head, and gives what it gives. `use` waits for nothing but its turns. Throws `cursor_expired`.
   */
  async use<T>(
    position: number,
    measurement: string,
    use: (block: DecodedBlock | undefined) => T | Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    const leave = await this.#places.take(signal);
    try {
      const block = await this.at(position, 'lone');
      return await use(await block?.of(measurement, 'lone'));
    } finally {
      leave();
    }
  }

  /** The block that holds `position`; undefined at the journal's head. Throws `cursor_expired`. */
  async at(position: number, lane: Lane): Promise<TailBlock | undefined> {
    const index = this.#cached.findIndex((block) => block.first <= position && position < block.next);
    const cached = this.#cached[index];
    if (cached !== undefined) {
      this.#cached.splice(index, 1);
      this.#cached.push(cached);
      return cached.block;
    }
    await this.#turns.pause(lane);
    const read = this.#journal.read(position);
    if (read === undefined) return undefined;
    const { first, next } = read;
    const block = this.#split(read, lane);
    this.#cached.push({ first, next, block });
    if (this.#cached.length > this.#capacity) this.#cached.shift();
    return block;
  }

  /** Finds the frames of each measurement. */
  async #split(block: JournalBlock, lane: Lane): Promise<TailBlock> {
    const found = new Map<string, FoundFrame[]>();
    const frame = block.walk();
    const { bytes } = frame;
    for (let n = 1; frame.next(); n++) {
      const { position, device, arrivalMs, start, end } = frame;
      try {
        const { schema, bodyStart } = this.#registry.resolve(bytes, start, end);
        const { measurement } = schema.compiled.mapping;
        const frames = found.get(measurement);
        const one = { position, device, arrivalMs, schema, bodyStart, end };
        if (frames === undefined) found.set(measurement, [one]);
        else frames.push(one);
      } catch (error) {
        // Only checked frames are journaled: this is a defect, or a schema that was taken away by hand.
        this.#onUndecodable(position, error);
      }
      if (n % FRAMES_PER_LOOK === 0 && this.#turns.over) await this.#turns.next(lane);
    }
    return new TailBlock(block, bytes, found, (...args) => this.#decode(...args));
  }

  async #decode(bytes: Uint8Array, found: readonly FoundFrame[], lane: Lane): Promise<DecodedRows> {
    const batches = new Map<RegisteredSchema, ColumnBatch>();
    const frames: FrameRows[] = [];
    const byDevice = new Map<string, FrameRows[]>();
    let looked = 0;
    for (const { position, device, arrivalMs, schema, bodyStart, end } of found) {
      const { compiled } = schema;
      let batch = batches.get(schema);
      if (batch === undefined) batches.set(schema, (batch = new ColumnBatch(compiled.mapping)));
      const start = batch.rows;
      try {
        compiled.decode(bytes, bodyStart, end, batch, device, arrivalMs, position);
      } catch (error) {
        this.#onUndecodable(position, error);
        continue;
      }
      if (batch.rows === start) continue;
      const rows = { position, batch, start, end: batch.rows };
      frames.push(rows);
      const ofDevice = byDevice.get(device);
      if (ofDevice === undefined) byDevice.set(device, [rows]);
      else ofDevice.push(rows);
      looked += 1 + (batch.rows - start);
      if (looked < FRAMES_PER_LOOK) continue;
      looked = 0;
      if (this.#turns.over) await this.#turns.next(lane);
    }
    return { frames, batches: [...batches.values()], byDevice };
  }
}

/** The frames of some devices in journal order; of all when none is named. */
export function framesOf(block: DecodedBlock, devices: readonly string[]): readonly FrameRows[] {
  if (devices.length === 0) return block.frames;
  const lists: (readonly FrameRows[])[] = [];
  for (const device of devices) {
    const frames = block.byDevice.get(device);
    if (frames !== undefined) lists.push(frames);
  }
  return inOrder(lists);
}

/** Several lists of rows, each in journal order, as one. */
export function inOrder(lists: readonly (readonly FrameRows[])[]): readonly FrameRows[] {
  const [only = []] = lists;
  if (lists.length <= 1) return only;
  return lists.flat().sort((a, b) => a.position - b.position || a.start - b.start);
}

export function rowCount(frames: readonly FrameRows[]): number {
  let rows = 0;
  for (const { start, end } of frames) rows += end - start;
  return rows;
}
