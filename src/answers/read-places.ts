import { LIMITS, MillraceError, Places, steadyClock, type Clock, type Leave } from '../core/index.ts';
import { HeldAnswers } from './held-answers.ts';
import type { AnswerRequest } from './request.ts';

/** Reads that are known to be small have places of their own, so that they never wait behind large ones. */
export type ReadSize = 'small' | 'large';

/** Places of one size. */
export interface SizeCounts {
  /** Reads that the store works for, and those that wait for that. */
  working: number;
  waiting: number;
  /** Answers that are open, and those that wait to be. */
  open: number;
  queued: number;
  /** Open ones whose readers take nothing at the moment. */
  parked: number;
}

/** How reads are, for the metrics. */
export interface ReadCounts extends Record<ReadSize, SizeCounts> {
  heldBytes: number;
  /** Answers that were ended as their readers took nothing, since the start. */
  cut: number;
}

/** An open answer's place. */
export interface OpenPlace {
  /** Its reader waits for bytes: from here on they are being made. */
  working(): void;
  /** Its reader has what there is, and has not asked for more. */
  parked(): void;
  leave(): void;
}

interface Held {
  size: ReadSize;
  parkedSinceMs: number | null;
  cut: (error: MillraceError) => void;
}

/**
 * Places for reads. What is scarce is the store's work, so one for that is held for each batch that is pulled and not while
 * a reader takes its time. A result that is open costs memory, so these are bounded, too: many, and readers that take
 * nothing for long give way.
 */
export class ReadPlaces {
  readonly work: Readonly<Record<ReadSize, Places>>;
  readonly held: HeldAnswers;
  readonly #slots: Readonly<Record<ReadSize, Places>>;
  readonly #open = new Set<Held>();
  readonly #clock: Clock;
  #cut = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(
    options: { clock?: Clock; held?: HeldAnswers; largeAnswers?: number; largeAtWork?: number } = {},
  ) {
    this.#clock = options.clock ?? steadyClock;
    this.held = options.held ?? new HeldAnswers();
    this.work = {
      small: new Places(LIMITS.maxSmallQueries),
      large: new Places(options.largeAtWork ?? LIMITS.maxLargeQueries),
    };
    this.#slots = {
      small: new Places(LIMITS.maxSmallAnswers, LIMITS.maxQueriesWaiting),
      large: new Places(options.largeAnswers ?? LIMITS.maxLargeAnswers, LIMITS.maxQueriesWaiting),
    };
  }

  /** Takes a place for an open answer; `cut` ends it. Rejects with `too_many_queries`, or with the signal's reason. */
  async enter(size: ReadSize, signal: AbortSignal, cut: (error: MillraceError) => void): Promise<OpenPlace> {
    const leave: Leave = await this.#slots[size].take(signal);
    const held: Held = { size, parkedSinceMs: null, cut };
    this.#open.add(held);
    this.#timer ??= setInterval(() => this.look(), LIMITS.answerLookMs).unref();
    return {
      working: () => {
        held.parkedSinceMs = null;
      },
      parked: () => {
        held.parkedSinceMs = this.#clock.nowMs();
      },
      leave: () => {
        this.#open.delete(held);
        leave();
        if (this.#open.size > 0 || this.#timer === null) return;
        clearInterval(this.#timer);
        this.#timer = null;
      },
    };
  }

  /**
   * Ends answers whose readers have taken nothing for LIMITS.answerStalledMs; where others wait to be opened, also the one
   * that has been left alone longest, after LIMITS.answerContestedMs. Called on a timer.
   */
  look(): void {
    const nowMs = this.#clock.nowMs();
    const longest: Partial<Record<ReadSize, { held: Held; idleMs: number }>> = {};
    for (const held of this.#open) {
      if (held.parkedSinceMs === null) continue;
      const idleMs = nowMs - held.parkedSinceMs;
      if (idleMs >= LIMITS.answerStalledMs) this.#end(held, idleMs);
      else if (idleMs > (longest[held.size]?.idleMs ?? -1)) longest[held.size] = { held, idleMs };
    }
    for (const { held, idleMs } of Object.values(longest)) {
      if (idleMs >= LIMITS.answerContestedMs && this.#slots[held.size].waiting > 0) this.#end(held, idleMs);
    }
  }

  counts(): ReadCounts {
    return {
      small: this.#countsOf('small'),
      large: this.#countsOf('large'),
      heldBytes: this.held.held,
      cut: this.#cut,
    };
  }

  #countsOf(size: ReadSize): SizeCounts {
    let parked = 0;
    for (const held of this.#open) if (held.size === size && held.parkedSinceMs !== null) parked++;
    const work = this.work[size];
    const slots = this.#slots[size];
    return {
      working: work.taken,
      waiting: work.waiting,
      open: slots.taken,
      queued: slots.waiting,
      parked,
    };
  }

  #end(held: Held, idleMs: number): void {
    this.#cut++;
    const idle = `nothing of the answer was taken for ${Math.round(idleMs / 1000)} s`;
    held.cut(new MillraceError('slow_consumer', idle));
  }
}

/** Small reads are the newest rows, some thousand rows, and aggregates over few devices. */
export function sizeOf({ plan, limit }: Pick<AnswerRequest, 'plan' | 'limit'>): ReadSize {
  switch (plan.kind) {
    case 'latest':
      return 'small';
    case 'rows':
      return limit !== null && limit <= LIMITS.smallQueryRows ? 'small' : 'large';
    case 'aggregate': {
      const devices = plan.query.devices.length;
      return devices > 0 && devices <= LIMITS.smallQueryDevices ? 'small' : 'large';
    }
  }
}
