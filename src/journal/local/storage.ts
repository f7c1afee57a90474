import { randomBytes } from 'node:crypto';
import { statfs } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import type { Database } from 'lmdb';
import { MillraceError, messageOf } from '../../core/index.ts';
import { type BlockInfo, readBlockInfo } from './block.ts';
import { type Environment, openEnvironment, settleMetaPages } from './environment.ts';
import { EMPTY_STATE, type JournalState, readState, type StateOfFormat1 } from './state.ts';
import { readLetter, type StoredLetter } from './stored-letter.ts';

/** What one transaction does: all of it, on disk, or nothing. */
export interface Change {
  state: JournalState;
  blocks: readonly { first: number; bytes: Buffer }[];
  removedBlocks: readonly number[];
  letters: readonly { id: number; letter: StoredLetter }[];
  removedLetters: readonly number[];
  /** Cursors of devices that no block of this transaction speaks of. */
  cursors: ReadonlyMap<string, number>;
  /** An entry of the dedupe log (dedupe-log.ts), new or written again; null when there is none. */
  contents: { id: number; bytes: Buffer } | null;
  removedContents: readonly number[];
  /** A new snapshot of the device cursors; it replaces the one before and all single cursors. */
  snapshot: Buffer | null;
}

/** All access of the local journal to its disk, so narrow that faults can be put in between. */
export interface Storage {
  readonly epoch: string;
  /** The state as it was found when opening, the last time that was. */
  readonly state: JournalState;
  /**
   * Resolves when the change is synced to disk. One at a time. After a rejection nothing can be committed nor
   * is known of it until `reopen`: as a rule nothing of it is there.
   */
  commit(change: Change): Promise<void>;
  /** The block with the largest first position that is not above `position`. A copy. */
  blockAt(position: number): { first: number; bytes: Buffer } | undefined;
  /** Headers of the blocks from the one that holds `position` on, in order. */
  infos(position: number): Iterable<BlockInfo>;
  snapshot(): Buffer | undefined;
  cursors(): Iterable<{ device: string; seq: number }>;
  /** Entries of the dedupe log in order, from an id on. */
  contents(from: number): Iterable<{ id: number; bytes: Buffer }>;
  letter(id: number): StoredLetter | undefined;
  /** In the order of their ids, from one on. */
  lettersFrom(from: number): Iterable<{ id: number; letter: StoredLetter }>;
  /** Newest first, with ids below `before`. */
  letters(before: number, limit: number): { id: number; letter: StoredLetter }[];
  /**
   * After a failed commit: opens the files anew and reads the state from them; what they say counts. Writes
   * nothing but what is there. Throws when that does not work, and may be called again; `data_dir_in_use` when
   * another process has become the writer, for good.
   */
  reopen(): Promise<void>;
  /** Resolves when so many bytes have been written, synced and removed again: there is room for as many. */
  probe(bytes: number): Promise<void>;
  close(): Promise<void>;
}

/**
 * Layout, format 2: one lmdb environment in `journal.lmdb` with these databases:
 *
 *   meta     key text → JSON. `format`: {version, epoch, createdMs}; `state`: JournalState and as `crc`
 *            the CRC-32 of its JSON without it; `writer`: the process that may write, as the entry's lmdb-js
 *            version: a random number made at each opening
 *   blocks   key number, the block's first position → the block (block.ts)
 *   devices  `snapshot` → the device cursors (device-cursors.ts)
 *   cursors  key device → JSON number: cursors newer than the snapshot that no block carries
 *   letters  key number counting up → msgpack StoredLetter
 *   contents key number counting up → an entry of the dedupe log (dedupe-log.ts)
 *
 * Format 1 had no `contents`, blocks of version 1 only, and less in `state`, without `crc`: opening makes it format 2.
 */
export const FORMAT = 2;

export interface FormatEntry {
  version: number;
  epoch: string;
  createdMs: number;
}

/**
 * Opens the journal's files in `dir`, creating them if there are none. Throws `data_dir_unwritable`,
 * `data_dir_version` when a newer version wrote them, `journal_corrupt` when they are damaged or no journal; in
 * all of these cases nothing was changed. `maxBytes` is the limit of the blocks' bytes.
 */
export function openStorage(dir: string, maxBytes: number, nowMs: number): Storage {
  const mapBytes = 2 * maxBytes + 256 * 1024 * 1024;
  const writer = randomBytes(6).readUIntBE(0, 6);
  let environment: Environment;
  try {
    environment = openEnvironment(dir, mapBytes, (fresh) => writeFirst(fresh, nowMs));
  } catch (error) {
    throw openingError(dir, error);
  }
  try {
    const { format, state } = readMeta(dir, environment);
    environment.meta.transactionSync(() => {
      if (format.version < FORMAT) {
        void environment.meta.put('format', { ...format, version: FORMAT });
        void environment.meta.put('state', sealState(state));
      }
      void environment.meta.put('writer', { pid: process.pid, sinceMs: nowMs }, writer);
    });
    return new LmdbStorage(dir, mapBytes, environment, format.epoch, state, writer);
  } catch (error) {
    void environment.root.close();
    throw openingError(dir, error);
  }
}

function writeFirst({ meta }: Environment, nowMs: number): void {
  const epoch = randomBytes(9).toString('base64url');
  meta.transactionSync(() => {
    void meta.put('format', { version: FORMAT, epoch, createdMs: nowMs } satisfies FormatEntry);
    void meta.put('state', sealState(EMPTY_STATE));
  });
}

function readMeta(dir: string, { meta }: Environment): { format: FormatEntry; state: JournalState } {
  const entry = (key: string): unknown => {
    try {
      return meta.get(key);
    } catch (cause) {
      throw new MillraceError('journal_corrupt', `the journal in ${dir} has a damaged ${key} record`, {
        cause,
      });
    }
  };
  const format = entry('format') as FormatEntry | undefined;
  if (format === undefined) {
    throw new MillraceError('journal_corrupt', `the journal in ${dir} has lost its format record`);
  }
  if (format.version > FORMAT) {
    throw new MillraceError(
      'data_dir_version',
      `the journal in ${dir} has format ${format.version}, this version knows up to ${FORMAT}`,
    );
  }
  return { format, state: unsealState(entry('state'), format.version) };
}

/** The state record with its checksum. */
function sealState(state: JournalState): JournalState & { crc: number } {
  return { ...state, crc: crc32(JSON.stringify(state)) };
}

/** Checks a state record as it was found in a journal of that format. Throws `journal_corrupt`. */
export function unsealState(found: unknown, format: number): JournalState {
  if (typeof found !== 'object' || found === null) {
    throw new MillraceError('journal_corrupt', 'the journal has lost its state record');
  }
  const { crc, ...state } = found as (JournalState | StateOfFormat1) & { crc?: number };
  if (format > 1 && crc !== crc32(JSON.stringify(state))) {
    throw new MillraceError('journal_corrupt', "the journal's state record does not match its checksum");
  }
  return readState(state);
}

interface Databases {
  environment: Environment;
  meta: Database<unknown, string>;
  blocks: Database<Buffer, number>;
  devices: Database<Buffer, string>;
  cursors: Database<number, string>;
  letters: Database<StoredLetter, number>;
  contents: Database<Buffer, number>;
}

function openDatabases(environment: Environment): Databases {
  return {
    environment,
    meta: environment.meta,
    blocks: environment.openDB('blocks', 'binary'),
    devices: environment.openDB('devices', 'binary'),
    cursors: environment.openDB('cursors', 'json'),
    letters: environment.openDB('letters', 'msgpack'),
    contents: environment.openDB('contents', 'binary'),
  };
}

class LmdbStorage implements Storage {
  readonly epoch: string;
  readonly #dir: string;
  readonly #mapBytes: number;
  readonly #writer: number;
  #state: JournalState;
  /** Null while it is opened anew, and when that failed. */
  #databases: Databases | null;

  constructor(
    dir: string,
    mapBytes: number,
    environment: Environment,
    epoch: string,
    state: JournalState,
    writer: number,
  ) {
    this.#dir = dir;
    this.#mapBytes = mapBytes;
    this.#databases = openDatabases(environment);
    this.epoch = epoch;
    this.#state = state;
    this.#writer = writer;
  }

  get state(): JournalState {
    return this.#state;
  }

  get #open(): Databases {
    if (this.#databases === null) throw new MillraceError('journal_failed', "the journal's files are closed");
    return this.#databases;
  }

  commit(change: Change): Promise<void> {
    return this.#commit(() => this.#write(change));
  }

  async #commit(write: () => void): Promise<void> {
    let written: boolean;
    try {
      // Another process that opened this journal has made itself the writer: then nothing here applies.
      written = await this.#open.meta.ifVersion('writer', this.#writer, write);
    } catch (error) {
      throw await this.#commitError(error);
    }
    if (!written) throw fenced();
  }

  #write(change: Change): void {
    for (const { first, bytes } of change.blocks) void this.#open.blocks.put(first, bytes);
    for (const first of change.removedBlocks) void this.#open.blocks.remove(first);
    for (const { id, letter } of change.letters) void this.#open.letters.put(id, letter);
    for (const id of change.removedLetters) void this.#open.letters.remove(id);
    if (change.contents !== null) void this.#open.contents.put(change.contents.id, change.contents.bytes);
    for (const id of change.removedContents) void this.#open.contents.remove(id);
    if (change.snapshot !== null) {
      void this.#open.devices.put('snapshot', change.snapshot);
      void this.#open.cursors.clearAsync();
    } else {
      for (const [device, seq] of change.cursors) void this.#open.cursors.put(device, seq);
    }
    void this.#open.meta.put('state', sealState(change.state));
  }

  blockAt(position: number): { first: number; bytes: Buffer } | undefined {
    const { blocks } = this.#open;
    try {
      for (const first of blocks.getKeys({ start: position, reverse: true, limit: 1 })) {
        const bytes = blocks.getBinary(first);
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
    for (const key of this.#open.blocks.getKeys({ start: position, reverse: true, limit: 1 })) first = key;
    // Without a snapshot held open: a long walk must not keep lmdb from reusing freed pages.
    for (const key of this.#open.blocks.getKeys({ start: first, snapshot: false })) {
      const bytes = this.#open.blocks.getBinaryFast(key);
      if (bytes !== undefined) yield readBlockInfo(bytes);
    }
  }

  snapshot(): Buffer | undefined {
    return this.#open.devices.getBinary('snapshot');
  }

  *cursors(): Generator<{ device: string; seq: number }, void, undefined> {
    for (const { key, value } of this.#open.cursors.getRange()) yield { device: key, seq: value };
  }

  *contents(from: number): Generator<{ id: number; bytes: Buffer }, void, undefined> {
    for (const { key, value } of this.#open.contents.getRange({ start: from }))
      yield { id: key, bytes: value };
  }

  letter(id: number): StoredLetter | undefined {
    const found = this.#open.letters.get(id);
    return found === undefined ? undefined : readLetter(found);
  }

  *lettersFrom(from: number): Generator<{ id: number; letter: StoredLetter }, void, undefined> {
    for (const { key, value } of this.#open.letters.getRange({ start: from }))
      yield { id: key, letter: readLetter(value) };
  }

  letters(before: number, limit: number): { id: number; letter: StoredLetter }[] {
    const found: { id: number; letter: StoredLetter }[] = [];
    for (const { key, value } of this.#open.letters.getRange({ start: before - 1, reverse: true, limit })) {
      found.push({ id: key, letter: readLetter(value) });
    }
    return found;
  }

  async reopen(): Promise<void> {
    const before = this.#databases;
    this.#databases = null;
    await before?.environment.root.close();
    const environment = openEnvironment(this.#dir, this.#mapBytes, () => {
      throw new MillraceError('journal_corrupt', `the journal in ${this.#dir} has gone`);
    });
    try {
      environment.meta.transactionSync(() => {
        if (environment.meta.getEntry('writer')?.version !== this.#writer) throw fenced();
        settleMetaPages(this.#dir);
      });
      this.#state = readMeta(this.#dir, environment).state;
      this.#databases = openDatabases(environment);
    } catch (error) {
      await environment.root.close();
      throw error;
    }
  }

  async probe(bytes: number): Promise<void> {
    const { devices } = this.#open;
    await this.#commit(() => void devices.put('probe', Buffer.alloc(bytes)));
    await this.#commit(() => void devices.remove('probe'));
  }

  async close(): Promise<void> {
    const before = this.#databases;
    this.#databases = null;
    await before?.environment.root.close();
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

function fenced(): MillraceError {
  return new MillraceError('data_dir_in_use', 'another process has opened this journal');
}

function openingError(dir: string, cause: unknown): MillraceError {
  if (cause instanceof MillraceError) return cause;
  const message = messageOf(cause);
  return new MillraceError('data_dir_unwritable', `cannot open the journal in ${dir}: ${message}`, { cause });
}
