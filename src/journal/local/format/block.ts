import { crc32 } from 'node:zlib';
import { MillraceError, TRANSPORTS, NO_READINGS, type ByTransport } from '../../../core/index.ts';
import type { BlockMemory } from '../../block-memory.ts';
import type { JournalBlock, JournalFrame } from '../../journal.ts';
import { BlockCursor, type BlockDevice } from './frame-cursor.ts';
import { VarintReader } from './varint.ts';

/**
 * A block holds the frames of one group commit. Version 3, all numbers little-endian:
 *
 *   offset size
 *        0    4  magic: the bytes "MRJB"
 *        4    2  version: 3
 *        6    2  bytes of this header: 64
 *        8    4  CRC-32 (zlib's) of all bytes from offset 12 to the end
 *       12    4  bytes of the whole block
 *       16    8  position of the first frame, as a float64 with an integer value
 *       24    8  base arrival, in milliseconds since the UTC epoch, float64: the first frame's, or the present
 *                one where that frame came back from the dead letters
 *       32    8  readings of all frames together, float64
 *       40    4  number of frames, at least 1
 *       44    4  number of devices in the table
 *       48    4  offset of the device table
 *       52   12  zero
 *       64       the frames, one after the other, at consecutive positions:
 *                  varint  2 × index into the device table, plus 1 when a skip follows
 *                  varint  skip, only when announced: how many of the device's numbers were not stored here
 *                          because those frames were refused or came a second time
 *                  varint  zigzag of the arrival less the base arrival, milliseconds
 *                  varint  readings
 *                  varint  length, then that many bytes: the frame as it came in
 *                the device table, which ends the block, one entry per connection with a number in it:
 *                  1 byte  transport: its place in TRANSPORTS: 0 ws, 1 http, 2 mqtt; plus 128 for frames from the dead letters, which
 *                          number nothing: no device cursor comes from them, and they are read with number 0;
 *                          plus 64 where the numbers are those of an outbox; not before version 3
 *                  varint  only with an outbox: its life (outbox-cursors.ts)
 *                  varint  first number taken
 *                  varint  last number taken less the first: so every block carries the device cursors
 *                  varint  frames in this block (0 when all of the connection's were refused)
 *                  varint  readings of these frames; not in version 1
 *                  1 byte  length of the device id, then the id in ASCII
 *
 * A varint is unsigned LEB128. A frame's number is the one after the same connection's frame before it (the
 * first number taken, for the first) plus the skip. A block is written once and never changed. Versions 1 and 2 are
 * read too; version 1 has no frames from the dead letters.
 */
export const BLOCK_MAGIC = 0x424a524d;
export const BLOCK_VERSION = 3;
export const BLOCK_HEADER_BYTES = 64;
export const CRC_OFFSET = 8;
export const CRC_FROM = 12;
/** Bits of the transport's byte. */
export const REPLAYED = 128;
export const WITH_OUTBOX = 64;

/** What a block's header says. */
export interface BlockInfo {
  first: number;
  next: number;
  sizeBytes: number;
  readings: number;
  /** Arrival of the first frame; of a replayed one, when it was replayed. */
  arrivalMs: number;
}

/** Reads a block's header. The checksum is not looked at: `openBlock` does that. */
export function readBlockInfo(bytes: Uint8Array): BlockInfo {
  const view = new DataView(bytes.buffer, bytes.byteOffset, BLOCK_HEADER_BYTES);
  const first = view.getFloat64(16, true);
  return {
    first,
    next: first + view.getUint32(40, true),
    sizeBytes: view.getUint32(12, true),
    readings: view.getFloat64(32, true),
    arrivalMs: view.getFloat64(24, true),
  };
}

/**
 * Checks a block that was read from disk, and makes it readable. `first` is the position that it was found
 * under. Throws `journal_corrupt` that names the position and what is wrong, `data_dir_version` for a
 * version that this program does not know.
 */
export function openBlock(bytes: Uint8Array, first: number, memory?: BlockMemory): CommittedBlock {
  const corrupt = (what: string): MillraceError =>
    new MillraceError('journal_corrupt', `the journal's block at position ${first} is damaged: ${what}`);
  if (bytes.length < BLOCK_HEADER_BYTES) throw corrupt(`it has only ${bytes.length} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getUint32(0, true) !== BLOCK_MAGIC) throw corrupt('it does not begin with the magic bytes');
  const version = view.getUint16(4, true);
  if (version > BLOCK_VERSION) {
    throw new MillraceError(
      'data_dir_version',
      `the journal's block at position ${first} has format ${version}, this version knows up to ${BLOCK_VERSION}`,
    );
  }
  if (view.getUint32(12, true) !== bytes.length) {
    throw corrupt(`it says ${view.getUint32(12, true)} bytes and has ${bytes.length}`);
  }
  if (view.getUint32(CRC_OFFSET, true) !== crc32(bytes.subarray(CRC_FROM))) {
    throw corrupt('its checksum does not match its bytes');
  }
  const info = readBlockInfo(bytes);
  if (info.first !== first) throw corrupt(`it says that it begins at position ${info.first}`);
  return new CommittedBlock(bytes, info, memory);
}

/** A block whose bytes are known to be whole: just written, or checked by `openBlock`. */
export class CommittedBlock implements JournalBlock {
  readonly bytes: Uint8Array;
  readonly first: number;
  readonly next: number;
  readonly readings: number;
  readonly sizeBytes: number;
  readonly arrivalMs: number;
  readonly #memory: BlockMemory | undefined;
  #devices: BlockDevice[] | null = null;

  constructor(bytes: Uint8Array, info: BlockInfo = readBlockInfo(bytes), memory?: BlockMemory) {
    this.#memory = memory;
    this.bytes = bytes;
    this.first = info.first;
    this.next = info.next;
    this.readings = info.readings;
    this.sizeBytes = info.sizeBytes;
    this.arrivalMs = info.arrivalMs;
  }

  /** The device table, one entry per connection; a device that reconnected is there twice. */
  devices(): readonly BlockDevice[] {
    this.#devices ??= readDevices(this.bytes, this.#memory);
    return this.#devices;
  }

  readingsByTransport(): ByTransport {
    const readings: ByTransport = { ...NO_READINGS };
    if (versionOf(this.bytes) === 1) {
      for (const frame of this.frames()) readings[frame.transport] += frame.readings;
    } else {
      for (const device of this.devices()) readings[device.transport] += device.readings;
    }
    return readings;
  }

  *frames(from = this.first): Generator<JournalFrame, void, undefined> {
    const cursor = this.walk(from);
    while (cursor.next()) {
      const { position, device, seq, transport, arrivalMs, readings, bytes, start, end } = cursor;
      const frame = new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start);
      yield { position, device, seq, transport, arrivalMs, readings, bytes: frame };
    }
  }

  walk(from = this.first): BlockCursor {
    const cursor = new BlockCursor(this.bytes, this.devices(), this, BLOCK_HEADER_BYTES);
    while (cursor.position + 1 < from && cursor.next());
    return cursor;
  }
}

function versionOf(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, BLOCK_HEADER_BYTES).getUint16(4, true);
}

function readDevices(bytes: Uint8Array, memory: BlockMemory | undefined): BlockDevice[] {
  const hasReadings = versionOf(bytes) > 1;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const count = view.getUint32(44, true);
  const reader = new VarintReader(bytes, view.getUint32(48, true));
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const devices: BlockDevice[] = [];
  for (let i = 0; i < count; i++) {
    const kind = bytes[reader.at++] ?? 0;
    const replayed = (kind & REPLAYED) !== 0;
    const transport = TRANSPORTS[kind % WITH_OUTBOX];
    if (transport === undefined) {
      throw new MillraceError(
        'journal_corrupt',
        `a device entry names transport ${kind % WITH_OUTBOX}, which is unknown`,
      );
    }
    const life = (kind & WITH_OUTBOX) === 0 ? null : reader.next();
    const firstSeq = reader.next();
    const lastSeq = firstSeq + reader.next();
    const frames = reader.next();
    const readings = hasReadings ? reader.next() : 0;
    const length = bytes[reader.at++] ?? 0;
    const name = text.toString('latin1', reader.at, reader.at + length);
    const device = memory?.name(name) ?? name;
    reader.at += length;
    devices.push({ transport, replayed, device, life, firstSeq, lastSeq, frames, readings });
  }
  return devices;
}
