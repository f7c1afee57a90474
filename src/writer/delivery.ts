import {
  LIMITS,
  MillraceError,
  messageOf,
  steadyClock,
  NO_READINGS,
  totalReadings,
  type Clock,
  type ByTransport,
} from '../core/index.ts';
import type { FollowedJournal } from '../journal/index.ts';
import { refusedFrames, type Store, type StorePosition } from '../store/index.ts';
import type { Logger } from '../telemetry/index.ts';
import type { WriteBatch } from './batch.ts';
import { Circuit } from './circuit.ts';
import { dueExpiry, type Expiry, type ExpiryLimits } from './expiry.ts';
import { Pace } from './pace.ts';
import { rowTimes } from './row-times.ts';
import { settlementOf } from './settlement.ts';
import type { WriteAttempt } from './suspects.ts';

const RETRY_BASE_MS = 100;
/** Between two lines of the log about expired frames, in milliseconds. */
const EXPIRY_LOG_MS = 10_000;

export interface DeliveryOptions {
  journal: FollowedJournal;
  store: Store;
  clock: Clock;
  /** What ages are told by. */
  ages: Clock;
  logger: Logger;
  random: () => number;
  /** What to give up when the journal is at a limit; null never gives anything up. */
  expiry: ExpiryLimits | null;
  /** A store write took `ms`. */
  onWrite(ms: number): void;
  /** A write or probe failed, and will be tried again. `kind` is an error code, or `http_` and the status. */
  onFailure(kind: string): void;
  /** Something that failed before is tried again. */
  onRetry(): void;
  onExpired(readings: Readonly<ByTransport>, limit: Expiry['limit']): void;
  /**
   * The store is about to be handed these frames, and null: it has answered. Whoever outlives this process knows which
   * were under way when it ends; resolves when that is so.
   */
  onAttempt: (attempt: WriteAttempt | null) => Promise<void>;
}

/**
 * One step at a time on a batch's way into the store: a write with its settlement, a probe, an expiry. Keeps what
 * is known of the store's failures between them.
 */
export class Delivery {
  readonly circuit: Circuit;
  readonly pace = new Pace();
  readonly #options: DeliveryOptions;
  #reason: string | null = null;
  /** Since when the store has been at it, on the steady clock; null while it is asked for nothing. */
  #busySinceMs: number | null = null;
  #faults = 0;
  #answered = false;
  #failedThoughReady = false;
  #expired = 0;
  #expiryLoggedMs = -Infinity;

  constructor(options: DeliveryOptions) {
    this.#options = options;
    this.circuit = new Circuit({
      openAfter: LIMITS.storeFailuresToOpen,
      baseMs: RETRY_BASE_MS,
      maxMs: LIMITS.storeRetryMaxMs,
      maxAskedMs: LIMITS.storeRetryAfterMaxMs,
      clock: steadyClock,
      random: options.random,
    });
  }

  /** Why the store did not take the last write; null when it did. */
  get reason(): string | null {
    return this.#reason;
  }

  /**
   * How often in a row the store has failed writes with a status of its own (5xx), right after it had said that it
   * takes writes. An outage that it knows of, or that nobody answers in, counts nothing.
   */
  get faults(): number {
    return this.#faults;
  }

  /** Whether the last failure was one with a status of the store's own. */
  get answered(): boolean {
    return this.#answered;
  }

  /** Whether it was also one of a write, right after the store had said that it takes writes. */
  get failedThoughReady(): boolean {
    return this.#failedThoughReady;
  }

  /**
   * How long the running call of the store has taken, in milliseconds; 0 when none runs. Whether that is too long,
   * its StoreTraits.longestCallMs says.
   */
  busyMs(): number {
    if (this.#busySinceMs === null) return 0;
    return steadyClock.nowMs() - this.#busySinceMs;
  }

  /**
   * Writes the batch and settles it. `failed`: the store did, and circuit.retryInMs() says for how long to let it be.
   * `refused`: it will not take these frames together however often they come; a batch of one frame has none left now,
   * and is to be written again. `proven`: see WriteAttempt. Throws what the journal throws.
   */
  async write(batch: WriteBatch, proven: boolean): Promise<'taken' | 'refused' | 'failed'> {
    const { journal, store } = this.#options;
    const again = batch.next <= journal.settledPosition();
    const position = { epoch: journal.epoch, position: batch.next, refused: batch.refused };
    const points = await this.#try(async () => {
      const startMs = steadyClock.nowMs();
      try {
        const refused = await this.#attempt(batch, { trial: false, proven }, () =>
          store.write(batch.columns, position),
        );
        this.pace.wrote(batch.readings, steadyClock.nowMs() - startMs);
        return refused;
      } catch (error) {
        if (!isRefusal(error) || batch.columns.length === 0) throw error;
        // A frame is given up only where the store takes a write without it.
        if (batch.frames === 1) await store.write([], { ...position, position: batch.first, refused: [] });
        return error;
      }
    });
    if (points === null) return 'failed';
    if (points instanceof MillraceError) {
      this.#tellRefused(batch, points);
      return 'refused';
    }
    if (!again) {
      const refused = [...batch.refused, ...refusedFrames(points)];
      const settlement = await settlementOf(
        journal,
        { from: batch.first, position: batch.next, received: batch.received },
        refused,
      );
      await journal.settle({ ...settlement, times: rowTimes(batch.columns) });
    }
    return 'taken';
  }

  /**
   * Whether the store takes these points, which it has or will get again; `position` is the one that it is at. They say
   * of a frame that it fails whether the frame is at fault.
   */
  async takes(other: WriteBatch, position: number): Promise<boolean> {
    const { journal, store } = this.#options;
    const at = { epoch: journal.epoch, position, refused: [] };
    const write = (): Promise<unknown> => store.write(other.columns, at);
    return (await this.#try(() => this.#attempt(other, { trial: true, proven: false }, write))) !== null;
  }

  /** Makes the store remember another position, with no points. False when it failed. */
  async reset(position: StorePosition): Promise<boolean> {
    return (await this.#try(() => this.#options.store.write([], position))) !== null;
  }

  /** Gives up the oldest frames where a limit is reached. No write may be under way. True when frames went. */
  async expire(): Promise<boolean> {
    const { journal, store, ages, expiry } = this.#options;
    if (expiry === null) return false;
    const due = await dueExpiry(journal, expiry, this.circuit.failures > 0, ages.nowMs());
    if (due === null) return false;
    const { from, position, readings } = due;
    await journal.settle({ from, position, stored: NO_READINGS, expired: readings, deadLetters: [] });
    store.setPosition({ epoch: journal.epoch, position, refused: [] });
    this.#tellExpired(due);
    return true;
  }

  async #attempt<T>(
    { first, next }: WriteBatch,
    kind: Pick<WriteAttempt, 'trial' | 'proven'>,
    write: () => Promise<T>,
  ): Promise<T> {
    const { onAttempt } = this.#options;
    await onAttempt({ first, next, ...kind });
    try {
      return await write();
    } finally {
      await onAttempt(null);
    }
  }

  async #try<T>(write: () => Promise<T>): Promise<T | null> {
    const { store, logger } = this.#options;
    const { circuit } = this;
    if (circuit.failures > 0) this.#options.onRetry();
    this.#busySinceMs = steadyClock.nowMs();
    let probed = false;
    try {
      if (circuit.attempt() === 'probe') {
        await store.probe();
        probed = true;
      }
      const startMs = steadyClock.nowMs();
      const value = await write();
      this.#options.onWrite(steadyClock.nowMs() - startMs);
      if (circuit.failures > 0) {
        logger.info({ failures: circuit.failures }, 'the store takes points again');
      }
      circuit.succeeded();
      this.#faults = 0;
      this.#reason = null;
      return value;
    } catch (error) {
      const waitMs = Math.round(circuit.failed(retryAfterMs(error)));
      this.pace.failed();
      this.#answered = statusOf(error) >= 500;
      if (!this.#answered) this.#faults = 0;
      else if (probed) this.#faults++;
      this.#failedThoughReady = this.#answered && probed;
      this.#reason = messageOf(error);
      const kind = kindOf(error);
      this.#options.onFailure(kind);
      logger.warn(
        { kind, failures: circuit.failures, circuit: circuit.state, waitMs, err: error },
        `store write failed: ${this.#reason}`,
      );
      return null;
    } finally {
      this.#busySinceMs = null;
    }
  }

  #tellRefused(batch: WriteBatch, error: MillraceError): void {
    const { first, frames } = batch;
    this.#options.onFailure(error.code);
    this.#options.logger.warn(
      { position: first, frames, err: error },
      `store write refused: ${error.message}`,
    );
    if (frames === 1) batch.refuseFrame(error.message);
  }

  #tellExpired({ position, readings, limit }: Expiry): void {
    this.#options.onExpired(readings, limit);
    this.#expired += totalReadings(readings);
    const nowMs = steadyClock.nowMs();
    if (nowMs - this.#expiryLoggedMs < EXPIRY_LOG_MS) return;
    this.#expiryLoggedMs = nowMs;
    this.#options.logger.warn(
      { readings: this.#expired, position, limit },
      'the journal reached its limit: the oldest readings were given up, as journal-on-limit says',
    );
    this.#expired = 0;
  }
}

function isRefusal(error: unknown): error is MillraceError {
  return error instanceof MillraceError && error.code === 'store_refused';
}

/** What a store's Retry-After asked for, if it did. */
function retryAfterMs(error: unknown): number {
  const asked = typeof error === 'object' && error !== null && 'retryAfterMs' in error;
  return asked && typeof error.retryAfterMs === 'number' ? error.retryAfterMs : 0;
}

/** The HTTP status with which a store failed; 0 where it had none. */
function statusOf(error: unknown): number {
  const has = typeof error === 'object' && error !== null && 'status' in error;
  return has && typeof error.status === 'number' ? error.status : 0;
}

/** A word for the metrics: few values, whatever a store says. */
function kindOf(error: unknown): string {
  const status = statusOf(error);
  if (status > 0) return `http_${status}`;
  return error instanceof MillraceError ? error.code : 'internal';
}
