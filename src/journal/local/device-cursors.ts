import { crc32 } from 'node:zlib';
import { MillraceError } from '../../core/index.ts';

/** How far one device's numbers have come. */
export interface DeviceCursor {
  /** On disk. */
  durable: number;
  /** In the transaction under way; equal to `durable` when there is none. */
  committing: number;
  /** Taken, on disk or not. */
  taken: number;
}

/**
 * The cursors of every device that ever had a numbered frame, in memory: about 150 bytes a device.
 *
 * On disk they are a snapshot and what came after it: each block's device table, and an entry of its own
 * for a device of whose frames a whole commit kept none. So a commit costs the same with ten devices as with
 * a million; the snapshot is written anew every so many bytes of blocks, and before a block goes that
 * is younger than it. A number only ever grows, so reading any of these twice changes nothing.
 *
 * The snapshot, version 1, little-endian: "MRJD", u16 version, u16 zero, u32 CRC-32 of all bytes from offset
 * 12, u32 number of devices, float64 position up to which blocks are included; then for each device one byte
 * with the id's length, the id in ASCII, and its last number as a float64.
 */
export class DeviceCursors {
  readonly #byDevice = new Map<string, DeviceCursor>();

  get size(): number {
    return this.#byDevice.size;
  }

  /** The device's last durable number; 0 for a new device. */
  durable(device: string): number {
    return this.#byDevice.get(device)?.durable ?? 0;
  }

  of(device: string): DeviceCursor {
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
    const bytes = Buffer.allocUnsafeSlow(size);
    bytes.writeUInt32LE(SNAPSHOT_MAGIC, 0);
    bytes.writeUInt16LE(SNAPSHOT_VERSION, 4);
    bytes.writeUInt16LE(0, 6);
    bytes.writeUInt32LE(this.#byDevice.size, 12);
    bytes.writeDoubleLE(position, 16);
    let at = SNAPSHOT_HEADER_BYTES;
    for (const [device, cursor] of this.#byDevice) {
      bytes[at++] = device.length;
      at += bytes.write(device, at, 'latin1');
      at = bytes.writeDoubleLE(cursor.committing, at);
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
      const length = bytes.readUInt8(at);
      const device = bytes.toString('latin1', at + 1, at + 1 + length);
      this.restore(device, bytes.readDoubleLE(at + 1 + length));
      at += 9 + length;
    }
    return bytes.readDoubleLE(16);
  }
}

const SNAPSHOT_MAGIC = 0x444a524d;
const SNAPSHOT_VERSION = 1;
const SNAPSHOT_HEADER_BYTES = 24;

function corrupt(): MillraceError {
  return new MillraceError('journal_corrupt', "the journal's record of device numbers is damaged");
}
