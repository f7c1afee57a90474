import type { BlockMemory } from '../../block-memory.ts';
import type { BlockInfo } from '../format/block.ts';
import type { OutboxRecord } from '../numbers/outbox-cursors.ts';
import type { JournalState } from '../format/state.ts';
import type { FoundLetter, StoredLetter, WalkedLetter } from '../format/stored-letter.ts';

/** What one transaction does: all of it, on disk, or nothing. */
export interface Change {
  state: JournalState;
  blocks: readonly { first: number; bytes: Buffer }[];
  removedBlocks: readonly number[];
  letters: readonly FoundLetter[];
  removedLetters: readonly number[];
  /** Cursors of devices that no block of this transaction speaks of. */
  cursors: ReadonlyMap<string, number>;
  /** The outboxes of devices that have a new one, or of whose numbers no block speaks. */
  outboxes: ReadonlyMap<string, OutboxRecord>;
  /** An entry of the dedupe log (dedupe-log.ts), new or written again; null when there is none. */
  contents: { id: number; bytes: Buffer } | null;
  removedContents: readonly number[];
  /** A new snapshot of the device cursors; it replaces the one before, all single cursors and records of outboxes. */
  snapshot: Buffer | null;
}

/** The reading half of a journal's files. */
export interface Reads {
  /** The block with the largest first position that is not above `position`. A copy, in `memory` where there is one. */
  blockAt(position: number, memory?: BlockMemory): { first: number; bytes: Buffer } | undefined;
  /** Headers of the blocks from the one that holds `position` on, in order. */
  infos(position: number): Iterable<BlockInfo>;
  snapshot(): Buffer | undefined;
  cursors(): Iterable<{ device: string; seq: number }>;
  outboxes(): Iterable<{ device: string; record: OutboxRecord }>;
  /** Entries of the dedupe log in order, from an id on. */
  contents(from: number): Iterable<{ id: number; bytes: Buffer }>;
  /** Undefined for a damaged record, too. */
  letter(id: number): StoredLetter | undefined;
  /** In the order of their ids, from one on. */
  lettersFrom(from: number): Iterable<WalkedLetter>;
  /** Newest first, with ids below `before`; damaged records are passed over. */
  letters(before: number, limit: number): FoundLetter[];
  close(): Promise<void>;
}

/** All access of the local journal to its disk, so narrow that faults can be put in between. */
export interface Storage extends Reads {
  readonly epoch: string;
  /** The state as it was found when opening, the last time that was. */
  readonly state: JournalState;
  /**
   * Resolves when the change is synced to disk. One at a time. After a rejection nothing can be committed nor
   * is known of it until `reopen`: as a rule nothing of it is there.
   */
  commit(change: Change): Promise<void>;
  /**
   * After a failed commit: opens the files anew and reads the state from them; what they say counts. Writes
   * nothing but what is there. Throws when that does not work, `data_dir_gone` too, and may be called again; `data_dir_in_use` when
   * another process has become the writer, for good.
   */
  reopen(): Promise<void>;
  /** Resolves when so many bytes have been written, synced and removed again: there is room for as many. */
  probe(bytes: number): Promise<void>;
  /** Throws `data_dir_gone` when the files are not the ones any more that the next start will find. */
  look(): void;
  /** Frees what readers in processes that died still hold; see Leader.forgetDeadReaders. */
  forgetDeadReaders(): void;
}
