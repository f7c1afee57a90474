import { formatTimeNs, LIMITS, messageOf, MillraceError, rowsOfBatch, type Clock } from '../core/index.ts';
import type { FollowedJournal } from '../journal/index.ts';
import type { SchemaLookup } from '../registry/index.ts';
import type { Store } from '../store/index.ts';
import type { Logger } from '../telemetry/index.ts';
import { refusedAmong } from './refused.ts';
import { pointKey, sampleFrames, type SampledFrame, type SampledPoint } from './sample.ts';

export interface AuditOptions {
  journal: FollowedJournal;
  registry: SchemaLookup;
  store: Store;
  clock: Clock;
  logger: Logger;
  random: () => number;
  /** Frames before it are in the store, as far as the writer knows. */
  storedTo: () => number;
  /** Milliseconds; LIMITS say by default. */
  everyMs?: number;
  secondLookMs?: number;
}

export interface AuditStatus {
  /** `alarm` from the first missing point on, until the next start. */
  state: 'ok' | 'alarm';
  /** Points since the start; the same one may be checked often, but is missing once. */
  checked: number;
  missing: number;
  /** End of the last run, in milliseconds since the UTC epoch; null before the first. */
  lastRunMs: number | null;
}

interface Missing {
  frame: SampledFrame;
  point: SampledPoint;
}

/** Rows that are read for one frame at most: points behind them are not checked. */
const MAX_ROWS = 10_000;
/** A run that takes longer ends, in milliseconds. */
const RUN_MS = 30_000;
/** How long the second look waits for the writer to reach where the journal ended, in milliseconds. */
const CATCH_UP_MS = 10_000;
/** Missing points of one run that are told one by one in the log. */
const MAX_TOLD = 20;
/** Missing points that are counted at all: by then everybody knows. */
const MAX_REMEMBERED = 100_000;

/**
 * Compares a random sample of what the journal says is stored with what the store returns, in the background. What
 * is missing is looked for a second time, when the writer has passed everything that was pending; then it is an
 * alarm. It reads one frame after the other, so that it takes one of the store's places for queries at most.
 */
export class Audit {
  readonly #options: AuditOptions;
  readonly #stopping = new AbortController();
  #timer: NodeJS.Timeout | null = null;
  #running: Promise<void> = Promise.resolve();
  /** Points that were told to be missing: a later run may meet them again. */
  readonly #told = new Set<string>();
  #checked = 0;
  #missing = 0;
  #lastRunMs: number | null = null;

  constructor(options: AuditOptions) {
    this.#options = options;
  }

  /** Runs from now on, at random times about LIMITS.auditEveryMs apart, so that many servers do not ask together. */
  start(): void {
    const { everyMs = LIMITS.auditEveryMs, random } = this.#options;
    this.#timer = setTimeout(
      () => {
        this.#running = this.run().finally(() => {
          if (!this.#stopping.signal.aborted) this.start();
        });
      },
      everyMs * (0.5 + random()),
    );
    this.#timer.unref();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#running;
  }

  status(): AuditStatus {
    return {
      state: this.#missing === 0 ? 'ok' : 'alarm',
      checked: this.#checked,
      missing: this.#missing,
      lastRunMs: this.#lastRunMs,
    };
  }

  /** One run. What the store or the journal cannot answer now is left to the next. */
  async run(): Promise<void> {
    const { clock, logger } = this.#options;
    const signal = AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(RUN_MS)]);
    try {
      await this.#compare(signal);
      this.#lastRunMs = clock.nowMs();
    } catch (error) {
      if (this.#stopping.signal.aborted) return;
      const damaged = error instanceof MillraceError && error.code === 'journal_corrupt';
      logger[damaged ? 'error' : 'debug']({ err: error }, `no audit: ${messageOf(error)}`);
    }
  }

  async #compare(signal: AbortSignal): Promise<void> {
    const { journal, registry, store, random, storedTo, secondLookMs } = this.#options;
    if (store.state().state !== 'up') return;
    const end = Math.min(storedTo(), journal.settledPosition());
    const frames = await sampleFrames(journal, registry, end, LIMITS.auditPoints, random);
    let checked = 0;
    const suspects: SampledFrame[] = [];
    for (const frame of frames) {
      const missing = await this.#missingOf(frame, signal);
      checked += frame.points.length;
      if (missing.length > 0) suspects.push({ ...frame, points: missing });
    }
    this.#checked += checked;
    if (suspects.length === 0) return;

    const head = journal.head();
    await pause(secondLookMs ?? LIMITS.auditSecondLookMs, signal);
    for (let waitedMs = 0; Math.min(storedTo(), journal.settledPosition()) < head; waitedMs += 100) {
      // What is pending may be these very points, replayed.
      if (waitedMs >= CATCH_UP_MS) return;
      await pause(100, signal);
    }
    const lost: Missing[] = [];
    const refused = await refusedAmong(journal, suspects);
    for (const frame of suspects) {
      if (refused.has(frame)) continue;
      for (const point of await this.#missingOf(frame, signal)) {
        if (!(await this.#isBeyondRetention(frame, point, signal))) lost.push({ frame, point });
      }
    }
    if (lost.length > 0) this.#raise(lost);
  }

  /** Points of the frame that the store does not return. */
  async #missingOf(frame: SampledFrame, signal: AbortSignal): Promise<SampledPoint[]> {
    const { registry, store } = this.#options;
    const measurement = registry.measurement(frame.measurement);
    if (measurement === undefined || frame.points.length === 0) return [];
    const times = frame.points.map(({ timeNs }) => timeNs);
    const fromNs = times.reduce((a, b) => (b < a ? b : a));
    const toNs = times.reduce((a, b) => (b > a ? b : a)) + 1n;
    const query = { measurement, fields: [], devices: [frame.device], tags: {}, fromNs, toNs };
    const answer = await store.rows({ ...query, order: 'asc', limit: MAX_ROWS, after: null }, signal);
    const tagCount = measurement.tags.length;
    const found = new Set<string>();
    let rows = 0;
    let lastNs = fromNs;
    for await (const batch of answer.chunks) {
      for (const row of rowsOfBatch(batch)) {
        rows++;
        if (typeof row[0] === 'bigint') lastNs = row[0];
        found.add(pointKey(row[0] ?? null, row.slice(2, 2 + tagCount)));
      }
    }
    const seenToNs = rows < MAX_ROWS ? toNs : lastNs;
    return frame.points.filter(({ timeNs, tags }) => {
      const values = measurement.tags.map(({ name }) => tags.get(name) ?? null);
      return timeNs < seenToNs && !found.has(pointKey(timeNs, values));
    });
  }

  /** Where a store may drop what is older than its retention: then nothing as old is there at all. */
  async #isBeyondRetention(
    frame: SampledFrame,
    { timeNs }: SampledPoint,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { registry, store } = this.#options;
    const measurement = registry.measurement(frame.measurement);
    if (!store.traits.dropsOldPoints || measurement === undefined) return false;
    const older = { measurement, fields: [], devices: [], tags: {}, fromNs: 0n, toNs: timeNs + 1n };
    const answer = await store.rows({ ...older, order: 'desc', limit: 1, after: null }, signal);
    for await (const batch of answer.chunks) if (batch.rows > 0) return false;
    return true;
  }

  #raise(lost: readonly Missing[]): void {
    const { logger } = this.#options;
    const fresh = lost.filter(({ frame, point }) => {
      const key = `${frame.position} ${pointKey(point.timeNs, [...point.tags.values()])}`;
      if (this.#told.has(key) || this.#told.size >= MAX_REMEMBERED) return false;
      this.#told.add(key);
      return true;
    });
    this.#missing += fresh.length;
    for (const { frame, point } of fresh.slice(0, MAX_TOLD)) {
      const { device, measurement, position } = frame;
      logger.error(
        {
          device,
          measurement,
          time: formatTimeNs(point.timeNs),
          tags: Object.fromEntries(point.tags),
          position,
        },
        'audit: the store lacks a point that it had taken',
      );
    }
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(new Error('stopped'));
    };
    signal.addEventListener('abort', onAbort, { once: true });
  });
}
