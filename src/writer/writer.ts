import { LIMITS, MillraceError, messageOf, type Clock } from '../core/index.ts';
import type { Journal } from '../journal/index.ts';
import type { Registry } from '../registry/index.ts';
import { refusedFrames, type Store } from '../store/index.ts';
import type { Logger } from '../telemetry/index.ts';
import { backoffMs } from './backoff.ts';
import { WriteBatch } from './batch.ts';
import { readingsBetween, settlementOf } from './settlement.ts';

const RETRY_BASE_MS = 100;

export interface WriterOptions {
  journal: Journal;
  registry: Registry;
  store: Store;
  clock: Clock;
  logger: Logger;
  random: () => number;
  /** A store write took `ms`. */
  onWrite(ms: number): void;
  /** A store write failed and will be tried again. */
  onFailure(): void;
}

/**
 * Moves frames from the journal to the store, in order: gathers a batch by size and age, writes it until
 * the store has it, then settles it in the journal. It never skips a frame and never gives one up.
 */
export class Writer {
  readonly #options: WriterOptions;
  #batch: WriteBatch;
  #batchSinceMs = 0;
  /** Set by stop(): until when the store may still be waited for. */
  #stopAtMs: number | null = null;
  #wake: (() => void) | null = null;
  #running: Promise<void> = Promise.resolve();
  #unsubscribe: () => void = () => {};
  #fault: string | null = null;

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#batch = new WriteBatch(options.registry, 0);
  }

  /** Brings the journal's record up to what the store remembers, then goes on from there. */
  async start(): Promise<void> {
    this.#batch = new WriteBatch(this.#options.registry, await this.#resume());
    this.#unsubscribe = this.#options.journal.onCommit(() => this.#wake?.());
    this.#running = this.#runForEver();
  }

  /** Writes what the journal holds and ends; what the store has not taken after `graceMs` stays there. */
  async stop(graceMs: number): Promise<void> {
    this.#stopAtMs = this.#options.clock.nowMs() + graceMs;
    this.#wake?.();
    await this.#running;
    this.#unsubscribe();
  }

  async #resume(): Promise<number> {
    const { journal, store, logger } = this.#options;
    const settled = journal.settledPosition();
    const known = store.position();
    if (known === null || known.epoch !== journal.epoch || known.position > journal.head()) {
      if (known !== null && known.epoch === journal.epoch) {
        logger.error(
          { store: known.position, journal: journal.head() },
          'the store has seen frames that the journal does not know: the journal was put back to an earlier state',
        );
      }
      store.setPosition({ epoch: journal.epoch, position: settled, refused: [] });
      return settled;
    }
    if (known.position > settled) {
      // The store committed, and the process died before the journal heard of it.
      const received = readingsBetween(journal, settled, known.position);
      await journal.settle(settlementOf(journal, known.position, received, known.refused));
    }
    // A store restored from a backup is behind: what the journal still has is written to it again.
    return Math.max(known.position, journal.tail());
  }

  /** What stops the writer must not stop ingest: it is told, and tried again after a while. */
  async #runForEver(): Promise<void> {
    const { logger, journal, registry } = this.#options;
    for (;;) {
      try {
        await this.#run();
        return;
      } catch (error) {
        this.#options.onFailure();
        this.#fault = messageOf(error);
        logger.error({ err: error, position: this.#batch.next }, `the writer cannot go on: ${this.#fault}`);
        this.#batch = new WriteBatch(registry, Math.max(this.#batch.first, journal.tail()));
        await this.#pause(LIMITS.storeRetryMaxMs);
        if (this.#stopAtMs !== null) return;
      }
    }
  }

  /** Why the writer stands still; null while it works. */
  get fault(): string | null {
    return this.#fault;
  }

  async #run(): Promise<void> {
    for (;;) {
      if (this.#stopAtMs !== null && this.#options.clock.nowMs() >= this.#stopAtMs) return;
      const full = this.#fill();
      const stopping = this.#stopAtMs !== null;
      if (this.#batch.empty && stopping) return;
      if (!full && !stopping) {
        const ageMs = this.#options.clock.nowMs() - this.#batchSinceMs;
        if (this.#batch.empty || ageMs < LIMITS.storeBatchDelayMs) {
          await this.#sleep(this.#batch.empty ? null : LIMITS.storeBatchDelayMs - ageMs);
          continue;
        }
      }
      if (!(await this.#writeUntilTaken())) return;
    }
  }

  /** Takes committed frames into the batch; true when it can take no more. */
  #fill(): boolean {
    const { journal, clock } = this.#options;
    const batch = this.#batch;
    // What is written a second time is not counted a second time, so no batch mixes the two.
    const settled = journal.settledPosition();
    const end = batch.first < settled ? settled : Infinity;
    for (;;) {
      const block = journal.read(batch.next);
      if (block === undefined) return false;
      if (batch.empty) this.#batchSinceMs = clock.nowMs();
      for (const frame of block.frames(batch.next)) {
        if (batch.readings >= LIMITS.storeBatchRows || frame.position >= end || !batch.add(frame))
          return true;
      }
    }
  }

  /** False when the stop's grace ran out first. */
  async #writeUntilTaken(): Promise<boolean> {
    const { clock, logger, random } = this.#options;
    for (let attempt = 0; ; attempt++) {
      try {
        await this.#write();
        if (attempt > 0) logger.info({ attempts: attempt + 1 }, 'the store takes points again');
        return true;
      } catch (error) {
        this.#options.onFailure();
        const code = error instanceof MillraceError ? error.code : 'internal';
        const waitMs = Math.max(
          backoffMs(attempt, RETRY_BASE_MS, LIMITS.storeRetryMaxMs, random),
          retryAfterMs(error),
        );
        logger.warn({ code, attempt, waitMs, err: error }, `store write failed: ${messageOf(error)}`);
        if (this.#stopAtMs !== null && clock.nowMs() + waitMs >= this.#stopAtMs) return false;
        await this.#pause(waitMs);
      }
    }
  }

  async #write(): Promise<void> {
    const { journal, store, clock } = this.#options;
    const batch = this.#batch;
    const startMs = clock.nowMs();
    const again = batch.next <= journal.settledPosition();
    const position = { epoch: journal.epoch, position: batch.next, refused: batch.refused };
    const points = await store.write(batch.columns, position);
    if (!again) {
      const refused = [...batch.refused, ...refusedFrames(points)];
      await journal.settle(settlementOf(journal, batch.next, batch.received, refused));
    }
    this.#fault = null;
    this.#options.onWrite(clock.nowMs() - startMs);
    this.#batch = new WriteBatch(this.#options.registry, batch.next);
  }

  /** Waits for a commit, a stop, or `ms`. */
  #sleep(ms: number | null): Promise<void> {
    return new Promise((resolve) => {
      const timer = ms === null ? null : setTimeout(() => this.#wake?.(), ms);
      this.#wake = () => {
        if (timer !== null) clearTimeout(timer);
        this.#wake = null;
        resolve();
      };
    });
  }

  /** Waits through commits, which must not shorten it; a stop ends it at the stop's own deadline. */
  async #pause(ms: number): Promise<void> {
    const { clock } = this.#options;
    const untilMs = clock.nowMs() + ms;
    for (;;) {
      const leftMs = Math.min(untilMs, this.#stopAtMs ?? untilMs) - clock.nowMs();
      if (leftMs <= 0) return;
      await this.#sleep(leftMs);
    }
  }
}

/** What a store's Retry-After asked for, if it did. */
function retryAfterMs(error: unknown): number {
  if (error instanceof Error && 'retryAfterMs' in error && typeof error.retryAfterMs === 'number') {
    return Math.min(error.retryAfterMs, LIMITS.storeRetryMaxMs);
  }
  return 0;
}
