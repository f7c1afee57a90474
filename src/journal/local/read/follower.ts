import type { BlockMemory } from '../../block-memory.ts';
import type {
  DeadLetter,
  FollowedJournal,
  JournalBlock,
  JournalStats,
  Ledger,
  Settlement,
} from '../../journal.ts';
import { committedBlock } from './block-reader.ts';
import { listLetters } from '../commit/dead-letters.ts';
import { openReads, type LmdbReads } from '../lmdb/lmdb-reads.ts';
import { OldestPending } from './oldest-pending.ts';
import { type JournalState, ledgerOf } from '../format/state.ts';

/** What the process that writes a journal has for its followers. */
export interface Leader {
  /** The journal's state as it is on disk. */
  state(): JournalState;
  /** Frees what followers that have died still hold in the files. */
  forgetDeadReaders(): void;
}

export interface FollowerOptions {
  /** The journal's folder. */
  dir: string;
  /** The most bytes that the journal may have, from its settings. */
  maxBytes: number;
  epoch: string;
  /** The writing process's state, as it was on disk when told. */
  state: JournalState;
  /** Has the writing process settle, and resolves with its state then. */
  settle(settlement: Settlement): Promise<JournalState>;
}

/** The journal of another process: frames are read from its files, as far as it has told that they are synced. */
export class JournalFollower implements FollowedJournal {
  readonly epoch: string;
  readonly #options: FollowerOptions;
  readonly #reads: LmdbReads;
  readonly #oldestPending: OldestPending;
  readonly #listeners = new Set<(head: number) => void>();
  #state: JournalState;

  /** Throws what lmdb throws where the files cannot be opened. */
  constructor(options: FollowerOptions) {
    this.#options = options;
    this.epoch = options.epoch;
    this.#state = options.state;
    this.#reads = openReads(options.dir, options.maxBytes);
    this.#oldestPending = new OldestPending(this.#reads);
  }

  /** The writing process tells where it is. States may come late, and are passed over then. */
  update(state: JournalState): void {
    const { head, settled } = this.#state;
    if (state.head < head || state.settled < settled) return;
    this.#reads.refresh();
    this.#state = state;
    if (state.head > head) for (const listener of this.#listeners) listener(state.head);
  }

  head(): number {
    return this.#state.head;
  }

  tail(): number {
    return this.#state.tail;
  }

  settledPosition(): number {
    return this.#state.settled;
  }

  givenUp(): { from: number; to: number } {
    return this.#state.givenUp;
  }

  ledger(): Ledger {
    return ledgerOf(this.#state);
  }

  stats(): Pick<
    JournalStats,
    'bytes' | 'pendingBytes' | 'maxBytes' | 'oldestPendingMs' | 'ackedLettersDropped'
  > {
    return {
      bytes: this.#state.blockBytes,
      pendingBytes: this.#state.pendingBytes,
      maxBytes: this.#options.maxBytes,
      oldestPendingMs: this.#oldestPending.arrivalMs(this.#state),
      ackedLettersDropped: this.#state.letters.droppedAcked,
    };
  }

  read(position: number, memory?: BlockMemory): JournalBlock | undefined {
    return committedBlock(position, this.#state, this.#reads, memory);
  }

  deadLetters(limit: number, before?: string): DeadLetter[] {
    return listLetters(this.#reads, this.#state.letters, limit, before);
  }

  onCommit(listener: (head: number) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async settle(settlement: Settlement): Promise<void> {
    this.update(await this.#options.settle(settlement));
  }

  async close(): Promise<void> {
    await this.#reads.close();
  }
}
