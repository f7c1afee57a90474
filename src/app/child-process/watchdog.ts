import { LIMITS } from '../../core/index.ts';
import type { Timing } from './timing.ts';

export interface WatchdogOptions {
  timing: Timing;
  /** Asks the process for a sign of life; resolves with why it hangs all the same, or null. */
  ask: () => Promise<string | null>;
  /** A process that has not answered for so long hangs, in milliseconds. */
  silentMs: number;
  /** Ends it. Called once. */
  onHang: (reason: string) => void;
}

/**
 * Tells when another process hangs. Counts its own looks instead of the time between them, in which both may have been
 * frozen.
 */
export class Watchdog {
  readonly #options: WatchdogOptions;
  #cancel: () => void = () => {};
  #stopped = false;
  /** Looks since a question has been without an answer; null when none is. */
  #silentLooks: number | null = null;

  constructor(options: WatchdogOptions) {
    this.#options = options;
    this.#lookLater();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  #lookLater(): void {
    this.#cancel = this.#options.timing.after(LIMITS.processLookMs, () => {
      this.#look();
      if (!this.#stopped) this.#lookLater();
    });
  }

  #look(): void {
    if (this.#silentLooks === null) {
      this.#silentLooks = 0;
      // It rejects when the process has ended.
      this.#ask().catch(() => this.stop());
      return;
    }
    this.#silentLooks++;
    const silentMs = this.#silentLooks * LIMITS.processLookMs;
    if (silentMs >= this.#options.silentMs) this.#hangs(`it has not answered for ${seconds(silentMs)}`);
  }

  async #ask(): Promise<void> {
    const reason = await this.#options.ask();
    this.#silentLooks = null;
    if (reason !== null) this.#hangs(reason);
  }

  #hangs(reason: string): void {
    if (this.#stopped) return;
    this.stop();
    this.#options.onHang(reason);
  }
}

/** A time in words. */
export function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`;
}
