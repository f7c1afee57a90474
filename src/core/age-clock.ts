import { LIMITS } from './limits.ts';
import type { Clock } from './time.ts';

/** The time as it was known last, to go on from at the next start. */
export interface KnownTime {
  ms: number;
  /** The wall clock had told it for long enough to be believed. */
  trusted: boolean;
}

/** Whether frames may be taken by the clock as it is. */
export interface ClockGuard {
  /** A wall clock that tells an earlier time is wrong, in milliseconds since the UTC epoch. */
  readonly earliestMs: number;
}

/** How the wall clock stands to the time that passes; `byMs` is how far it is ahead, or behind. */
export interface ClockCondition {
  state: 'ok' | 'ahead' | 'wrong';
  byMs: number;
}

/** Clocks differ by less while both are right, however slowly one of them is being corrected. */
const STEP_MS = 60_000;
/** Clocks are corrected little by little by half a thousandth at most: followed at once, and no faster. */
const DRIFT = 0.001;
const MAX_TOLERANCE_MS = 86_400_000;

/**
 * Time for what goes by its age. A wall clock may jump, and nothing may be lost by that: a second time goes with the
 * steady clock, from the last time that was known, and follows a wall clock that has jumped ahead only once it has kept
 * step for LIMITS.clockAdoptMs. What comes is stamped with the later of the two, and its age is told by the earlier, so
 * that whichever is wrong, things are kept too long rather than too short. A start after a long time off is such a jump.
 */
export class AgeClock implements ClockGuard {
  /** What ages are told by. */
  readonly ages: Clock = { nowMs: () => Math.min(this.#look(), this.#slowMs) };
  /** What is to age is stamped with it. */
  readonly stamps: Clock = { nowMs: () => Math.max(this.#look(), this.#slowMs) };
  readonly #wall: Clock;
  readonly #steady: Clock;
  readonly #toleranceMs: number;
  #slowMs: number;
  #trusted: boolean;
  #steadyMs: number;
  /** The wall clock's lead over the steady one since it jumped last, and when that was. */
  #leadMs: number;
  #steppedMs: number;
  /** See ClockGuard; as of the last look. */
  earliestMs = 0;

  /** How far ahead readings may lie is how far the clock may be behind without refusing any: `maxTimeAheadMs`. */
  constructor(wall: Clock, steady: Clock, known: KnownTime | null, maxTimeAheadMs: number) {
    this.#wall = wall;
    this.#steady = steady;
    this.#toleranceMs = Math.min(Math.max(maxTimeAheadMs, STEP_MS), MAX_TOLERANCE_MS);
    const wallMs = wall.nowMs();
    this.#steadyMs = this.#steppedMs = steady.nowMs();
    this.#leadMs = wallMs - this.#steadyMs;
    this.#slowMs = known?.ms ?? wallMs;
    this.#trusted = known?.trusted ?? false;
    this.#look();
  }

  /** To be kept for the next start. */
  known(): KnownTime {
    this.#look();
    return { ms: this.#slowMs, trusted: this.#trusted };
  }

  condition(): ClockCondition {
    const wallMs = this.#look();
    if (wallMs < this.earliestMs)
      return { state: 'wrong', byMs: Math.max(this.#slowMs, this.earliestMs) - wallMs };
    const byMs = wallMs - this.#slowMs;
    return byMs > this.#toleranceMs ? { state: 'ahead', byMs } : { state: 'ok', byMs: Math.max(0, byMs) };
  }

  /** Moves the slow time on; the wall clock's. */
  #look(): number {
    const wallMs = this.#wall.nowMs();
    const steadyMs = this.#steady.nowMs();
    this.#slowMs += (steadyMs - this.#steadyMs) * (1 + DRIFT);
    this.#steadyMs = steadyMs;
    const leadMs = wallMs - steadyMs;
    if (Math.abs(leadMs - this.#leadMs) > STEP_MS) {
      this.#leadMs = leadMs;
      this.#steppedMs = steadyMs;
    }
    const keptStepMs = steadyMs - this.#steppedMs;
    if (keptStepMs >= LIMITS.clockAdoptMs && wallMs >= LIMITS.builtMs) this.#slowMs = wallMs;
    if (Math.abs(wallMs - this.#slowMs) <= STEP_MS) {
      this.#slowMs = Math.min(this.#slowMs, wallMs);
      this.#trusted ||= keptStepMs >= LIMITS.clockTrustMs;
    }
    this.earliestMs = Math.max(LIMITS.builtMs, this.#trusted ? this.#slowMs - this.#toleranceMs : 0);
    return wallMs;
  }
}
