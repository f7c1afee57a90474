import { crc32 } from 'node:zlib';
import { MillraceError } from '../../../core/index.ts';
import type { OutboxLife } from '../../journal.ts';
import type { DeviceCursor } from './device-cursor.ts';
import { OutboxCursors, type OutboxRecord } from './outbox-cursors.ts';

/**
 * The cursors of every device that ever had a numbered frame, in memory: about 150 bytes a device, and 200 for each
 * of its outboxes.
 *
 * On disk they are a snapshot and what came after it: each block's device table, and an entry of its own
 * for a device of whose frames a whole commit kept none. So a commit costs the same with ten devices as with
 * a million; the snapshot is written anew every so many bytes of blocks, and before a block goes that
 * is younger than it. A number only ever grows, so reading any of these twice changes nothing. Which outboxes a
 * device has is in an entry of its own, too, written when one is new.
 *
 * The snapshot, version 2, little-endian: "MRJD", u16 version, u16 zero, u32 CRC-32 of all bytes from offset
 * 12, u32 number of devices, float64 position up to which blocks are included; then for each device one byte
 * with the id's length, the id in ASCII, and its last number as a float64. Behind them u32 number of outboxes,
 * those of one device one after the other, the least recently used first; for each the device's id as before, the
 * outbox's id in the same way, its life and its last number as a float64 each. Version 1 had no outboxes.
 */
export class DeviceCursors {
  readonly outboxes: OutboxCursors;
  readonly #byDevice = new Map<string, DeviceCursor>();

  /** `outboxesForgotten` is the count of the state record. */
  constructor(outboxesForgotten = 0) {
    this.outboxes = new OutboxCursors(outboxesForgotten);
  }

  /** How many devices there are. */
  get size(): number {
    let size = this.#byDevice.size;
    for (const device of this.outboxes.devices()) if (!this.#byDevice.has(device)) size++;
    return size;
  }

  /** The same at no cost; a device that has numbers of its own and outboxes counts twice. */
  get names(): number {
    return this.#byDevice.size + this.outboxes.names;
  }

  /** Whether a number of the device, or of one of its outboxes, was ever taken. */
  has(device: string): boolean {
    return this.#byDevice.has(device) || this.outboxes.has(device);
  }

  /** The last durable number of the device, or of one of its outboxes; 0 for a new one. */
  durable(device: string, outbox: OutboxLife | null = null): number {
    if (outbox !== null) return this.outboxes.durable(device, outbox);
    return this.#byDevice.get(device)?.durable ?? 0;
  }

  of(device: string, outbox: OutboxLife | null = null): DeviceCursor {
    if (outbox !== null) return this.outboxes.of(device, outbox);
    let cursor = this.#byDevice.get(device);
    if (cursor === undefined) {
      cursor = { durable: 0, committing: 0, taken: 0 };
      this.#byDevice.set(device, cursor);
    }
    return cursor;
  }

  /** Takes over a number read from disk. */
  restore(device: string, seq: number): void {
    const cursor = this.of(device);
    if (seq > cursor.durable) cursor.durable = cursor.committing = cursor.taken = seq;
  }

  /** The cursors as the transaction under way leaves them. */
  encodeSnapshot(position: number): Buffer {
    let size = SNAPSHOT_HEADER_BYTES;
    for (const device of this.#byDevice.keys()) size += 9 + device.length;
    const records: [device: string, OutboxRecord][] = [];
    for (const device of this.outboxes.devices()) {
      const record = this.outboxes.record(device, position);
      records.push([device, record]);
      for (const [id] of record.outboxes) size += 18 + device.length + id.length;
    }
    size += 4;
    const bytes = Buffer.allocUnsafeSlow(size);
    bytes.writeUInt32LE(SNAPSHOT_MAGIC, 0);
    bytes.writeUInt16LE(SNAPSHOT_VERSION, 4);
    bytes.writeUInt16LE(0, 6);
    bytes.writeUInt32LE(this.#byDevice.size, 12);
    bytes.writeDoubleLE(position, 16);
    let at = SNAPSHOT_HEADER_BYTES;
    for (const [device, cursor] of this.#byDevice) {
      at = writeId(bytes, at, device);
      at = bytes.writeDoubleLE(cursor.committing, at);
    }
    at = bytes.writeUInt32LE(this.outboxes.size, at);
    for (const [device, { outboxes }] of records) {
      for (const [id, life, seq] of outboxes) {
        at = writeId(bytes, writeId(bytes, at, device), id);
        at = bytes.writeDoubleLE(seq, bytes.writeDoubleLE(life, at));
      }
    }
    bytes.writeUInt32LE(crc32(bytes.subarray(12)), 8);
    return bytes;
  }

  /** Takes over a snapshot and returns its position. Throws `journal_corrupt` or `data_dir_version`. */
  restoreSnapshot(bytes: Buffer): number {
    if (bytes.length < SNAPSHOT_HEADER_BYTES || bytes.readUInt32LE(0) !== SNAPSHOT_MAGIC) throw corrupt();
    const version = bytes.readUInt16LE(4);
    if (version > SNAPSHOT_VERSION) {
      throw new MillraceError(
        'data_dir_version',
        `the journal's record of device numbers has format ${version}, this version knows up to ${SNAPSHOT_VERSION}`,
      );
    }
    if (bytes.readUInt32LE(8) !== crc32(bytes.subarray(12))) throw corrupt();
    let at = SNAPSHOT_HEADER_BYTES;
    for (let left = bytes.readUInt32LE(12); left > 0; left--) {
      const device = readId(bytes, at);
      at += 1 + device.length;
      this.restore(device, bytes.readDoubleLE(at));
      at += 8;
    }
    if (version > 1) this.#restoreOutboxes(bytes, at);
    return bytes.readDoubleLE(16);
  }

  #restoreOutboxes(bytes: Buffer, from: number): void {
    const records = new Map<string, OutboxRecord['outboxes']>();
    let at = from + 4;
    for (let left = bytes.readUInt32LE(from); left > 0; left--) {
      const device = readId(bytes, at);
      at += 1 + device.length;
      const id = readId(bytes, at);
      at += 1 + id.length;
      const outboxes = records.get(device) ?? [];
      outboxes.push([id, bytes.readDoubleLE(at), bytes.readDoubleLE(at + 8)]);
      records.set(device, outboxes);
      at += 16;
    }
    for (const [device, outboxes] of records) this.outboxes.restore(device, { outboxes });
  }
}

/** One byte with the length, and the id in ASCII. Returns the offset behind it. */
function writeId(bytes: Buffer, at: number, id: string): number {
  bytes[at] = id.length;
  return at + 1 + bytes.write(id, at + 1, 'latin1');
}

function readId(bytes: Buffer, at: number): string {
  return bytes.toString('latin1', at + 1, at + 1 + bytes.readUInt8(at));
}

const SNAPSHOT_MAGIC = 0x444a524d;
const SNAPSHOT_VERSION = 2;
const SNAPSHOT_HEADER_BYTES = 24;

function corrupt(): MillraceError {
  return new MillraceError('journal_corrupt', "the journal's record of device numbers is damaged");
}
