import { LIMITS, messageOf, Slice, steadyClock } from '../core/index.ts';
import { BlockMemory } from '../journal/index.ts';
import type { SchemaLookup } from '../registry/index.ts';
import type { StorePosition } from '../store/index.ts';
import { backoffMs } from './backoff.ts';
import { WriteBatch } from './batch.ts';
import { Bell } from './bell.ts';
import { ColumnPool } from './column-pool.ts';
import { Delivery, type DeliveryOptions } from './delivery.ts';
import { fill, waitsMs } from './fill.ts';
import { type Hole, type Holes, passedOver } from './holes.ts';
import { Isolation } from './isolation.ts';
import { resume } from './resume.ts';
import { backlogOf, type WriterStatus } from './status.ts';
import { Evidence, otherFrame, type Suspects } from './suspects.ts';

/** First wait after what is not the store's fault, in milliseconds. */
const FAULT_BASE_MS = 500;

export interface WriterOptions extends DeliveryOptions {
  registry: SchemaLookup;
  holes: Holes;
  /** Frames at which processes before this one ended; null for none. */
  suspects: Suspects | null;
}

/**
 * Moves frames from the journal to the store, in order: gathers a batch by size and age, writes it until the store
 * has it, then settles it in the journal. While one batch is written the next one is decoded, and no more: what
 * waits is in the journal. It never skips a frame, and gives none up but by the limit that the operator chose.
 */
export class Writer {
  readonly #options: WriterOptions;
  readonly #delivery: Delivery;
  readonly #bell = new Bell();
  readonly #pool = new ColumnPool();
  readonly #isolation: Isolation;
  readonly #evidence: Evidence;
  /** Trials with other frames so far; see otherFrame(). */
  #trials: number;
  /** Memory for the block that a batch is being filled from; only one batch is filled at a time. */
  readonly #memory = new BlockMemory();
  /** Where the oldest batch begins that the store has not taken. */
  #from = 0;
  /** What the store must be told before the first batch. */
  #reset: StorePosition | null = null;
  /** Until when the store may still be waited for, on the steady clock; stop() sets it. */
  #stopAtMs: number | null = null;
  #running: Promise<void> = Promise.resolve();
  #unsubscribe: () => void = () => {};
  #fault: string | null = null;
  #faults = 0;
  #state: WriterStatus['state'] = 'running';
  #sinceMs: number;

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#delivery = new Delivery(options);
    this.#isolation = new Isolation(options.suspects?.to);
    this.#evidence = new Evidence(options.suspects);
    this.#trials = options.suspects?.trials ?? 0;
    this.#sinceMs = options.clock.nowMs();
  }

  /** Brings the journal's record up to what the store remembers, then goes on from there. */
  async start(): Promise<void> {
    const { journal, store, logger, holes } = this.#options;
    const settled = journal.settledPosition();
    const { position, reset, holes: found } = await resume(journal, store);
    this.#from = position;
    this.#writeDown(found);
    const alarm = holes.alarm();
    if (alarm !== null) logger.error({ position }, alarm);
    if (position < settled)
      logger.warn({ from: position, to: settled }, 'the store is behind: frames are written to it again');
    if (reset !== null && !(await this.#delivery.reset(reset))) this.#reset = reset;
    this.#unsubscribe = journal.onCommit(() => this.#bell.ring());
    this.#running = this.#runForEver();
  }

  /** Writes what the journal holds and ends; what the store has not taken after `graceMs` stays there. */
  async stop(graceMs: number): Promise<void> {
    this.#stopAtMs = steadyClock.nowMs() + graceMs;
    this.#bell.ring();
    await this.#running;
    this.#unsubscribe();
  }

  /** Frames before it have been taken by the store, or were given up. */
  get position(): number {
    return this.#from;
  }

  /** See Delivery.busyMs. */
  busyMs(): number {
    return this.#delivery.busyMs();
  }

  status(): WriterStatus {
    const { journal, clock, holes } = this.#options;
    const { circuit, reason } = this.#delivery;
    const waiting = circuit.failures > 0;
    return {
      state: this.#note(),
      circuit: circuit.state,
      reason: this.#fault ?? reason,
      retryInMs: waiting ? Math.round(circuit.retryInMs()) : null,
      sinceMs: this.#sinceMs,
      ...backlogOf(journal, clock.nowMs()),
      alarm: holes.alarm(),
      endedInARow: 0,
      storeMissingFrames: holes.frames('store'),
      journalMissingFrames: holes.frames('journal'),
    };
  }

  /** The state now; remembers since when. */
  #note(): WriterStatus['state'] {
    const state =
      this.#fault !== null ? 'failed' : this.#delivery.circuit.failures > 0 ? 'waiting' : 'running';
    if (state !== this.#state) {
      this.#state = state;
      this.#sinceMs = this.#options.clock.nowMs();
    }
    return state;
  }

  /** What stops the writer must not stop ingest: it is told, and tried again after a while. */
  async #runForEver(): Promise<void> {
    const { logger, random } = this.#options;
    for (;;) {
      try {
        await this.#run();
        return;
      } catch (error) {
        this.#options.onFailure('internal');
        this.#fault = messageOf(error);
        this.#note();
        logger.error({ err: error, position: this.#from }, `the writer cannot go on: ${this.#fault}`);
        await this.#pause(backoffMs(this.#faults++, FAULT_BASE_MS, LIMITS.storeRetryMaxMs, random));
        if (this.#stopAtMs !== null) return;
      }
    }
  }

  async #run(): Promise<void> {
    const { journal } = this.#options;
    const { pace } = this.#delivery;
    // Frames that are written again may have made room meanwhile.
    this.#goOnFrom(Math.max(this.#from, journal.tail()));
    let batch = this.#batchFrom(this.#from);
    for (;;) {
      if (this.#overdue(0)) return;
      const full = await fill(batch, journal, pace, steadyClock, this.#memory);
      if (this.#stopAtMs === null) {
        const leftMs = full ? 0 : waitsMs(batch, pace, steadyClock);
        if (leftMs === null || leftMs > 0) {
          await this.#bell.wait(leftMs);
          continue;
        }
      } else if (batch.empty) {
        return;
      }
      const ahead = this.#batchFrom(batch.next);
      // What fails here is met again when the batch's turn comes.
      const filling =
        full && !this.#isolation.isSearching(batch.first)
          ? fill(ahead, journal, pace, steadyClock, this.#memory, new Slice(LIMITS.aheadSliceMs)).catch(
              () => false,
            )
          : null;
      let end;
      try {
        end = await this.#deliver(batch);
      } finally {
        await filling;
      }
      if (end === 'stopped') return;
      if (end === 'taken') {
        batch.release();
        batch = ahead;
        this.#from = batch.first;
      } else {
        if (end === 'expired') this.#goOnFrom(journal.settledPosition());
        batch = this.#batchFrom(this.#from);
      }
    }
  }

  /** Throws where a hole on the way there cannot be written down. */
  #goOnFrom(position: number): void {
    const found = passedOver(this.#options.journal, this.#from, position);
    this.#writeDown(found);
    if (found.length > 0) this.#options.logger.error({ position }, this.#options.holes.alarm() ?? '');
    this.#from = position;
  }

  #writeDown(found: readonly Hole[]): void {
    for (const hole of found) this.#options.holes.add(hole, this.#options.clock.nowMs());
  }

  #batchFrom(first: number): WriteBatch {
    return new WriteBatch(this.#options.registry, first, this.#pool, this.#isolation.maxFramesFrom(first));
  }

  /**
   * `taken`: the store has the batch, and it is settled. `refused`: a smaller one is to be tried. `expired`: frames at
   * the journal's old end were given up, and the batch with them. `stopped`: the stop's grace ran out first.
   */
  async #deliver(batch: WriteBatch): Promise<'taken' | 'refused' | 'expired' | 'stopped'> {
    const { circuit } = this.#delivery;
    for (;;) {
      if (await this.#delivery.expire()) return 'expired';
      const waitMs = circuit.retryInMs();
      if (circuit.failures > 0 && this.#overdue(waitMs)) return 'stopped';
      if (waitMs > 0) {
        // A commit ends it, which may be the one that makes an expiry due.
        await this.#bell.wait(waitMs);
        continue;
      }
      if (this.#reset !== null) {
        if (await this.#delivery.reset(this.#reset)) this.#reset = null;
      } else {
        const { frames, first, next } = batch;
        const proven = frames === 1 && (await this.#judge(batch));
        const end = await this.#delivery.write(batch, proven);
        if (end === 'taken') {
          this.#isolation.taken();
          this.#fault = null;
          this.#faults = 0;
          this.#note();
          return 'taken';
        }
        const searches = end === 'refused' || this.#isFaulty(first);
        if (searches && frames > 1) {
          this.#isolation.failed(first, next);
          return 'refused';
        }
        if (searches && this.#delivery.failedThoughReady) {
          this.#evidence.failedAlone(first, this.#delivery.reason ?? '');
        }
      }
      this.#note();
    }
  }

  /** Whether what the store failed to write was rather the frames' fault than its own. */
  #isFaulty(first: number): boolean {
    const { faults, answered } = this.#delivery;
    return answered && (faults >= LIMITS.storeFaultsToSearch || this.#isolation.isSearching(first));
  }

  /** Gives up a frame that there is enough against. True where the store has just taken another one. */
  async #judge(batch: WriteBatch): Promise<boolean> {
    const { first, columns } = batch;
    let charge = columns.length > 0 ? this.#evidence.against(first) : null;
    const proven = charge?.next === 'trial' && (await this.#isAlone(batch));
    if (proven) {
      this.#evidence.othersTaken(first);
      charge = this.#evidence.against(first);
    }
    if (charge?.next === 'give-up') {
      this.#options.logger.error({ position: first }, `a frame becomes a dead letter: ${charge.reason}`);
      batch.refuseFrame(charge.reason);
    }
    return proven;
  }

  /** Whether the store takes another frame, and so fails this one alone. */
  async #isAlone(batch: WriteBatch): Promise<boolean> {
    const { journal, registry } = this.#options;
    const at = otherFrame(batch, this.#trials++, journal);
    if (at === null) return false;
    const other = new WriteBatch(registry, at, this.#pool, 1);
    await fill(other, journal, this.#delivery.pace, steadyClock, new BlockMemory());
    const taken = other.columns.length > 0 && (await this.#delivery.takes(other, batch.first));
    other.release();
    return taken;
  }

  /** Whether the stop's grace will be over in `ms`. */
  #overdue(ms: number): boolean {
    return this.#stopAtMs !== null && steadyClock.nowMs() + ms >= this.#stopAtMs;
  }

  /** Waits through commits, which must not shorten it; a stop ends it. */
  async #pause(ms: number): Promise<void> {
    const untilMs = steadyClock.nowMs() + ms;
    for (;;) {
      const leftMs = untilMs - steadyClock.nowMs();
      if (leftMs <= 0 || this.#stopAtMs !== null) return;
      await this.#bell.wait(leftMs);
    }
  }
}
