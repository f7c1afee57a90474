import { createHash } from 'node:crypto';
import { LIMITS, MillraceError } from '../../../core/index.ts';
import type { OutboxLife } from '../../journal.ts';
import type { DeviceCursor } from './device-cursor.ts';

/** How far the numbers of one outbox of a device have come. */
export interface OutboxCursor extends DeviceCursor {
  readonly device: string;
  readonly id: string;
  readonly life: number;
}

/**
 * The outboxes of a device as a transaction left them, the least recently used first. It was made when the
 * journal's head was `at`: blocks before it change nothing of the order.
 */
export interface OutboxRecord {
  at: number;
  outboxes: [id: string, life: number, seq: number][];
}

/**
 * The numbers of outboxes, up to LIMITS.outboxesPerDevice of each device. The least recently used is forgotten for
 * a new one. Using is having a number in a transaction: so the order is on disk, in the order of the blocks,
 * and is the same after a crash.
 *
 * Whenever an outbox is new, or new again, it begins another life: a number of 48 bits, which is part of the epoch that
 * its device is told. It is made from the outbox's name and from how many outboxes the journal has forgotten so far, which
 * the state record keeps. So an outbox without a frame has the same life after a crash, and one that was forgotten comes
 * back with another.
 */
export class OutboxCursors {
  /** The outboxes that have a number on disk or in a transaction, by device; the least recently used comes first. */
  readonly #remembered = new Map<string, OutboxCursor[]>();
  /** The outboxes whose first frames were taken and are in no transaction yet. */
  readonly #beginning = new Map<string, OutboxCursor>();
  /** How many outboxes were forgotten, up to the transaction under way. */
  #forgotten: number;

  constructor(forgotten = 0) {
    this.#forgotten = forgotten;
  }

  get forgotten(): number {
    return this.#forgotten;
  }

  /** How many are remembered. */
  get size(): number {
    let size = 0;
    for (const outboxes of this.#remembered.values()) size += outboxes.length;
    return size;
  }

  /** How many devices have one that is remembered. */
  get names(): number {
    return this.#remembered.size;
  }

  has(device: string): boolean {
    return this.#remembered.has(device);
  }

  devices(): Iterable<string> {
    return this.#remembered.keys();
  }

  /** The present life of an outbox, or a new one. Nothing is remembered of that before it has a frame. */
  recall(device: string, id: string, epoch: string): OutboxLife {
    const life = this.#find(device, id)?.life ?? lifeOf(device, id, this.#forgotten);
    return { id, life, epoch: `${epoch}.${life.toString(36)}` };
  }

  /** The last durable number of this life; 0 for a new one. */
  durable(device: string, { id, life }: OutboxLife): number {
    const cursor = this.#find(device, id);
    return cursor?.life === life ? cursor.durable : 0;
  }

  of(device: string, { id, life }: OutboxLife): OutboxCursor {
    const last = this.#remembered.get(device)?.at(-1);
    if (last !== undefined && last.life === life && last.id === id) return last;
    const found = this.#find(device, id);
    if (found === undefined) {
      const cursor = { device, id, life, durable: 0, committing: 0, taken: 0 };
      this.#beginning.set(keyOf(device, id), cursor);
      return cursor;
    }
    if (found.life === life) return found;
    throw new MillraceError('internal', `a frame of ${device} comes from an outbox that was forgotten`);
  }

  /**
   * The transaction under way has a number of it. True when it is remembered from now on; then the device's record
   * has to be in that transaction.
   */
  use(cursor: OutboxCursor): boolean {
    const outboxes = this.#of(cursor.device);
    if (outboxes.at(-1) === cursor) return false;
    const at = outboxes.findIndex(({ id }) => id === cursor.id);
    const [before] = at < 0 ? [] : outboxes.splice(at, 1);
    outboxes.push(cursor);
    if (before === cursor) return false;
    this.#beginning.delete(keyOf(cursor.device, cursor.id));
    if (outboxes.length > LIMITS.outboxesPerDevice) {
      outboxes.shift();
      this.#forgotten++;
    }
    return true;
  }

  /** The device's outboxes as the transaction under way leaves them, with the journal's head then. */
  record(device: string, at: number): OutboxRecord {
    return { at, outboxes: this.#of(device).map(({ id, life, committing }) => [id, life, committing]) };
  }

  /** Takes over what was read from disk, in the place of what is known of the device. */
  restore(device: string, { outboxes }: Pick<OutboxRecord, 'outboxes'>): void {
    const cursors = outboxes.map(([id, life, seq]) => ({
      ...{ device, id, life },
      ...{ durable: seq, committing: seq, taken: seq },
    }));
    this.#remembered.set(device, cursors);
  }

  /** Takes over what a block says of a life; `uses`: the block is younger than what was restored before. */
  restoreSeq(device: string, life: number, seq: number, uses: boolean): void {
    const cursor = this.#remembered.get(device)?.find((one) => one.life === life);
    // Unknown: it was forgotten later.
    if (cursor === undefined || seq <= cursor.durable) return;
    cursor.durable = cursor.committing = cursor.taken = seq;
    if (uses) this.use(cursor);
  }

  #of(device: string): OutboxCursor[] {
    let outboxes = this.#remembered.get(device);
    if (outboxes === undefined) this.#remembered.set(device, (outboxes = []));
    return outboxes;
  }

  #find(device: string, id: string): OutboxCursor | undefined {
    return (
      this.#remembered.get(device)?.find((cursor) => cursor.id === id) ??
      this.#beginning.get(keyOf(device, id))
    );
  }
}

function lifeOf(device: string, id: string, forgotten: number): number {
  return createHash('sha256').update(`${device}/${id}/${forgotten}`).digest().readUIntBE(0, 6);
}

/** No device id has a slash. */
function keyOf(device: string, id: string): string {
  return `${device}/${id}`;
}
