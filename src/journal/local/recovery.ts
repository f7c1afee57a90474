import { MillraceError, messageOf } from '../../core/index.ts';

export interface RecoveryLimits {
  /** A failed journal is opened anew after this time … */
  recoveryMinMs: number;
  /** … and each further try waits twice as long, up to this. */
  recoveryMaxMs: number;
}

/** What another try does not mend. */
const FINAL: readonly string[] = ['data_dir_in_use', 'data_dir_version', 'journal_corrupt'];

/** Tries again and again, with growing waits, to make a failed journal writable. */
export class Recovery {
  readonly #limits: RecoveryLimits;
  readonly #attempt: () => Promise<void>;
  readonly #onFailure: (error: unknown) => void;
  #timer: NodeJS.Timeout | null = null;
  #running = Promise.resolve();
  #stopped = false;
  #tries = 0;
  #recoveredAtMs = Number.NEGATIVE_INFINITY;

  /** `attempt` rejects while it does not work; `onFailure` is told why. */
  constructor(limits: RecoveryLimits, attempt: () => Promise<void>, onFailure: (error: unknown) => void) {
    this.#limits = limits;
    this.#attempt = attempt;
    this.#onFailure = onFailure;
  }

  /** The journal failed because of this. One that fails again soon after a recovery does not begin anew with short waits. */
  failed(error: unknown): void {
    if (performance.now() - this.#recoveredAtMs > this.#limits.recoveryMaxMs) this.#tries = 0;
    this.#schedule(error);
  }

  /** No try begins from here on; resolves when none is under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#running;
  }

  #schedule(error: unknown): void {
    if (this.#stopped || (error instanceof MillraceError && FINAL.includes(error.code))) return;
    const waitMs = Math.min(this.#limits.recoveryMinMs * 2 ** this.#tries, this.#limits.recoveryMaxMs);
    this.#tries++;
    this.#timer = setTimeout(() => {
      this.#running = this.#try();
    }, waitMs).unref();
  }

  async #try(): Promise<void> {
    try {
      await this.#attempt();
      this.#recoveredAtMs = performance.now();
    } catch (error) {
      this.#onFailure(error);
      this.#schedule(error);
    }
  }
}

/** Why the journal does not take frames. */
export function failureOf(cause: unknown): MillraceError {
  return new MillraceError('journal_failed', `the journal cannot be written: ${messageOf(cause)}`, { cause });
}
