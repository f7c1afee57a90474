import { randomBytes } from 'node:crypto';
import { statfs } from 'node:fs/promises';
import type { Database } from 'lmdb';
import { MillraceError, messageOf } from '../../core/index.ts';
import { type BlockInfo, readBlockInfo } from './block.ts';
import { type Environment, openEnvironment, settleMetaPages } from './environment.ts';
import { FORMAT, readMeta, sealState, writeFirst } from './format.ts';
import type { JournalState } from './state.ts';
import type { Change, Storage } from './storage.ts';
import {
  decodeLetter,
  encodeLetter,
  type FoundLetter,
  type StoredLetter,
  type WalkedLetter,
} from './stored-letter.ts';

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
    const { format, state: found } = readMeta(dir, environment);
    const databases = openDatabases(environment);
    const state = format.version < FORMAT ? withRejected(found, databases.letters) : found;
    environment.meta.transactionSync(() => {
      if (format.version < FORMAT) {
        void environment.meta.put('format', { ...format, version: FORMAT });
        void environment.meta.put('state', sealState(state));
      }
      void environment.meta.put('writer', { pid: process.pid, sinceMs: nowMs }, writer);
    });
    return new LmdbStorage(dir, mapBytes, databases, format.epoch, state, writer);
  } catch (error) {
    void environment.root.close();
    throw openingError(dir, error);
  }
}

interface Databases {
  environment: Environment;
  meta: Database<unknown, string>;
  blocks: Database<Buffer, number>;
  devices: Database<Buffer, string>;
  cursors: Database<number, string>;
  letters: Database<Buffer, number>;
  contents: Database<Buffer, number>;
}

function openDatabases(environment: Environment): Databases {
  return {
    environment,
    meta: environment.meta,
    blocks: environment.openDB('blocks', 'binary'),
    devices: environment.openDB('devices', 'binary'),
    cursors: environment.openDB('cursors', 'json'),
    letters: environment.openDB('letters', 'binary'),
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
    databases: Databases,
    epoch: string,
    state: JournalState,
    writer: number,
  ) {
    this.#dir = dir;
    this.#mapBytes = mapBytes;
    this.#databases = databases;
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
    for (const { id, letter } of change.letters) void this.#open.letters.put(id, encodeLetter(letter));
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
    return readLetter(this.#open.letters, id) ?? undefined;
  }

  *lettersFrom(from: number): Generator<WalkedLetter, void, undefined> {
    const { letters } = this.#open;
    for (const id of letters.getKeys({ start: from })) yield { id, letter: readLetter(letters, id) };
  }

  letters(before: number, limit: number): FoundLetter[] {
    const { letters } = this.#open;
    const found: FoundLetter[] = [];
    for (const id of letters.getKeys({ start: before - 1, reverse: true })) {
      if (found.length >= limit) break;
      const letter = readLetter(letters, id);
      if (letter !== null) found.push({ id, letter });
    }
    return found;
  }

  async reopen(): Promise<void> {
    const before = this.#databases;
    this.#databases = null;
    await before?.environment.root.close();
    // Away for a moment, as a volume may be: no damage, so that it is tried again.
    const environment = openEnvironment(this.#dir, this.#mapBytes, () => {
      throw new Error(`the journal in ${this.#dir} has gone`);
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

/** Null for one that is damaged or not there. */
function readLetter(letters: Database<Buffer, number>, id: number): StoredLetter | null {
  const record = letters.getBinary(id);
  return record === undefined ? null : decodeLetter(record);
}

/** The state with its count of the rejected letters, which formats before 3 have not. */
function withRejected(state: JournalState, letters: Database<Buffer, number>): JournalState {
  const { oldest } = state.letters;
  const rejected = { oldest, count: 0 };
  for (const id of letters.getKeys({ start: oldest })) {
    if (readLetter(letters, id)?.kind === 'rejected') rejected.count++;
  }
  return { ...state, letters: { ...state.letters, rejected } };
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
