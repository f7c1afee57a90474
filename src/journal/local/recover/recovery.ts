import { MillraceError, messageOf } from '../../../core/index.ts';
import type { JournalSettings } from '../commit/settings.ts';

type RecoveryLimits = Pick<JournalSettings, 'recoveryMinMs' | 'recoveryMaxMs'>;

/** What another try does not mend. */
const FINAL: readonly string[] = ['data_dir_in_use', 'data_dir_version', 'journal_corrupt'];

/** Tries again and again, with growing waits, to make a failed journal writable. */
export class Recovery {
  readonly #limits: RecoveryLimits;
  readonly #attempt: () => Promise<void>;
  readonly #onFailure: (failure: MillraceError) => void;
  #timer: NodeJS.Timeout | null = null;
  #running = Promise.resolve();
  #stopped = false;
  #tries = 0;
  #recoveredAtMs = Number.NEGATIVE_INFINITY;

  /** `attempt` rejects while it does not work; `onFailure` is told why. */
  constructor(
    limits: RecoveryLimits,
    attempt: () => Promise<void>,
    onFailure: (failure: MillraceError) => void,
  ) {
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
      this.#onFailure(failureOf(error, this.#tries));
      this.#schedule(error);
    }
  }
}

/** Why the journal does not take frames, after so many tries to recover. */
export function failureOf(cause: unknown, tries = 0): MillraceError {
  const tried = tries === 0 ? '' : `; tried again ${tries === 1 ? 'once' : `${tries} times`}`;
  const message = `the journal cannot be written: ${messageOf(cause)}${tried}`;
  return new MillraceError('journal_failed', message, { cause });
}
