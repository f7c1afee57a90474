import {
  isDeviceId,
  LIMITS,
  MillraceError,
  isNumbered,
  NO_READINGS,
  type Transport,
  type ByTransport,
} from '../../../core/index.ts';
import type { DeadLetterInput, Origin, RejectedFrame, ReplayedLetter } from '../../journal.ts';
import type { BlockBuffers } from '../format/block-buffers.ts';
import { BlockBuilder, type BuilderDevice } from '../format/block-builder.ts';
import { MAX_CONTENT_LENGTH } from '../dedupe/dedupe-log.ts';
import type { DedupeWindow } from '../dedupe/dedupe-window.ts';
import type { DeviceCursor } from '../numbers/device-cursor.ts';
import type { DeviceCursors } from '../numbers/device-cursors.ts';
import type { OutboxCursor } from '../numbers/outbox-cursors.ts';
import type { LetterShares } from './letter-shares.ts';
import { type FoundLetter, letterSize } from '../format/stored-letter.ts';

/** A connection with numbers in a batch. */
export interface Slot extends BuilderDevice {
  origin: Origin;
  /** The cursor of the device or its outbox; null for a transport whose frames carry no numbers. */
  cursor: DeviceCursor | OutboxCursor | null;
  /** Bytes of the frames taken from the origin, refused and known ones included … */
  frameBytes: number;
  /** … and when the first of them came. */
  arrivalMs: number;
}

/** What batches know of the devices. */
export interface BatchMemory {
  cursors: DeviceCursors;
  window: DedupeWindow;
  shares: LetterShares;
}

/**
 * What is taken between two seals: one block's frames, refused frames, and the connections that wait for
 * it; or the dead letters of a replay. Costs one map lookup per frame at most, and none while frames of one
 * connection follow each other; what dedupe costs only those frames pay that name their content.
 */
export class Batch {
  readonly builder: BlockBuilder;
  readonly letters: DeadLetterInput[] = [];
  readonly slots: Slot[] = [];
  readonly received: ByTransport = { ...NO_READINGS };
  readonly duplicates: ByTransport = { ...NO_READINGS };
  readonly rejected: ByTransport = { ...NO_READINGS };
  readonly deadLettered: ByTransport = { ...NO_READINGS };
  /** The dead letters that it takes back. */
  readonly replayed: FoundLetter[] = [];
  /** Refused frames that are counted and not kept. */
  lettersDropped = 0;
  /** Contents that it brought to the dedupe window, by device. */
  readonly contents = new Map<string, string[]>();
  letterBytes = 0;
  readonly #cursors: DeviceCursors;
  readonly #window: DedupeWindow;
  readonly #shares: LetterShares;
  readonly #byOrigin = new Map<Origin, Slot>();
  #last: Slot | null = null;

  /**
   * `first` is the position of its first frame, `replayMs` the present time when the batch is a replay.
   */
  constructor(
    first: number,
    buffers: BlockBuffers,
    { cursors, window, shares }: BatchMemory,
    replayMs: number | null = null,
  ) {
    this.builder = new BlockBuilder(first, buffers, replayMs);
    this.#cursors = cursors;
    this.#window = window;
    this.#shares = shares;
  }

  /** Bytes that wait for the disk. */
  get bytes(): number {
    return this.builder.length + this.letterBytes;
  }

  /** Whether it has as many letters as it is to have, or so many bytes of them. */
  hasLetters(bytes: number): boolean {
    return this.letterBytes >= bytes || this.letters.length >= LIMITS.deadLettersPerBatch;
  }

  /** What writing it costs, in bytes of frames that cost as much. */
  get weight(): number {
    return this.bytes + this.letters.length * LIMITS.deadLetterWeight;
  }

  /** False for a duplicate. */
  append(
    origin: Origin,
    seq: number,
    bytes: Uint8Array,
    readings: number,
    arrivalMs: number,
    content: string | null,
    contentMs: number,
  ): boolean {
    const slot = this.#last?.origin === origin ? this.#last : this.#slot(origin, seq, arrivalMs);
    slot.frameBytes += bytes.length;
    const fresh = take(slot, seq) && (content === null || this.#takeContent(slot.device, content, contentMs));
    this.received[slot.transport] += readings;
    if (!fresh) {
      this.duplicates[slot.transport] += readings;
      return false;
    }
    this.builder.append(slot, seq, bytes, readings, arrivalMs);
    return true;
  }

  reject(origin: Origin, seq: number, letter: RejectedFrame): void {
    const slot = this.#last?.origin === origin ? this.#last : this.#slot(origin, seq, letter.atMs);
    slot.frameBytes += letter.bytes.length;
    const fresh = take(slot, seq);
    this.received[slot.transport] += letter.readings;
    if (!fresh) {
      this.duplicates[slot.transport] += letter.readings;
      return;
    }
    this.rejected[slot.transport] += letter.readings;
    if (!this.#shares.admits(letter.device, letter.atMs)) {
      this.lettersDropped++;
      return;
    }
    // Each by name: to spread a letter takes several times as long.
    const { device, transport, atMs, code, message, readings, position } = letter;
    const numbered = isNumbered(transport) ? seq : null;
    const bytes = new Uint8Array(letter.bytes);
    const copy = { device, transport, atMs, code, message, readings, seq: numbered, position, bytes };
    this.letters.push(copy);
    this.letterBytes += letterSize(copy);
  }

  /**
   * Takes a dead letter back. Returns its position, or null for a duplicate: only a frame that was refused
   * before its ack can be one, for the content of one that the store refused is its own.
   */
  replay(found: FoundLetter, { readings, content }: ReplayedLetter, nowMs: number): number | null {
    const { device, transport, kind, atMs, bytes, readings: counted } = found.letter;
    this.replayed.push(found);
    const rejected = kind === 'rejected';
    if (rejected) {
      this.rejected[transport] -= counted;
      this.received[transport] += readings - counted;
    } else this.deadLettered[transport] -= counted;
    const known = content !== null && !this.#takeContent(device, content, nowMs);
    if (known && rejected) {
      this.duplicates[transport] += readings;
      return null;
    }
    const { builder } = this;
    const entry = this.#replayedDevice(device, transport);
    builder.append(entry, entry.nextSeq, bytes, rejected ? readings : counted, Math.trunc(atMs));
    return builder.first + builder.frames - 1;
  }

  #replayedDevice(device: string, transport: Transport): BuilderDevice {
    const { builder } = this;
    return (
      builder.devices.find((entry) => entry.device === device && entry.transport === transport) ??
      builder.addReplayed(device, transport)
    );
  }

  #takeContent(device: string, content: string, nowMs: number): boolean {
    if (content.length > MAX_CONTENT_LENGTH) {
      throw new MillraceError('internal', `a content of ${content.length} characters is too long a name`);
    }
    if (!this.#window.take(device, content, nowMs)) return false;
    const contents = this.contents.get(device);
    if (contents === undefined) this.contents.set(device, [content]);
    else contents.push(content);
    return true;
  }

  #slot(origin: Origin, seq: number, arrivalMs: number): Slot {
    let slot = this.#byOrigin.get(origin);
    if (slot === undefined) {
      const { device, transport, outbox = null } = origin;
      if (!isDeviceId(device)) throw new MillraceError('device_invalid', `"${device}" is no device id`);
      const cursor = isNumbered(transport) ? this.#cursors.of(device, outbox) : null;
      // Before there is a slot: an entry of a number never taken would be acknowledged.
      checkNext(device, cursor, seq);
      const entry = this.builder.addDevice(device, transport, seq, outbox?.life ?? null);
      slot = Object.assign(entry, { origin, cursor, frameBytes: 0, arrivalMs });
      this.#byOrigin.set(origin, slot);
      this.slots.push(slot);
    }
    this.#last = slot;
    return slot;
  }
}

/**
 * Counts a number. False when the device's frame of that number was taken before: a connection that was
 * replaced sends again what its predecessor had still in flight, and its ack has to wait for that.
 */
function take(slot: Slot, seq: number): boolean {
  const { cursor } = slot;
  checkNext(slot.device, cursor, seq);
  if (seq > slot.lastSeq) slot.lastSeq = seq;
  if (cursor === null) return true;
  if (seq <= cursor.taken) return false;
  cursor.taken = seq;
  return true;
}

function checkNext(device: string, cursor: DeviceCursor | null, seq: number): void {
  if (cursor !== null && seq > cursor.taken + 1) {
    throw new MillraceError('internal', `frame ${seq} of ${device} came right after frame ${cursor.taken}`);
  }
}
