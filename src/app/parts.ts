import { messageOf, steadyClock } from '../core/index.ts';
import type { Logger } from '../telemetry/index.ts';

/** Something that the server starts, with everything that its end takes beside it. */
export interface Part<T> {
  name: string;
  start: () => T | Promise<T>;
  /** Says that the end comes, and takes nothing new. Waits for nothing. */
  announce?: (value: T) => unknown;
  /** Finishes what was begun. Everything that was started before this part still works. */
  drain?: (value: T) => unknown;
  /** Lets go of what it holds. After a failed start this comes without the two before it. */
  close?: (value: T) => unknown;
}

/** How a stop goes: each phase goes through all parts, the one that started last comes first. */
const PHASES = ['announce', 'drain', 'close'] as const;
type StopPhase = (typeof PHASES)[number];

/** A step gets this share of the time that is left, so that one that hangs leaves some to all the others. */
const SHARE = 2 / 3;

type StartedPart = { name: string } & Partial<Record<StopPhase, () => unknown>>;

/** Starts parts one after the other, and ends them in the opposite order. */
export class Parts {
  readonly #logger: Logger;
  readonly #deadlineMs: number;
  /** The newest first. */
  readonly #started: StartedPart[] = [];
  #stopping = false;

  /** Ending takes `deadlineMs` at most, but for a millisecond a step when nearly all of them hang. */
  constructor(logger: Logger, deadlineMs: number) {
    this.#logger = logger;
    this.#deadlineMs = deadlineMs;
  }

  get stopping(): boolean {
    return this.#stopping;
  }

  /** Resolves with what the part's start gave. Rejects with its error; call `abandon` then. */
  async start<T>(part: Part<T>): Promise<T> {
    const value = await part.start();
    const started: StartedPart = { name: part.name };
    for (const phase of PHASES) {
      const step = part[phase];
      if (step !== undefined) started[phase] = () => step(value);
    }
    this.#started.unshift(started);
    return value;
  }

  /** Ends all parts; rejects with the first error when all the others have ended, too. Call once. */
  async stop(): Promise<void> {
    this.#stopping = true;
    const errors = await this.#end(PHASES);
    if (errors.length > 0) throw errors[0];
  }

  /** Closes what runs, after a start that failed. Errors are only logged. */
  async abandon(): Promise<void> {
    await this.#end(['close']);
  }

  async #end(phases: readonly StopPhase[]): Promise<unknown[]> {
    const endMs = steadyClock.nowMs() + this.#deadlineMs;
    const errors: unknown[] = [];
    for (const phase of phases) {
      for (const { name, [phase]: step } of this.#started) {
        if (step === undefined) continue;
        const mostMs = (endMs - steadyClock.nowMs()) * SHARE;
        try {
          if (await endsWithin(mostMs, step)) continue;
          this.#logger.warn({ part: name, phase, ms: Math.round(mostMs) }, 'hangs, and is left as it is');
        } catch (error) {
          errors.push(error);
          this.#logger.error({ err: error, part: name, phase }, `did not end well: ${messageOf(error)}`);
        }
      }
    }
    return errors;
  }
}

/** Whether the work is done before the time is over. Rejects with its error; one that comes later is nobody's. */
async function endsWithin(ms: number, work: () => unknown): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  try {
    return await Promise.race([Promise.resolve(work()).then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
