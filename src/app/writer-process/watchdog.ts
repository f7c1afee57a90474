import { LIMITS } from '../../core/index.ts';

/**
 * Tells when a writer process hangs: it answers nothing any more, or has been in one call of its store for so long that
 * the call will not end. Counts its own looks instead of the time between them, in which both may have been frozen.
 */
export class Watchdog {
  readonly #busyMs: () => Promise<number>;
  readonly #onHang: (reason: string) => void;
  readonly #timer: NodeJS.Timeout;
  /** Looks since a question has been without an answer; null when none is. */
  #silentLooks: number | null = null;

  /** `busyMs` asks the process how long the running call of the store has taken. `onHang` ends it. */
  constructor(busyMs: () => Promise<number>, onHang: (reason: string) => void) {
    this.#busyMs = busyMs;
    this.#onHang = onHang;
    this.#timer = setInterval(() => this.#look(), LIMITS.writerLookMs);
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
    const silentMs = this.#silentLooks * LIMITS.writerLookMs;
    if (silentMs >= LIMITS.writerSilentMs) this.#onHang(`it has not answered for ${seconds(silentMs)}`);
  }

  async #ask(): Promise<void> {
    const ms = await this.#busyMs();
    this.#silentLooks = null;
    if (ms >= LIMITS.storeCallMs) this.#onHang(`the store has not answered for ${seconds(ms)}`);
  }
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`;
}
