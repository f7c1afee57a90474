import { randomBytes } from 'node:crypto';
import { closeSync, constants, fsyncSync, mkdirSync, openSync, readSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { type Database, open, type RootDatabase } from 'lmdb';
import { MillraceError, messageOf } from '../../core/index.ts';
import type { DeadLetter } from '../journal.ts';
import { type BlockInfo, readBlockInfo } from './block.ts';
import { EMPTY_STATE, type JournalState } from './state.ts';

/** A dead letter without its id; `size` is what it counts for in the limit, in bytes. */
export interface StoredLetter extends Omit<DeadLetter, 'id'> {
  size: number;
}

/** What one transaction does: all of it, on disk, or nothing. */
export interface Change {
  state: JournalState;
  blocks: readonly { first: number; bytes: Buffer }[];
  removedBlocks: readonly number[];
  letters: readonly { id: number; letter: StoredLetter }[];
  removedLetters: readonly number[];
  /** Cursors of devices that no block of this transaction speaks of. */
  cursors: ReadonlyMap<string, number>;
  /** A new snapshot of the device cursors; it replaces the one before and all single cursors. */
  snapshot: Buffer | null;
}

/** All access of the local journal to its disk, so narrow that faults can be put in between. */
export interface Storage {
  readonly epoch: string;
  /** The state as it was found when opening. */
  readonly state: JournalState;
  /** Resolves when the change is synced to disk. After a rejection nothing of it is there. One at a time. */
  commit(change: Change): Promise<void>;
  /** The block with the largest first position that is not above `position`. A copy. */
  blockAt(position: number): { first: number; bytes: Buffer } | undefined;
  /** Headers of the blocks from the one that holds `position` on, in order. */
  infos(position: number): Iterable<BlockInfo>;
  snapshot(): Buffer | undefined;
  cursors(): Iterable<{ device: string; seq: number }>;
  letter(id: number): StoredLetter | undefined;
  /** Newest first, with ids below `before`. */
  letters(before: number, limit: number): { id: number; letter: StoredLetter }[];
  close(): Promise<void>;
}

/**
 * Layout, format 1: one lmdb environment in `journal.lmdb` with these databases:
 *
 *   meta     key text → JSON. `format`: {version, epoch, createdMs}; `state`: JournalState; `writer`:
 *            the process that may write, as the entry's lmdb-js version: a random number made at each opening
 *   blocks   key number, the block's first position → the block (block.ts)
 *   devices  `snapshot` → the device cursors (device-cursors.ts)
 *   cursors  key device → JSON number: cursors newer than the snapshot that no block carries
 *   letters  key number counting up → msgpack StoredLetter
 */
const FORMAT = 1;

interface FormatEntry {
  version: number;
  epoch: string;
  createdMs: number;
}

/**
 * Opens the journal's files in `dir`, creating them if there are none. Throws `data_dir_unwritable`,
 * `data_dir_version` when a newer version wrote them, `journal_corrupt` when they are no journal; in all
 * of these cases nothing was changed. `maxBytes` is the limit of the blocks' bytes.
 */
export function openStorage(dir: string, maxBytes: number, nowMs: number): Storage {
  const path = join(dir, 'journal.lmdb');
  let root: RootDatabase;
  try {
    mkdirSync(dir, { recursive: true });
    checkFile(path);
    // lmdb syncs its file, but a new file's name is only on disk when its folder is.
    syncFolder(dir);
    syncFolder(dirname(resolve(dir)));
    root = open({
      path,
      // A commit resolves after fdatasync of the data and a synchronous write of lmdb's meta page, and a
      // failure of either rejects it. With overlapping sync a failed sync would leave a promise for ever.
      overlappingSync: false,
      // Otherwise lmdb-js makes a promise of its own per event turn, whose rejection nobody can catch.
      eventTurnBatching: false,
      // Address space, not disk: reserved once, so that growing need not map anew while readers look at it.
      mapSize: 2 * maxBytes + 256 * 1024 * 1024,
      maxDbs: 8,
    });
  } catch (error) {
    throw openingError(dir, error);
  }
  return prepare(dir, root, nowMs);
}

function prepare(dir: string, root: RootDatabase, nowMs: number): Storage {
  const meta: Database<unknown, string> = root.openDB('meta', { encoding: 'json', useVersions: true });
  const found = meta.get('format') as FormatEntry | undefined;
  if (found !== undefined && found.version > FORMAT) {
    void root.close();
    throw new MillraceError(
      'data_dir_version',
      `the journal in ${dir} has format ${found.version}, this version knows up to ${FORMAT}`,
    );
  }
  const format = found ?? { version: FORMAT, epoch: randomBytes(9).toString('base64url'), createdMs: nowMs };
  const writer = randomBytes(6).readUIntBE(0, 6);
  meta.transactionSync(() => {
    if (found === undefined) {
      void meta.put('format', format);
      void meta.put('state', EMPTY_STATE);
    }
    void meta.put('writer', { pid: process.pid, sinceMs: nowMs }, writer);
  });
  const state = meta.get('state') as JournalState | undefined;
  if (state === undefined) {
    void root.close();
    throw new MillraceError('journal_corrupt', `the journal in ${dir} has lost its state record`);
  }
  return new LmdbStorage(dir, root, meta, format.epoch, state, writer);
}

class LmdbStorage implements Storage {
  readonly epoch: string;
  readonly state: JournalState;
  readonly #dir: string;
  readonly #root: RootDatabase;
  readonly #meta: Database<unknown, string>;
  readonly #blocks: Database<Buffer, number>;
  readonly #devices: Database<Buffer, string>;
  readonly #cursors: Database<number, string>;
  readonly #letters: Database<StoredLetter, number>;
  readonly #writer: number;

  constructor(
    dir: string,
    root: RootDatabase,
    meta: Database<unknown, string>,
    epoch: string,
    state: JournalState,
    writer: number,
  ) {
    this.#dir = dir;
    this.#root = root;
    this.#meta = meta;
    this.epoch = epoch;
    this.state = state;
    this.#writer = writer;
    this.#blocks = root.openDB('blocks', { encoding: 'binary' });
    this.#devices = root.openDB('devices', { encoding: 'binary' });
    this.#cursors = root.openDB('cursors', { encoding: 'json' });
    this.#letters = root.openDB('letters', {});
  }

  async commit(change: Change): Promise<void> {
    let written: boolean;
    try {
      // Another process that opened this journal has made itself the writer: then nothing here applies.
      written = await this.#meta.ifVersion('writer', this.#writer, () => this.#write(change));
    } catch (error) {
      throw await this.#commitError(error);
    }
    if (!written) throw new MillraceError('data_dir_in_use', 'another process has opened this journal');
  }

  #write(change: Change): void {
    for (const { first, bytes } of change.blocks) void this.#blocks.put(first, bytes);
    for (const first of change.removedBlocks) void this.#blocks.remove(first);
    for (const { id, letter } of change.letters) void this.#letters.put(id, letter);
    for (const id of change.removedLetters) void this.#letters.remove(id);
    if (change.snapshot !== null) {
      void this.#devices.put('snapshot', change.snapshot);
      void this.#cursors.clearAsync();
    } else {
      for (const [device, seq] of change.cursors) void this.#cursors.put(device, seq);
    }
    void this.#meta.put('state', change.state);
  }

  blockAt(position: number): { first: number; bytes: Buffer } | undefined {
    try {
      for (const first of this.#blocks.getKeys({ start: position, reverse: true, limit: 1 })) {
        const bytes = this.#blocks.getBinary(first);
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
    for (const key of this.#blocks.getKeys({ start: position, reverse: true, limit: 1 })) first = key;
    // Without a snapshot held open: a long walk must not keep lmdb from reusing freed pages.
    for (const key of this.#blocks.getKeys({ start: first, snapshot: false })) {
      const bytes = this.#blocks.getBinaryFast(key);
      if (bytes !== undefined) yield readBlockInfo(bytes);
    }
  }

  snapshot(): Buffer | undefined {
    return this.#devices.getBinary('snapshot');
  }

  *cursors(): Generator<{ device: string; seq: number }, void, undefined> {
    for (const { key, value } of this.#cursors.getRange()) yield { device: key, seq: value };
  }

  letter(id: number): StoredLetter | undefined {
    return this.#letters.get(id);
  }

  letters(before: number, limit: number): { id: number; letter: StoredLetter }[] {
    const found: { id: number; letter: StoredLetter }[] = [];
    for (const { key, value } of this.#letters.getRange({ start: before - 1, reverse: true, limit })) {
      found.push({ id: key, letter: value });
    }
    return found;
  }

  async close(): Promise<void> {
    await this.#root.close();
  }

  async #commitError(error: unknown): Promise<Error> {
    const cause = await commitCause(error);
    const { bavail, bsize } = await statfs(this.#dir);
    // lmdb calls a short write an I/O error, so only the free space tells a full disk.
    return new Error(`${messageOf(cause)} (${Math.floor((bavail * bsize) / 1024 ** 2)} MB free)`, { cause });
  }
}

/** lmdb-js rejects with a general error and keeps the reason in a second promise. */
async function commitCause(error: unknown): Promise<unknown> {
  if (!(error instanceof Error) || !('commitError' in error)) return error;
  try {
    await error.commitError;
    return error;
  } catch (cause) {
    return cause;
  }
}

/** lmdb crashes the process when it is given a file that it cannot use, so it is tried first. */
function checkFile(path: string): void {
  const file = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o644);
  try {
    const start = Buffer.alloc(LMDB_MAGIC_OFFSET + 4);
    const size = readSync(file, start, 0, start.length, 0);
    if (size > 0 && start.readUInt32LE(LMDB_MAGIC_OFFSET) !== LMDB_MAGIC) {
      throw new MillraceError('journal_corrupt', `${path} is no journal: it does not begin as an lmdb file`);
    }
  } finally {
    closeSync(file);
  }
}

function syncFolder(dir: string): void {
  const folder = openSync(dir, constants.O_RDONLY);
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

/** Of the first page: behind lmdb-js's page header of 24 bytes comes the magic number of lmdb. */
const LMDB_MAGIC = 0xbeefc0de;
const LMDB_MAGIC_OFFSET = 24;

function openingError(dir: string, cause: unknown): MillraceError {
  if (cause instanceof MillraceError) return cause;
  const message = messageOf(cause);
  return new MillraceError('data_dir_unwritable', `cannot open the journal in ${dir}: ${message}`, { cause });
}
