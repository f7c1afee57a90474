import { LIMITS } from '../core/index.ts';

export interface WatchdogOptions {
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
  readonly #timer: NodeJS.Timeout;
  /** Looks since a question has been without an answer; null when none is. */
  #silentLooks: number | null = null;

  constructor(options: WatchdogOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#look(), LIMITS.processLookMs);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
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
    this.stop();
    this.#options.onHang(reason);
  }
}

/** A time in words. */
export function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`;
}
