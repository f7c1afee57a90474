import { setImmediate as nextTurn } from 'node:timers/promises';

/** Whose work it is: that of all who follow the head, or that of one reader which reads on its own. */
export type Lane = 'live' | 'lone';

/**
 * The event loop's time for tails. All their long work asks here before it goes on, so that together it takes one
 * slice between two turns of the loop, however many readers, groups and rows there are. The two lanes take turns:
 * many readers that catch up do not hold up those that follow the head.
 */
export class Turns {
  readonly #sliceMs: number;
  readonly #lanes: Record<Lane, Waiting> = { live: new Waiting(), lone: new Waiting() };
  #last: Lane = 'lone';
  #endMs = 0;
  #serving = false;

  constructor(sliceMs: number) {
    this.#sliceMs = sliceMs;
  }

  /** True when the slice has had its time, or work runs outside of any. */
  get over(): boolean {
    return performance.now() >= this.#endMs;
  }

  /** Returns at once while the slice lasts. */
  async pause(lane: Lane): Promise<void> {
    if (this.over) await this.next(lane);
  }

  /** Lets all others of the lane go first that wait already. */
  next(lane: Lane): Promise<void> {
    return new Promise((resolve) => {
      this.#lanes[lane].add(resolve);
      if (!this.#serving) void this.#serve();
    });
  }

  async #serve(): Promise<void> {
    this.#serving = true;
    let go = this.#take();
    while (go !== undefined) {
      await nextTurn();
      this.#endMs = performance.now() + this.#sliceMs;
      while (go !== undefined) {
        go();
        // Ticks come after all that the promise has set going: whoever was let go has stopped, or waits here again.
        await new Promise<void>((resolve) => process.nextTick(resolve));
        if (this.over) break;
        go = this.#take();
      }
      // A slice that was over has served `go`; one that was not has found nobody.
      go = this.#take();
    }
    this.#serving = false;
  }

  #take(): (() => void) | undefined {
    const { live, lone } = this.#lanes;
    const first = this.#last === 'live' ? lone : live;
    const go = first.take();
    if (go !== undefined) {
      this.#last = first === live ? 'live' : 'lone';
      return go;
    }
    return first === live ? lone.take() : live.take();
  }
}

/** A queue whose front is taken in constant time. */
class Waiting {
  #entries: (() => void)[] = [];
  #first = 0;

  add(entry: () => void): void {
    this.#entries.push(entry);
  }

  take(): (() => void) | undefined {
    const entry = this.#entries[this.#first];
    if (entry === undefined) return undefined;
    this.#first += 1;
    if (this.#first === this.#entries.length) {
      this.#entries = [];
      this.#first = 0;
    } else if (this.#first >= 1_024 && this.#first * 2 >= this.#entries.length) {
      this.#entries = this.#entries.slice(this.#first);
      this.#first = 0;
    }
    return entry;
  }
}
