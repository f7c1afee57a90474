import type { Database } from 'lmdb';
import { MillraceError, messageOf } from '../../../core/index.ts';
import type { BlockMemory } from '../../block-memory.ts';
import { type BlockInfo, readBlockInfo } from '../format/block.ts';
import { type Environment, openToRead } from './environment.ts';
import type { OutboxRecord } from '../numbers/outbox-cursors.ts';
import type { Reads } from './storage.ts';
import {
  decodeLetter,
  type FoundLetter,
  type StoredLetter,
  type WalkedLetter,
} from '../format/stored-letter.ts';

export interface Databases {
  environment: Environment;
  meta: Database<unknown, string>;
  blocks: Database<Buffer, number>;
  devices: Database<Buffer, string>;
  cursors: Database<number, string>;
  outboxes: Database<OutboxRecord, string>;
  letters: Database<Buffer, number>;
  contents: Database<Buffer, number>;
}

export function openDatabases(environment: Environment): Databases {
  return {
    environment,
    meta: environment.meta,
    blocks: environment.openDB('blocks', 'binary'),
    devices: environment.openDB('devices', 'binary'),
    cursors: environment.openDB('cursors', 'json'),
    outboxes: environment.openDB('outboxes', 'json'),
    letters: environment.openDB('letters', 'binary'),
    contents: environment.openDB('contents', 'binary'),
  };
}

/**
 * Opens a journal's files for reading, while another process writes them. They must be there. Throws what lmdb throws.
 */
export function openReads(dir: string, maxBytes: number): LmdbReads {
  return new LmdbReads(openDatabases(openToRead(dir, mapBytesOf(maxBytes))));
}

/** Address space for a journal with blocks of at most so many bytes. */
export function mapBytesOf(maxBytes: number): number {
  return 2 * maxBytes + 256 * 1024 * 1024;
}

/** Reads the journal's lmdb databases, in the process that writes them or in another one. */
export class LmdbReads implements Reads {
  /** Null while it is opened anew, when that failed, and when it is closed. */
  protected databases: Databases | null;

  constructor(databases: Databases) {
    this.databases = databases;
  }

  protected get open(): Databases {
    if (this.databases === null) throw new MillraceError('journal_failed', "the journal's files are closed");
    return this.databases;
  }

  /** Makes the next reads see everything that another process has committed by now. */
  refresh(): void {
    this.open.environment.root.resetReadTxn();
  }

  blockAt(position: number, memory?: BlockMemory): { first: number; bytes: Buffer } | undefined {
    const { blocks } = this.open;
    try {
      // Who reads on asks for the position behind a block, where the next one begins.
      const next = readBinary(blocks, position, memory);
      if (next !== undefined) return { first: position, bytes: next };
      for (const first of blocks.getKeys({ start: position, reverse: true, limit: 1 })) {
        const bytes = readBinary(blocks, first, memory);
        if (bytes !== undefined) return { first, bytes };
      }
      return undefined;
    } catch (cause) {
      throw new MillraceError(
        'journal_corrupt',
        `the journal cannot be read at position ${position}: ${messageOf(cause)}`,
        { cause },
      );
    }
  }

  *infos(position: number): Generator<BlockInfo, void, undefined> {
    let first = position;
    for (const key of this.open.blocks.getKeys({ start: position, reverse: true, limit: 1 })) first = key;
    // Without a snapshot held open: a long walk must not keep lmdb from reusing freed pages.
    for (const key of this.open.blocks.getKeys({ start: first, snapshot: false })) {
      const info = this.info(key);
      if (info !== undefined) yield info;
    }
  }

  /** The header of the block under this very position. lmdb-js copies the whole block for it. */
  protected info(first: number): BlockInfo | undefined {
    const bytes = this.open.blocks.getBinaryFast(first);
    return bytes === undefined ? undefined : readBlockInfo(bytes);
  }

  snapshot(): Buffer | undefined {
    return this.open.devices.getBinary('snapshot');
  }

  *cursors(): Generator<{ device: string; seq: number }, void, undefined> {
    for (const { key, value } of this.open.cursors.getRange()) yield { device: key, seq: value };
  }

  *outboxes(): Generator<{ device: string; record: OutboxRecord }, void, undefined> {
    for (const { key, value } of this.open.outboxes.getRange()) yield { device: key, record: value };
  }

  *contents(from: number): Generator<{ id: number; bytes: Buffer }, void, undefined> {
    for (const { key, value } of this.open.contents.getRange({ start: from }))
      yield { id: key, bytes: value };
  }

  letter(id: number): StoredLetter | undefined {
    return readLetter(this.open.letters, id) ?? undefined;
  }

  *lettersFrom(from: number): Generator<WalkedLetter, void, undefined> {
    const { letters } = this.open;
    for (const id of letters.getKeys({ start: from })) yield { id, letter: readLetter(letters, id) };
  }

  letters(before: number, limit: number): FoundLetter[] {
    const { letters } = this.open;
    const found: FoundLetter[] = [];
    for (const id of letters.getKeys({ start: before - 1, reverse: true })) {
      if (found.length >= limit) break;
      const letter = readLetter(letters, id);
      if (letter !== null) found.push({ id, letter });
    }
    return found;
  }

  async close(): Promise<void> {
    const before = this.databases;
    this.databases = null;
    await before?.environment.root.close();
  }
}

/** A copy of a value; into `memory`, it is the only one. */
function readBinary(
  values: Database<Buffer, number>,
  key: number,
  memory: BlockMemory | undefined,
): Buffer | undefined {
  if (memory === undefined) return values.getBinary(key);
  // In memory that lmdb-js uses again for the next value.
  const bytes = values.getBinaryFast(key);
  if (bytes === undefined) return undefined;
  const copy = memory.take(bytes.length);
  copy.set(bytes.subarray(0, bytes.length));
  return copy;
}

/** Null for one that is damaged or not there. */
export function readLetter(letters: Database<Buffer, number>, id: number): StoredLetter | null {
  const record = letters.getBinary(id);
  return record === undefined ? null : decodeLetter(record);
}
