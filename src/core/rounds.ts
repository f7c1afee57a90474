import { LIMITS } from './limits.ts';
import { Slice } from './slice.ts';

/** One step of somebody's work; true when there is more of it. It must not throw. */
export type Step = () => boolean;

/**
 * Work of many that share the event loop, so that none of them holds up the others or the loop. Each turn of the loop
 * goes round among those who wait, one step each, until the slice has had its time; the rest waits for the next turn.
 */
export class Rounds {
  readonly #sliceMs: number;
  /** In the order in which they are served. */
  readonly #waiting = new Set<Step>();
  #running = false;

  /** `sliceMs`: what they take of a turn together. A step that has begun is not interrupted. */
  constructor(sliceMs: number = LIMITS.sliceMs) {
    this.#sliceMs = sliceMs;
  }

  /** Has the step made in a later turn, behind those who wait. One that waits already goes on waiting. */
  enter(step: Step): void {
    this.#waiting.add(step);
    if (this.#running) return;
    this.#running = true;
    setImmediate(() => void this.#run());
  }

  /** Resolves in a later turn, when it is the caller's. */
  turn(): Promise<void> {
    return new Promise((resolve) => {
      this.enter(() => {
        resolve();
        return false;
      });
    });
  }

  async #run(): Promise<void> {
    const slice = new Slice(this.#sliceMs);
    for (const step of this.#waiting) {
      this.#waiting.delete(step);
      if (step()) this.#waiting.add(step);
      // What the step began counts, too.
      await Promise.resolve();
      if (slice.over) break;
    }
    if (this.#waiting.size > 0) setImmediate(() => void this.#run());
    else this.#running = false;
  }
}
