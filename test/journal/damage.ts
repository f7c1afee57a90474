import { closeSync, cpSync, openSync, readFileSync, readSync, truncateSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { LmdbFile } from '../../src/journal/local/lmdb/lmdb-file.ts';
import { folder, type Connection, text } from './harness.ts';
import type { LocalJournal } from '../../src/journal/index.ts';

/** A closed journal's data file, to be damaged. */
export class DataFile {
  readonly dir: string;
  readonly path: string;

  constructor(dir: string) {
    this.dir = dir;
    this.path = join(dir, 'journal.lmdb');
  }

  /** The same journal in a folder of its own. */
  async copy(): Promise<DataFile> {
    const dir = await folder();
    cpSync(this.path, join(dir, 'journal.lmdb'));
    return new DataFile(dir);
  }

  bytes(): Buffer {
    return readFileSync(this.path);
  }

  truncate(bytes: number): void {
    truncateSync(this.path, bytes);
  }

  zero(offset: number, length: number): void {
    this.#write(offset, Buffer.alloc(length));
  }

  flipBit(offset: number): void {
    const file = openSync(this.path, 'r');
    const byte = Buffer.alloc(1);
    readSync(file, byte, 0, 1, offset);
    closeSync(file);
    byte[0] = (byte[0] ?? 0) ^ 1;
    this.#write(offset, byte);
  }

  /** A u64. */
  writeNumber(offset: number, value: number): void {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(BigInt(value));
    this.#write(offset, bytes);
  }

  /** The newest meta page and the other one. */
  metas(): { newest: number; older: number } {
    const file = new LmdbFile(this.path);
    file.close();
    const newest = file.metas[0]?.page ?? 0;
    return { newest, older: 1 - newest };
  }

  #write(offset: number, bytes: Buffer): void {
    const file = openSync(this.path, 'r+');
    writeSync(file, bytes, 0, bytes.length, offset);
    closeSync(file);
  }
}

export const PAGE = 4_096;

/** Appends frames `from` to `to` (inclusive) of a device, a block each, padded to so many bytes. */
export async function appendBlocks(
  journal: LocalJournal,
  device: Connection,
  from: number,
  to: number,
  frameBytes: number,
): Promise<void> {
  for (let seq = from; seq <= to; seq++) {
    const name = `${device.device}/${seq}/`;
    journal.append(device, seq, text(name.padEnd(frameBytes, '.')), 2, seq, null);
    await journal.flush();
  }
}
