import { LIMITS } from '../core/index.ts';

/** Frames [first, next) that are handed to the store. */
export interface WriteAttempt {
  first: number;
  next: number;
  /** They are in the store or will be written again: this is only to see whether it takes any points. */
  trial: boolean;
  /** The store has taken another frame right before, so that these fail by themselves if they fail. */
  proven: boolean;
}

/** Frames [from, to) during whose write the writer's process ended; known to the process that starts it again. */
export interface Suspects {
  from: number;
  to: number;
  /** How often, one time after another, with just these frames. */
  ends: number;
  /** How it ended the last time, in words. */
  how: string;
  /** How often it ended since then during a trial. */
  trials: number;
  /** The last time, the store had taken another frame right before. */
  proven: boolean;
}

/** What is suspected after a process ended during an attempt. */
export function suspectsAfter(before: Suspects | null, attempt: WriteAttempt, how: string): Suspects | null {
  const { first, next, trial, proven } = attempt;
  if (trial) return before === null ? null : { ...before, trials: before.trials + 1 };
  const same = before !== null && before.from === first && before.to === next;
  return { from: first, to: next, ends: same ? before.ends + 1 : 1, how, trials: 0, proven };
}

/**
 * Why a frame is to be given up if the store takes others, and what is to come next: a trial with another frame, one
 * more try of this one, or its end.
 */
export interface Charge {
  reason: string;
  next: 'trial' | 'retry' | 'give-up';
}

/**
 * What speaks against single frames: processes that ended, and answers of a store that takes other writes. It needs
 * several, one after another, with nothing but this frame under way.
 */
export class Evidence {
  readonly #suspects: Suspects | null;
  /** The frame that was failed last, how often in a row, and why. */
  #position = -1;
  #faults = 0;
  #reason = '';
  /** How often it had been failed when the store took another frame; infinite before. */
  #faultsAtTrial = Infinity;

  constructor(suspects: Suspects | null) {
    this.#suspects = suspects;
  }

  /** The store said that it takes writes, and then failed to take this frame alone. */
  failedAlone(position: number, reason: string): void {
    if (position !== this.#position) {
      this.#position = position;
      this.#faults = 0;
      this.#faultsAtTrial = Infinity;
    }
    this.#faults++;
    this.#reason = reason;
  }

  /** The store has taken another frame while this one was charged. */
  othersTaken(position: number): void {
    if (position === this.#position) this.#faultsAtTrial = this.#faults;
  }

  /** What the frame is charged with; null while nothing is clear. */
  against(position: number): Charge | null {
    return this.#byEnds(position) ?? this.#byFaults(position) ?? this.#byEndsBefore(position);
  }

  #byEnds(position: number): Charge | null {
    const { how = '', proven = false } = this.#suspects ?? {};
    const ends = this.#endsAt(position);
    if (!proven || ends < LIMITS.writerEndsToGiveUp) return null;
    const reason = `${how}, ${ends} times in a row while it stored this frame alone, the last time right after another one`;
    return { reason, next: 'give-up' };
  }

  #byFaults(position: number): Charge | null {
    if (this.#position !== position || this.#faults < LIMITS.storeFaultsToGiveUp) return null;
    const reason = `the store takes other frames, and failed this one alone ${this.#faults} times in a row: ${this.#reason}`;
    if (this.#faultsAtTrial === Infinity) return { reason, next: 'trial' };
    return { reason, next: this.#faults > this.#faultsAtTrial ? 'give-up' : 'retry' };
  }

  /** What ended processes before may have been an outage that is over: the end right behind a trial decides. */
  #byEndsBefore(position: number): Charge | null {
    if (this.#endsAt(position) < LIMITS.writerEndsToGiveUp - 1) return null;
    return { reason: this.#suspects?.how ?? '', next: 'trial' };
  }

  /** How many processes ended in a row while they stored this frame alone. */
  #endsAt(position: number): number {
    const { from = -1, to = -1, ends = 0 } = this.#suspects ?? {};
    return from === position && to === position + 1 ? ends : 0;
  }
}

/**
 * The frame for a trial while another one is charged. They take turns: the one before, which is stored already, the one
 * behind, and those at twice the distance each time, as its neighbours may be at fault too. Of those before, only the
 * last may be written again: an older one would put its values back. Null where there is none.
 */
export function otherFrame(
  charged: { first: number; next: number },
  trial: number,
  journal: { tail(): number; head(): number },
): number | null {
  const others = charged.first > journal.tail() ? [charged.first - 1] : [];
  const { next } = charged;
  for (let distance = 1; next + distance <= journal.head(); distance *= 2) others.push(next + distance - 1);
  return others[trial % others.length] ?? null;
}
