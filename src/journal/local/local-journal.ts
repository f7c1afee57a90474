import { type Clock, messageOf, MillraceError } from '../../core/index.ts';
import type {
  DeadLetter,
  DeadLetterInput,
  Journal,
  JournalBlock,
  JournalStats,
  Ledger,
  Origin,
  ReplayedLetter,
  Settlement,
} from '../journal.ts';
import { Admission, guard } from './admission.ts';
import { Batch } from './batch.ts';
import { CommittedBlock, openBlock } from './block.ts';
import { deadLetter, parseLetterId } from './dead-letters.ts';
import type { DeviceCursors } from './device-cursors.ts';
import { RecentBlocks } from './recent-blocks.ts';
import { type JournalState, ledgerOf } from './state.ts';
import type { Storage } from './storage.ts';
import { buildTransaction, closingChange, type SealedBatch, type Transaction } from './transaction.ts';
import type { TrimLimits } from './trim.ts';

export interface JournalSettings extends TrimLimits {
  maxDeadLetters: number;
  maxDeadLetterBytes: number;
  /** A block is sealed at this many bytes … */
  blockBytes: number;
  /** … or this long after its first frame. */
  blockDelayMs: number;
  /** Bytes that may wait for the disk before `accepting()` is false. */
  queueBytes: number;
  snapshotBytes: number;
  recentBytes: number;
  clock: Clock;
}

/** A journal in this process's own files. */
export interface LocalJournal extends Journal {
  /** Called when `accepting()` or the state changes. Returns the way to stop it. */
  onStateChange(listener: (state: JournalStats['state'], accepting: boolean) => void): () => void;
}

interface PendingSettlement {
  settlement: Settlement;
  resolve: () => void;
  reject: (error: unknown) => void;
}

interface Flush {
  /** How many batches must be on disk. */
  batches: number;
  resolve: () => void;
  reject: (error: unknown) => void;
}

/**
 * Takes frames into a batch, seals it by size or age, and writes what is sealed in one transaction after the
 * other. One transaction is under way at a time and takes along all that gathered during the one before:
 * under load commits grow instead of queueing, and after a failed one nothing younger can be on disk.
 */
export class LmdbJournal implements LocalJournal {
  readonly epoch: string;
  readonly #storage: Storage;
  readonly #settings: JournalSettings;
  readonly #cursors: DeviceCursors;
  readonly #recent: RecentBlocks;
  readonly #admission: Admission;
  #state: JournalState;
  #failure: MillraceError | null = null;

  #batch: Batch | null = null;
  #sealed: SealedBatch[] = [];
  #settlements: PendingSettlement[] = [];
  #flushes: Flush[] = [];
  /** Batches opened and batches on disk, since opening. */
  #batchesOpened = 0;
  #batchesDurable = 0;
  /** A transaction is under way. */
  #busy = false;
  #running = Promise.resolve();
  /** Position of the next frame taken. */
  #nextFirst: number;
  /** Bytes sealed or under way. */
  #sealedBytes = 0;
  #lastBlockBytes = 0;
  #sealTimer: NodeJS.Timeout | null = null;
  #oldestPending: { settled: number; arrivalMs: number } | null = null;
  readonly #commitListeners = new Set<(head: number) => void>();

  constructor(storage: Storage, cursors: DeviceCursors, settings: JournalSettings) {
    this.epoch = storage.epoch;
    this.#storage = storage;
    this.#settings = settings;
    this.#cursors = cursors;
    this.#recent = new RecentBlocks(settings.recentBytes);
    this.#admission = new Admission(settings);
    this.#state = storage.state;
    this.#nextFirst = this.#state.head;
    this.#updateAdmission();
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

  deviceSeq(device: string): number {
    return this.#cursors.durable(device);
  }

  ledger(): Ledger {
    return ledgerOf(this.#state);
  }

  accepting(): boolean {
    return this.#admission.accepting;
  }

  append(origin: Origin, seq: number, bytes: Uint8Array, readings: number, arrivalMs: number): boolean {
    if (this.#failure !== null) {
      origin.onFailed();
      return true;
    }
    const batch = this.#batch ?? this.#openBatch();
    const fresh = batch.append(origin, seq, bytes, readings, Math.trunc(arrivalMs));
    if (batch.builder.length >= this.#settings.blockBytes) this.#sealNow(batch);
    return fresh;
  }

  reject(origin: Origin, seq: number, letter: DeadLetterInput): void {
    if (this.#failure !== null) {
      origin.onFailed();
      return;
    }
    const batch = this.#batch ?? this.#openBatch();
    batch.reject(origin, seq, letter);
    if (batch.letterBytes >= this.#settings.blockBytes) this.#sealNow(batch);
  }

  async flush(): Promise<void> {
    if (this.#failure !== null) throw this.#failure;
    if (this.#batchesDurable === this.#batchesOpened) return;
    await new Promise<void>((resolve, reject) => {
      this.#flushes.push({ batches: this.#batchesOpened, resolve, reject });
      this.#run();
    });
  }

  read(position: number): JournalBlock | undefined {
    const { head, tail } = this.#state;
    if (position >= head) return undefined;
    if (position < tail) throw expired(position, tail);
    const recent = this.#recent.find(position);
    if (recent !== undefined) return recent;
    const found = this.#storage.blockAt(position);
    // Trimmed by a transaction that is on disk but not yet told.
    if (found === undefined) throw expired(position, tail);
    const block = openBlock(found.bytes, found.first);
    if (position >= block.next) {
      throw new MillraceError('journal_corrupt', `the journal has no block with position ${position}`);
    }
    return block;
  }

  onCommit(listener: (head: number) => void): () => void {
    this.#commitListeners.add(listener);
    return () => this.#commitListeners.delete(listener);
  }

  onStateChange(listener: (state: JournalStats['state'], accepting: boolean) => void): () => void {
    return this.#admission.onChange(listener);
  }

  async settle(settlement: Settlement): Promise<void> {
    if (this.#failure !== null) throw this.#failure;
    if (settlement.position > this.#state.head) {
      throw new MillraceError(
        'internal',
        `position ${settlement.position} cannot be settled: nothing is there yet`,
      );
    }
    await new Promise<void>((resolve, reject) => {
      this.#settlements.push({ settlement, resolve, reject });
      this.#run();
    });
  }

  deadLetters(limit: number, before?: string): DeadLetter[] {
    const { oldest, next } = this.#state.letters;
    const end = Math.min(before === undefined ? next : parseLetterId(before), next);
    const found = this.#storage.letters(end, limit);
    return found.filter(({ id }) => id >= oldest).map(({ id, letter }) => deadLetter(id, letter));
  }

  deadLetter(id: string): DeadLetter | undefined {
    const number = parseLetterId(id);
    const letter = this.#storage.letter(number);
    return letter === undefined || number < this.#state.letters.oldest
      ? undefined
      : deadLetter(number, letter);
  }

  replay(_letters: readonly ReplayedLetter[]): Promise<Map<string, number | null>> {
    return Promise.reject(new MillraceError('internal', 'not built yet'));
  }

  stats(): JournalStats {
    return {
      state: this.#admission.phase,
      bytes: this.#state.blockBytes,
      pendingBytes: this.#state.pendingBytes,
      maxBytes: this.#settings.maxBytes,
      oldestPendingMs: this.#oldestPendingMs(),
      queuedBytes: this.#queuedBytes(),
      ...(this.#failure === null ? {} : { reason: this.#failure.message }),
    };
  }

  async close(): Promise<void> {
    try {
      if (this.#failure === null) {
        await this.flush();
        await this.#running;
        this.#failure = new MillraceError('journal_failed', 'the journal is closed');
        // Makes the next opening fast: nothing is left to replay.
        const change = closingChange(this.#state, this.#cursors);
        if (change !== null) await this.#storage.commit(change);
      }
    } finally {
      await this.#storage.close();
    }
  }

  #openBatch(): Batch {
    const capacity = Math.min(Math.max(4_096, 1.25 * this.#lastBlockBytes), 1.25 * this.#settings.blockBytes);
    this.#batch = new Batch(this.#nextFirst, Math.ceil(capacity), this.#cursors);
    this.#batchesOpened++;
    // While a transaction is under way the batch waits for its end; else for company.
    if (!this.#busy) this.#sealTimer = setTimeout(() => this.#run(), this.#settings.blockDelayMs);
    return this.#batch;
  }

  #sealNow(batch: Batch): void {
    this.#seal(batch);
    this.#run();
    this.#updateAdmission();
  }

  #seal(batch: Batch): void {
    if (this.#sealTimer !== null) clearTimeout(this.#sealTimer);
    this.#sealTimer = null;
    this.#batch = null;
    this.#sealedBytes += batch.bytes;
    const block = batch.builder.frames > 0 ? batch.builder.finish() : null;
    if (block !== null) this.#lastBlockBytes = block.length;
    this.#nextFirst += batch.builder.frames;
    this.#sealed.push({ batch, block });
  }

  #run(): void {
    if (this.#busy) return;
    this.#busy = true;
    this.#running = this.#commitAll();
  }

  async #commitAll(): Promise<void> {
    let more = false;
    for (;;) {
      if (this.#batch !== null) this.#seal(this.#batch);
      if (this.#sealed.length === 0 && this.#settlements.length === 0 && !more) break;
      const settlements = this.#settlements;
      this.#settlements = [];
      const batches = this.#sealed;
      this.#sealed = [];
      let transaction;
      try {
        transaction = buildTransaction(
          this.#state,
          batches,
          settlements.map(({ settlement }) => settlement),
          { storage: this.#storage, cursors: this.#cursors, settings: this.#settings },
        );
        await this.#storage.commit(transaction.change);
      } catch (error) {
        this.#fail(error, batches, settlements);
        break;
      }
      this.#apply(transaction, settlements);
      this.#batchesDurable += batches.length;
      this.#tellFlushed();
      more = transaction.more;
    }
    // At once, not in a continuation: what is taken from here on starts the next run.
    this.#busy = false;
  }

  #tellFlushed(): void {
    while ((this.#flushes[0]?.batches ?? Number.POSITIVE_INFINITY) <= this.#batchesDurable) {
      this.#flushes.shift()?.resolve();
    }
  }

  #apply(transaction: Transaction, settlements: readonly PendingSettlement[]): void {
    const { change } = transaction;
    const grown = change.state.head > this.#state.head;
    this.#state = change.state;
    this.#sealedBytes -= transaction.bytes;
    for (const { bytes } of change.blocks) this.#recent.push(new CommittedBlock(bytes));
    for (const cursor of transaction.cursors) cursor.durable = cursor.committing;
    this.#updateAdmission();
    for (const pending of settlements) pending.resolve();
    for (const [origin, seq] of transaction.origins) guard(() => origin.onDurable(seq));
    if (grown) for (const listener of this.#commitListeners) guard(() => listener(change.state.head));
  }

  /** Nothing of what was taken and not yet told durable will be acknowledged. */
  #fail(error: unknown, batches: readonly SealedBatch[], settlements: readonly PendingSettlement[]): void {
    this.#failure = new MillraceError(
      'journal_failed',
      `the journal cannot be written: ${messageOf(error)}`,
      {
        cause: error,
      },
    );
    if (this.#batch !== null) this.#seal(this.#batch);
    const lost = new Set<Origin>();
    for (const { batch } of [...batches, ...this.#sealed])
      for (const { origin } of batch.slots) lost.add(origin);
    const waiting = [...settlements, ...this.#settlements, ...this.#flushes];
    this.#sealed = [];
    this.#settlements = [];
    this.#flushes = [];
    this.#sealedBytes = 0;
    this.#updateAdmission();
    for (const pending of waiting) pending.reject(this.#failure);
    for (const origin of lost) guard(() => origin.onFailed());
  }

  #queuedBytes(): number {
    return this.#sealedBytes + (this.#batch?.bytes ?? 0);
  }

  #updateAdmission(): void {
    this.#admission.update({
      failed: this.#failure !== null,
      blockBytes: this.#state.blockBytes,
      queuedBytes: this.#queuedBytes(),
    });
  }

  #oldestPendingMs(): number | null {
    const { settled, head } = this.#state;
    if (settled >= head) return null;
    if (this.#oldestPending?.settled !== settled) {
      const found = this.#recent.find(settled) ?? firstOf(this.#storage.infos(settled));
      if (found === undefined) return null;
      this.#oldestPending = { settled, arrivalMs: found.arrivalMs };
    }
    return this.#oldestPending.arrivalMs;
  }
}

function expired(position: number, tail: number): MillraceError {
  return new MillraceError('cursor_expired', `position ${position} is gone: the oldest kept is ${tail}`);
}

function firstOf<T>(items: Iterable<T>): T | undefined {
  for (const item of items) return item;
  return undefined;
}
