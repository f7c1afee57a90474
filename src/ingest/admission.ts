import { type Clock, type ClockGuard, MillraceError } from '../core/index.ts';
import type { DeviceJournal } from './device-journal.ts';

export interface AdmissionOptions {
  journal: Pick<DeviceJournal, 'accepting' | 'stats'>;
  clock: Clock;
  guard: ClockGuard;
}

/** Whether anything new may come in by any way, before anybody looks at it. */
export class IngestAdmission {
  readonly #options: AdmissionOptions;
  #draining = false;

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /** From now on nothing new may come. */
  stop(): void {
    this.#draining = true;
  }

  /** Throws `draining` once nothing new may come. */
  refuseWhileDraining(): void {
    if (this.#draining) throw draining();
  }

  /** Throws `draining` or `clock_wrong`. By a clock that is known to be behind, right frames would be refused. */
  check(): void {
    this.refuseWhileDraining();
    const { clock, guard } = this.#options;
    if (clock.nowMs() < guard.earliestMs) throw clockWrong();
  }

  /** The same, or `journal_full` or `journal_failed`. */
  checkAccepting(): void {
    this.check();
    refuseUnlessAccepting(this.#options.journal);
  }
}

/** Throws `journal_failed` or `journal_full` while the journal takes no frames. */
export function refuseUnlessAccepting(journal: AdmissionOptions['journal']): void {
  if (journal.accepting()) return;
  if (journal.stats().state === 'failed') throw journalFailed();
  throw new MillraceError('journal_full', 'the journal is at its limit');
}

export function journalFailed(): MillraceError {
  return new MillraceError('journal_failed', 'the journal cannot be written');
}

export function draining(): MillraceError {
  return new MillraceError('draining', 'the server is stopping');
}

export function clockWrong(): MillraceError {
  return new MillraceError('clock_wrong', "the server's clock is behind");
}
