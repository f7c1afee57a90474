import { randomBytes } from 'node:crypto';
import { statfs } from 'node:fs/promises';
import type { Database } from 'lmdb';
import { LIMITS, MillraceError, messageOf } from '../../../core/index.ts';
import { OpenFiles } from '../../../files/index.ts';
import { type BlockInfo, readBlockInfo } from '../format/block.ts';
import { type Environment, filesIn, openEnvironment, probeFile, settleMetaPages } from './environment.ts';
import { FORMAT, readMeta, sealState, writeFirst } from './format.ts';
import { type Databases, LmdbReads, mapBytesOf, openDatabases, readLetter } from './lmdb-reads.ts';
import type { JournalState } from '../format/state.ts';
import type { Change, Storage } from './storage.ts';
import { encodeLetter } from '../format/stored-letter.ts';

/**
 * Opens the journal's files in `dir`, creating them if there are none. Throws `data_dir_unwritable`,
 * `data_dir_version` when a newer version wrote them, `journal_corrupt` when they are damaged or no journal; in
 * all of these cases nothing was changed. `maxBytes` is the limit of the blocks' bytes.
 */
export function openStorage(dir: string, maxBytes: number, nowMs: number): Storage {
  const mapBytes = mapBytesOf(maxBytes);
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
    const state = format.version < 3 ? withRejected(found, databases.letters) : found;
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

class LmdbStorage extends LmdbReads implements Storage {
  readonly epoch: string;
  readonly #dir: string;
  readonly #mapBytes: number;
  readonly #writer: number;
  readonly #files: OpenFiles;
  /** Headers of the newest blocks as they were written: every commit and settlement asks for some. */
  readonly #written = new Map<number, BlockInfo>();
  #state: JournalState;

  constructor(
    dir: string,
    mapBytes: number,
    databases: Databases,
    epoch: string,
    state: JournalState,
    writer: number,
  ) {
    super(databases);
    this.#dir = dir;
    this.#mapBytes = mapBytes;
    this.epoch = epoch;
    this.#state = state;
    this.#writer = writer;
    this.#files = new OpenFiles(filesIn(dir));
  }

  get state(): JournalState {
    return this.#state;
  }

  async commit(change: Change): Promise<void> {
    await this.#commit(() => this.#write(change));
    for (const first of change.removedBlocks) this.#written.delete(first);
    for (const { first, bytes } of change.blocks) this.#written.set(first, readBlockInfo(bytes));
    // In the order of their positions.
    for (const first of this.#written.keys()) {
      if (this.#written.size <= LIMITS.journalKnownBlocks) break;
      this.#written.delete(first);
    }
  }

  protected override info(first: number): BlockInfo | undefined {
    return this.#written.get(first) ?? super.info(first);
  }

  async #commit(write: () => void): Promise<void> {
    let written: boolean;
    try {
      // Another process that opened this journal has made itself the writer: then nothing here applies.
      written = await this.open.meta.ifVersion('writer', this.#writer, write);
    } catch (error) {
      throw await this.#commitError(error);
    }
    if (!written) throw fenced();
  }

  #write(change: Change): void {
    for (const { first, bytes } of change.blocks) void this.open.blocks.put(first, bytes);
    for (const first of change.removedBlocks) void this.open.blocks.remove(first);
    for (const { id, letter } of change.letters) void this.open.letters.put(id, encodeLetter(letter));
    for (const id of change.removedLetters) void this.open.letters.remove(id);
    if (change.contents !== null) void this.open.contents.put(change.contents.id, change.contents.bytes);
    for (const id of change.removedContents) void this.open.contents.remove(id);
    if (change.snapshot !== null) {
      void this.open.devices.put('snapshot', change.snapshot);
      void this.open.cursors.clearAsync();
      void this.open.outboxes.clearAsync();
    } else {
      for (const [device, seq] of change.cursors) void this.open.cursors.put(device, seq);
      for (const [device, record] of change.outboxes) void this.open.outboxes.put(device, record);
    }
    void this.open.meta.put('state', sealState(change.state));
  }

  async reopen(): Promise<void> {
    // While they are away the open ones are kept: their inodes cannot be given to others then.
    this.look();
    const before = this.databases;
    this.databases = null;
    this.#written.clear();
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
      this.databases = openDatabases(environment);
    } catch (error) {
      await environment.root.close();
      throw error;
    }
  }

  look(): void {
    this.#files.look();
  }

  async probe(bytes: number): Promise<void> {
    const { devices } = this.open;
    try {
      probeFile(this.#dir, bytes);
    } catch (error) {
      throw await this.#commitError(error);
    }
    await this.#commit(() => void devices.put('probe', Buffer.alloc(bytes)));
    await this.#commit(() => void devices.remove('probe'));
  }

  forgetDeadReaders(): void {
    // Closed for the moment: it is looked for again when it is opened.
    this.databases?.environment.root.readerCheck();
  }

  async #commitError(error: unknown): Promise<Error> {
    const cause = await commitCause(error);
    const { bavail, bsize } = await statfs(this.#dir);
    // lmdb calls a short write an I/O error, so only the free space tells a full disk.
    return new Error(`${messageOf(cause)} (${Math.floor((bavail * bsize) / 1024 ** 2)} MB free)`, { cause });
  }
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
