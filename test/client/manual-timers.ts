import type { Timers } from '../../src/client/index.ts';

/** Time that stands still until the test moves it. */
export class ManualTimers implements Timers {
  #now = 0;
  #pending: { atMs: number; run: () => void }[] = [];

  nowMs(): number {
    return this.#now;
  }

  after(delayMs: number, run: () => void): () => void {
    const timer = { atMs: this.#now + delayMs, run };
    this.#pending.push(timer);
    return () => {
      this.#pending = this.#pending.filter((other) => other !== timer);
    };
  }

  get waiting(): number {
    return this.#pending.length;
  }

  move(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const due = this.#pending.filter((timer) => timer.atMs <= end).sort((a, b) => a.atMs - b.atMs)[0];
      if (due === undefined) break;
      this.#pending = this.#pending.filter((timer) => timer !== due);
      this.#now = Math.max(this.#now, due.atMs);
      due.run();
    }
    this.#now = end;
  }
}
