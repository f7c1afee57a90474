import { crc32 } from 'node:zlib';
import { TRANSPORTS } from '../../../core/index.ts';
import {
  BLOCK_HEADER_BYTES,
  BLOCK_MAGIC,
  BLOCK_VERSION,
  CRC_FROM,
  CRC_OFFSET,
  REPLAYED,
  WITH_OUTBOX,
} from './block.ts';
import type { BlockDevice } from './frame-cursor.ts';
import type { BlockBuffers } from './block-buffers.ts';
import { MAX_VARINT_BYTES, writeVarint, zigzag } from './varint.ts';

/** A connection's entry in the device table of the block that is being filled. */
export interface BuilderDevice extends BlockDevice {
  readonly index: number;
  /** The number that the connection's next frame has when nothing is skipped. */
  nextSeq: number;
}

const MAX_FRAME_OVERHEAD = 5 * MAX_VARINT_BYTES;
/** Transport, five varints and the id's length. */
const MAX_DEVICE_OVERHEAD = 2 + 5 * MAX_VARINT_BYTES;

/**
 * Fills one block (block.ts describes the format). One buffer, which grows for frames that are larger than others;
 * nothing is allocated per frame.
 */
export class BlockBuilder {
  readonly first: number;
  readonly devices: BuilderDevice[] = [];
  frames = 0;
  readings = 0;
  /** Bytes so far, without the device table. */
  length = BLOCK_HEADER_BYTES;
  #baseArrivalMs: number | null;
  #maxTableBytes = 0;
  readonly #buffers: BlockBuffers;
  #buffer: Buffer;

  /** `baseArrivalMs` stands in for the first frame's arrival when that is no sign of the block's age. */
  constructor(first: number, buffers: BlockBuffers, baseArrivalMs: number | null = null) {
    this.first = first;
    this.#baseArrivalMs = baseArrivalMs;
    this.#buffers = buffers;
    this.#buffer = buffers.take();
  }

  /** Registers a connection; `firstSeq` is the first number that it takes in this block, `life` that of its outbox. */
  addDevice(
    device: string,
    transport: BlockDevice['transport'],
    firstSeq: number,
    life: number | null = null,
  ): BuilderDevice {
    const entry: BuilderDevice = {
      index: this.devices.length,
      device,
      transport,
      replayed: false,
      life,
      firstSeq,
      lastSeq: firstSeq - 1,
      frames: 0,
      readings: 0,
      nextSeq: firstSeq,
    };
    this.devices.push(entry);
    this.#maxTableBytes += MAX_DEVICE_OVERHEAD + device.length;
    return entry;
  }

  /** Registers a device whose frames come back from the dead letters: append them with `nextSeq`. */
  addReplayed(device: string, transport: BlockDevice['transport']): BuilderDevice {
    const entry = this.addDevice(device, transport, 0);
    entry.replayed = true;
    entry.lastSeq = 0;
    return entry;
  }

  append(device: BuilderDevice, seq: number, bytes: Uint8Array, readings: number, arrivalMs: number): void {
    const size = bytes.length;
    if (this.length + size + MAX_FRAME_OVERHEAD > this.#buffer.length) this.#grow(size + MAX_FRAME_OVERHEAD);
    const baseMs = (this.#baseArrivalMs ??= arrivalMs);
    const buffer = this.#buffer;
    let at = this.length;
    if (seq === device.nextSeq) {
      at = writeVarint(buffer, at, device.index * 2);
    } else {
      at = writeVarint(buffer, at, device.index * 2 + 1);
      at = writeVarint(buffer, at, seq - device.nextSeq);
    }
    at = writeVarint(buffer, at, zigzag(arrivalMs - baseMs));
    at = writeVarint(buffer, at, readings);
    at = writeVarint(buffer, at, size);
    buffer.set(bytes, at);
    this.length = at + size;
    device.nextSeq = seq + 1;
    device.frames++;
    device.readings += readings;
    this.frames++;
    this.readings += readings;
  }

  /** The block is on disk, or will never be: its memory may be used for others. */
  release(): void {
    this.#buffers.give(this.#buffer);
  }

  /** The finished block, good until `release`. Nothing may be added any more. */
  finish(): Buffer {
    const tableOffset = this.length;
    this.#grow(this.#maxTableBytes);
    const buffer = this.#buffer;
    let at = tableOffset;
    for (const device of this.devices) {
      const { life } = device;
      buffer[at++] =
        TRANSPORTS.indexOf(device.transport) +
        (device.replayed ? REPLAYED : 0) +
        (life === null ? 0 : WITH_OUTBOX);
      if (life !== null) at = writeVarint(buffer, at, life);
      at = writeVarint(buffer, at, device.firstSeq);
      at = writeVarint(buffer, at, device.lastSeq - device.firstSeq);
      at = writeVarint(buffer, at, device.frames);
      at = writeVarint(buffer, at, device.readings);
      buffer[at++] = device.device.length;
      at += buffer.write(device.device, at, 'latin1');
    }
    buffer.fill(0, 0, BLOCK_HEADER_BYTES);
    buffer.writeUInt32LE(BLOCK_MAGIC, 0);
    buffer.writeUInt16LE(BLOCK_VERSION, 4);
    buffer.writeUInt16LE(BLOCK_HEADER_BYTES, 6);
    buffer.writeUInt32LE(at, 12);
    buffer.writeDoubleLE(this.first, 16);
    buffer.writeDoubleLE(this.#baseArrivalMs ?? 0, 24);
    buffer.writeDoubleLE(this.readings, 32);
    buffer.writeUInt32LE(this.frames, 40);
    buffer.writeUInt32LE(this.devices.length, 44);
    buffer.writeUInt32LE(tableOffset, 48);
    const block = buffer.subarray(0, at);
    block.writeUInt32LE(crc32(block.subarray(CRC_FROM)), CRC_OFFSET);
    return block;
  }

  #grow(extra: number): void {
    const needed = this.length + extra;
    if (needed <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#buffer.length));
    this.#buffer.copy(larger, 0, 0, this.length);
    this.#buffers.give(this.#buffer);
    this.#buffer = larger;
  }
}
