import { MillraceError, type Transport } from '../../../core/index.ts';
import type { FrameCursor } from '../../journal.ts';
import { unzigzag, VarintReader } from './varint.ts';

/** What a block's table says of a connection. */
export interface BlockDevice {
  transport: Transport;
  /** Its frames came back from the dead letters and have no numbers. */
  replayed: boolean;
  device: string;
  /** The life of the outbox that numbered them; null where it has no name. */
  life: number | null;
  firstSeq: number;
  lastSeq: number;
  frames: number;
  readings: number;
}

/** Walks a block's frames where they lie; block.ts describes the bytes. */
export class BlockCursor implements FrameCursor {
  readonly bytes: Uint8Array;
  position: number;
  device = '';
  seq = 0;
  transport: Transport = 'ws';
  arrivalMs = 0;
  readings = 0;
  start = 0;
  end = 0;
  readonly #reader: VarintReader;
  readonly #devices: readonly BlockDevice[];
  readonly #nextSeqs: number[];
  readonly #baseMs: number;
  readonly #behind: number;

  /** Walks the block that holds the frames [first, next); `framesAt` is the byte at which the first one begins. */
  constructor(
    bytes: Uint8Array,
    devices: readonly BlockDevice[],
    block: { first: number; next: number; arrivalMs: number },
    framesAt: number,
  ) {
    this.bytes = bytes;
    this.position = block.first - 1;
    this.#reader = new VarintReader(bytes, framesAt);
    this.#devices = devices;
    this.#nextSeqs = devices.map(({ firstSeq }) => firstSeq);
    this.#baseMs = block.arrivalMs;
    this.#behind = block.next;
  }

  next(): boolean {
    if (this.position + 1 >= this.#behind) return false;
    this.position++;
    const reader = this.#reader;
    const tag = reader.next();
    const index = Math.floor(tag / 2);
    const seq = (this.#nextSeqs[index] ?? 0) + (tag % 2 === 1 ? reader.next() : 0);
    this.#nextSeqs[index] = seq + 1;
    this.arrivalMs = this.#baseMs + unzigzag(reader.next());
    this.readings = reader.next();
    const length = reader.next();
    this.start = reader.at;
    this.end = reader.at = this.start + length;
    const device = this.#devices[index];
    if (device === undefined) {
      throw new MillraceError(
        'journal_corrupt',
        `the frame at position ${this.position} names no known device`,
      );
    }
    this.device = device.device;
    this.seq = device.replayed ? 0 : seq;
    this.transport = device.transport;
    return true;
  }
}
