import { MillraceError } from '../../core/index.ts';
import type { BlockMemory } from '../block-memory.ts';
import type {
  DeadLetter,
  RejectedFrame,
  Journal,
  JournalBlock,
  JournalStats,
  Ledger,
  Origin,
  OutboxLife,
  ReplayedLetter,
  Settlement,
} from '../journal.ts';
import { Admission, guard } from './commit/admission.ts';
import { committedBlock } from './read/block-reader.ts';
import { findLetter, listLetters } from './commit/dead-letters.ts';
import type { OpenEntry } from './dedupe/dedupe-log.ts';
import { FileLooks } from './recover/file-looks.ts';
import { Flushes } from './commit/flushes.ts';
import type { Leader } from './read/follower.ts';
import { Incoming } from './commit/incoming.ts';
import { OldestPending } from './read/oldest-pending.ts';
import { failureOf, Recovery } from './recover/recovery.ts';
import { type PendingReplay, ReplayedLetters } from './commit/replay.ts';
import { Requests } from './commit/requests.ts';
import { checkNotBack, type Memory, restoreMemory } from './recover/restore.ts';
import type { JournalSettings } from './commit/settings.ts';
import { expiredTo, isDue, type PendingSettlement } from './commit/settlement.ts';
import { type JournalState, ledgerOf } from './format/state.ts';
import type { Storage } from './lmdb/storage.ts';
import { buildTransaction, closingChange, type SealedBatch, type Transaction } from './commit/transaction.ts';

/**
 * Takes frames into a batch, seals it by size or age, and writes what is sealed in one transaction after the
 * other. One transaction is under way at a time and takes along all that gathered during the one before:
 * under load commits grow instead of queueing, and after a failed one nothing younger can be on disk.
 */
export class LmdbJournal implements Journal, Leader {
  readonly epoch: string;
  readonly #storage: Storage;
  readonly #settings: JournalSettings;
  readonly #admission: Admission;
  readonly #oldestPending: OldestPending;
  readonly #requests = new Requests();
  readonly #replayedLetters = new ReplayedLetters();
  readonly #flushes = new Flushes();
  readonly #recovery: Recovery;
  readonly #upkeepTimer: NodeJS.Timeout;
  readonly #looks: FileLooks;
  #memory: Memory;
  #incoming: Incoming;
  #state: JournalState;
  #failure: MillraceError | null = null;
  /** The dedupe log's last entry. */
  #openEntry: OpenEntry | null = null;
  /** Blocks before it go: frames were expired up to there. */
  #dropTo = 0;
  /** What is due by age alone is to be looked for. */
  #upkeepDue = false;
  /** A transaction is under way. */
  #busy = false;
  #running = Promise.resolve();
  readonly #commitListeners = new Set<(head: number) => void>();

  constructor(storage: Storage, memory: Memory, settings: JournalSettings) {
    this.epoch = storage.epoch;
    this.#storage = storage;
    this.#settings = settings;
    this.#memory = memory;
    this.#oldestPending = new OldestPending(storage);
    this.#admission = new Admission(settings);
    this.#state = storage.state;
    this.#incoming = this.#newIncoming();
    this.#recovery = new Recovery(
      settings,
      () => this.#recover(),
      (failure) => {
        this.#failure = failure;
      },
    );
    this.#updateAdmission();
    this.#upkeepTimer = setInterval(() => this.#upkeep(), settings.upkeepMs).unref();
    this.#looks = new FileLooks(storage, settings, () => this.#lookIdle());
  }

  state(): JournalState {
    return this.#state;
  }

  forgetDeadReaders(): void {
    this.#storage.forgetDeadReaders();
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

  get devices(): Memory['cursors'] {
    return this.#memory.cursors;
  }

  deviceSeq(device: string, outbox: OutboxLife | null = null): number {
    return this.#memory.cursors.durable(device, outbox);
  }

  outbox(device: string, id: string): OutboxLife {
    return this.#memory.cursors.outboxes.recall(device, id, this.epoch);
  }

  givenUp(): { from: number; to: number } {
    return this.#state.givenUp;
  }

  ledger(): Ledger {
    return ledgerOf(this.#state);
  }

  accepting(): boolean {
    return this.#admission.accepting;
  }

  append(
    origin: Origin,
    seq: number,
    bytes: Uint8Array,
    readings: number,
    arrivalMs: number,
    content: string | null = null,
  ): boolean {
    if (this.#failure !== null) {
      origin.onFailed();
      return true;
    }
    const batch = this.#incoming.open(!this.#busy);
    // The arrival is the wall clock's, which may jump.
    const contentMs = content === null ? 0 : this.#settings.clock.nowMs();
    const fresh = batch.append(origin, seq, bytes, readings, Math.trunc(arrivalMs), content, contentMs);
    if (!fresh && content !== null) origin.onDuplicate?.();
    if (batch.builder.length >= this.#settings.blockBytes) this.#sealNow();
    return fresh;
  }

  reject(origin: Origin, seq: number, letter: RejectedFrame): void {
    if (this.#failure !== null) {
      origin.onFailed();
      return;
    }
    const batch = this.#incoming.open(!this.#busy);
    batch.reject(origin, seq, letter);
    if (batch.hasLetters(this.#settings.blockBytes)) this.#sealNow();
  }

  async flush(): Promise<void> {
    if (this.#failure !== null) throw this.#failure;
    if (this.#flushes.done) return;
    const flushed = this.#flushes.wait();
    this.#run();
    await flushed;
  }

  read(position: number, memory?: BlockMemory): JournalBlock | undefined {
    return committedBlock(position, this.#state, this.#storage, memory);
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
    if (!isDue(settlement, this.#state)) return;
    const settled = this.#requests.settle(settlement);
    this.#run();
    await settled;
  }

  deadLetters(limit: number, before?: string): DeadLetter[] {
    return listLetters(this.#storage, this.#state.letters, limit, before);
  }

  deadLetter(id: string): DeadLetter | undefined {
    return findLetter(this.#storage, this.#state.letters, id);
  }

  async replay(letters: readonly ReplayedLetter[]): Promise<Map<string, number | null>> {
    if (this.#failure !== null) throw this.#failure;
    const replayed = this.#requests.replay(letters);
    this.#run();
    return replayed;
  }

  stats(): JournalStats {
    const reason = this.#failure?.message ?? this.#admission.reason;
    return {
      state: this.#admission.phase,
      bytes: this.#state.blockBytes,
      pendingBytes: this.#state.pendingBytes,
      maxBytes: this.#settings.maxBytes,
      oldestPendingMs: this.#oldestPending.arrivalMs(this.#state),
      queuedBytes: this.#incoming.bytes,
      lettersDropped: this.#state.letters.dropped,
      ackedLettersDropped: this.#state.letters.droppedAcked,
      ...(reason === null ? {} : { reason }),
    };
  }

  async close(): Promise<void> {
    clearInterval(this.#upkeepTimer);
    this.#looks.stop();
    await this.#recovery.stop();
    try {
      if (this.#failure === null) {
        await this.flush();
        await this.#running;
        this.#failure = new MillraceError('journal_failed', 'the journal is closed');
        // Makes the next opening fast: nothing is left to replay.
        const change = closingChange(this.#state, this.#memory.cursors);
        if (change !== null) await this.#storage.commit(change);
      }
    } finally {
      await this.#storage.close();
    }
  }

  #sealNow(): void {
    this.#incoming.seal();
    this.#run();
    this.#updateAdmission();
  }

  #run(): void {
    if (this.#busy) return;
    this.#busy = true;
    this.#running = this.#commitAll();
  }

  async #commitAll(): Promise<void> {
    let more = false;
    for (;;) {
      if (!this.#incoming.full || this.#requests.hasReplays) this.#incoming.seal();
      const replay = this.#requests.sealReplay(
        this.#incoming,
        this.#state.letters,
        this.#storage,
        this.#settings.stamps.nowMs(),
      );
      if (!this.#incoming.hasSealed && !this.#requests.hasSettlements && !more && !this.#upkeepDue) break;
      this.#upkeepDue = false;
      const settlements = this.#requests.takeSettlements();
      for (const { settlement } of settlements) this.#dropTo = Math.max(this.#dropTo, expiredTo(settlement));
      // What a replay reads of the storage holds for the next transaction only.
      const batches = this.#incoming.take(replay !== null);
      let transaction;
      try {
        transaction = buildTransaction(
          this.#state,
          batches,
          settlements.map(({ settlement }) => settlement),
          {
            storage: this.#storage,
            memory: this.#memory,
            replayedLetters: this.#replayedLetters.byPosition,
            openEntry: this.#openEntry,
            dropTo: this.#dropTo,
            settings: this.#settings,
          },
        );
        if (!transaction.empty) await this.#storage.commit(transaction.change);
        // What it looked through in vain took its time, too.
        else if (transaction.more) await new Promise((resolve) => setImmediate(resolve));
        // What is synced counts only where the next start finds it.
        this.#looks.lookWhenDue();
      } catch (error) {
        this.#fail(error, batches, settlements, replay);
        break;
      }
      this.#apply(transaction, batches, settlements, replay);
      this.#flushes.durable(batches.length);
      more = transaction.more;
    }
    // At once, not in a continuation: what is taken from here on starts the next run.
    this.#busy = false;
  }

  /** While commits follow each other, they look. */
  #lookIdle(): void {
    if (this.#failure !== null || this.#busy) return;
    try {
      this.#looks.lookWhenDue();
    } catch (error) {
      this.#fail(error, [], [], null);
    }
  }

  /** Looks for what is due by age alone, for which no traffic may come. */
  #upkeep(): void {
    if (this.#failure !== null) return;
    this.#memory.window.sweep(this.#settings.clock.nowMs());
    this.#incoming.shrink();
    this.#updateAdmission();
    this.#upkeepDue = true;
    this.#run();
  }

  #apply(
    transaction: Transaction,
    batches: readonly SealedBatch[],
    settlements: readonly PendingSettlement[],
    replay: PendingReplay | null,
  ): void {
    const { change } = transaction;
    const grown = change.state.head > this.#state.head;
    this.#state = change.state;
    this.#openEntry = transaction.openEntry;
    this.#replayedLetters.update(replay?.known ?? new Map<number, never>(), change.state.settled);
    this.#incoming.written(batches);
    for (const cursor of transaction.cursors) cursor.durable = cursor.committing;
    this.#updateAdmission();
    for (const pending of settlements) pending.resolve();
    replay?.resolve();
    for (const [origin, { lastSeq, frameBytes, arrivalMs }] of transaction.origins) {
      guard(() => origin.onDurable(lastSeq, frameBytes, arrivalMs));
    }
    if (grown) for (const listener of this.#commitListeners) guard(() => listener(change.state.head));
  }

  /** Nothing of what was taken and not yet told durable will be acknowledged. */
  #fail(
    error: unknown,
    batches: readonly SealedBatch[],
    settlements: readonly PendingSettlement[],
    replay: PendingReplay | null,
  ): void {
    this.#failure = failureOf(error);
    const lost = new Set<Origin>();
    for (const { batch } of [...batches, ...this.#incoming.reset(this.#state.head)])
      for (const { origin } of batch.slots) lost.add(origin);
    const waiting = [...settlements, ...(replay === null ? [] : [replay]), ...this.#requests.takeAll()];
    this.#updateAdmission();
    for (const pending of waiting) pending.reject(this.#failure);
    this.#flushes.fail(this.#failure);
    for (const origin of lost) guard(() => origin.onFailed());
    this.#recovery.failed(error);
  }

  /** Opens the files anew and goes on from what they say. Rejects where a block's worth of bytes cannot be synced. */
  async #recover(): Promise<void> {
    const storage = this.#storage;
    this.#settings.alsoLook();
    await storage.reopen();
    const { head } = storage.state;
    checkNotBack(head, this.#state.head);
    const memory = restoreMemory(storage, this.#settings);
    await storage.probe(this.#settings.blockBytes);
    const grown = head > this.#state.head;
    this.#memory = memory;
    this.#state = storage.state;
    this.#openEntry = null;
    this.#incoming = this.#newIncoming();
    this.#failure = null;
    this.#updateAdmission();
    if (grown) for (const listener of this.#commitListeners) guard(() => listener(head));
  }

  #newIncoming(): Incoming {
    return new Incoming(this.#state.head, {
      memory: this.#memory,
      flushes: this.#flushes,
      settings: this.#settings,
      onDelay: () => this.#run(),
    });
  }

  #updateAdmission(): void {
    const { maxAgeMs, clock } = this.#settings;
    this.#admission.update({
      failed: this.#failure !== null,
      blockBytes: this.#state.blockBytes,
      pendingBytes: this.#state.pendingBytes,
      queuedBytes: this.#incoming.bytes,
      pendingAgeMs: maxAgeMs === null ? 0 : this.#oldestPending.ageMs(this.#state, clock.nowMs()),
    });
  }
}
