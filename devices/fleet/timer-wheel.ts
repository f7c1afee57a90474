import type { Timers } from '../../src/client/index.ts';

interface Entry {
  dueTick: number;
  /** Null once it is cancelled. */
  run: (() => void) | null;
}

const TICK_MS = 5;
/** 10 seconds around; later timers stay in their slot for more than one turn. */
const SLOTS = 2_000;

/**
 * All timers of a fleet over a single one of the system (a hashed timing wheel, Varghese and Lauck 1987):
 * setting and cancelling cost the same for ten devices and for a hundred thousand.
 */
export class TimerWheel implements Timers {
  readonly nowMs: () => number;
  readonly #originMs: number;
  readonly #slots: Entry[][] = Array.from({ length: SLOTS }, () => []);
  #tick = 0;
  #interval: NodeJS.Timeout | null = null;

  constructor(nowMs: () => number = () => performance.now()) {
    this.nowMs = nowMs;
    this.#originMs = nowMs();
  }

  start(): void {
    this.#interval ??= setInterval(() => this.advance(), TICK_MS);
  }

  stop(): void {
    if (this.#interval !== null) clearInterval(this.#interval);
    this.#interval = null;
  }

  after(delayMs: number, run: () => void): () => void {
    const dueTick = Math.ceil((this.nowMs() - this.#originMs + delayMs) / TICK_MS);
    const entry: Entry = { dueTick: Math.max(dueTick, this.#tick + 1), run };
    this.#slots[entry.dueTick % SLOTS]?.push(entry);
    return () => {
      entry.run = null;
    };
  }

  /** Runs everything that is due by now, tick by tick. */
  advance(): void {
    const nowTick = Math.floor((this.nowMs() - this.#originMs) / TICK_MS);
    while (this.#tick < nowTick) {
      this.#tick += 1;
      const index = this.#tick % SLOTS;
      const entries = this.#slots[index] ?? [];
      if (entries.length === 0) continue;
      this.#slots[index] = entries.filter((entry) => entry.run !== null && entry.dueTick > this.#tick);
      for (const entry of entries) {
        if (entry.dueTick > this.#tick) continue;
        const { run } = entry;
        entry.run = null;
        run?.();
      }
    }
  }
}
